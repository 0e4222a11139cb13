/** Where the tasks keep what takes long to make: other Pythons, and virtual environments. */

import { dirname } from "node:path";
import { JobError } from "./job_runner.ts";

/** A folder of that name in the user's cache. It need not be there yet; the folder that holds it is. */
export function cacheFolder(name: string): string {
  const home = Deno.env.get("HOME");
  const cache = Deno.env.get("XDG_CACHE_HOME") || (home && `${home}/.cache`) ||
    Deno.env.get("LOCALAPPDATA");
  if (!cache) {
    throw new JobError("set HOME or XDG_CACHE_HOME: a cache folder is needed");
  }
  const folder = `${cache}/oneheap-tests`;
  Deno.mkdirSync(folder, { recursive: true });
  return `${folder}/${name}`;
}

/**
 * Make a folder where there is none. `make` does it in a folder beside it and resolves to the one to put in its place,
 * that folder or one in it; so one whose making was broken off is never taken for a whole one.
 */
export async function makeFolder(
  folder: string,
  make: (workshop: string) => Promise<string>,
): Promise<void> {
  const workshop = await Deno.makeTempDir({
    dir: dirname(folder),
    prefix: "unfinished-",
  });
  try {
    await Deno.rename(await make(workshop), folder);
  } finally {
    await Deno.remove(workshop, { recursive: true }).catch(ignoreMissing);
  }
}

/** The workshop itself may have become the folder. */
function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
