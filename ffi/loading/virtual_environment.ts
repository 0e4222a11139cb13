/**
 * The `.venv` of the project that runs: where it is looked for, and whose it has to be.
 *
 * What is in it becomes part of this process, so one that somebody else could have put there is foreign code.
 */

import { dirname, join, resolve } from "node:path";
import type { Attempt } from "../errors.ts";
import { HAS_OWNERS } from "./cache.ts";
import { look, lookAtLink, pathOf } from "./paths.ts";
import { environment, granted } from "./permissions.ts";
import { PLATFORM } from "./platform/host.ts";

/** A folder called `.venv`. */
export interface ProjectEnvironment {
  /** Its path. */
  readonly root: string;
  /** Why it may not be used; none if it may. */
  readonly fault: string | undefined;
}

const NAME = ".venv";

/**
 * Find the nearest `.venv` of the main module's folder, then of the current one: each in the folder or above it, up to
 * the first that has a `.git`, the home folder, or one that belongs to another user. Adds to `tried` where it may not be
 * looked for.
 */
export function projectEnvironments(tried: Attempt[]): ProjectEnvironment[] {
  const seen = new Set<string>();
  const home = environment(PLATFORM.homeVariable);
  const top = home === undefined ? undefined : resolve(home);
  return startingFolders()
    .map((folder) => nearest(folder, top, seen, tried))
    .filter((found) => found !== undefined);
}

/** A Worker's main module is where its `location` says. */
function startingFolders(): string[] {
  const main = Deno.mainModule ?? globalThis.location?.href;
  const file = main && pathOf(main);
  const folders = file ? [dirname(resolve(file))] : [];
  try {
    folders.push(Deno.cwd());
  } catch {
    // The current folder has been removed.
  }
  return folders;
}

function nearest(
  start: string,
  home: string | undefined,
  seen: Set<string>,
  tried: Attempt[],
): ProjectEnvironment | undefined {
  // Where folders have no owners, only those of the user's profile are.
  if (!HAS_OWNERS && !isWithin(start, home)) return undefined;
  for (let folder = start; !seen.has(folder); folder = dirname(folder)) {
    seen.add(folder);
    const root = join(folder, NAME);
    if (!granted({ name: "read", path: folder })) {
      return skip(tried, root, "looked for", `--allow-read=${folder}`);
    }
    if (lookAtLink(root) !== undefined) return inspect(folder, root, tried);
    const isTop = folder === home || isForeign(look(folder)) ||
      lookAtLink(join(folder, ".git")) !== undefined;
    if (isTop) return undefined;
  }
}

/** Look whose a `.venv` is, what it links to, and what of it is run. */
function inspect(
  folder: string,
  root: string,
  tried: Attempt[],
): ProjectEnvironment | undefined {
  if (HAS_OWNERS && !granted({ name: "sys", kind: "uid" })) {
    return skip(tried, root, "asked whose it is", "--allow-sys=uid");
  }
  let real: string;
  try {
    real = Deno.realPathSync(root);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      return skip(tried, root, "followed", "--allow-read");
    }
    return { root, fault: "it is a link to nothing" };
  }
  if (!granted({ name: "read", path: dirname(real) })) {
    const flag = `--allow-read=${dirname(real)}`;
    return skip(tried, root, "followed", flag);
  }
  if (!look(real)?.isDirectory) return { root, fault: "it is no folder" };
  const executable = join(real, PLATFORM.executable);
  const owned = [
    look(folder),
    lookAtLink(root),
    look(dirname(real)),
    look(real),
    look(dirname(executable)),
    lookAtLink(executable),
    look(join(real, "pyvenv.cfg")),
  ];
  return {
    root,
    fault: owned.some(isForeign)
      ? "it, its folder or its Python belongs to another user"
      : undefined,
  };
}

function skip(
  tried: Attempt[],
  subject: string,
  action: string,
  flag: string,
): undefined {
  tried.push({ subject, reason: `it may not be ${action} (${flag})` });
}

/** Return whether something belongs to another user. Who the user is can be unknown, for lack of the permission: then it may. */
function isForeign(info: Deno.FileInfo | undefined): boolean {
  if (!HAS_OWNERS || info === undefined) return false;
  return granted({ name: "sys", kind: "uid" }) && info.uid !== Deno.uid();
}

function isWithin(path: string, folder: string | undefined): boolean {
  if (folder === undefined) return false;
  for (let above = path; above !== dirname(above); above = dirname(above)) {
    if (above === folder) return true;
  }
  return false;
}
