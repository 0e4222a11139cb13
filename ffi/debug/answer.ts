/** Answering `doctor --memory`: on SIGUSR2, and when the program ends. */

import process from "node:process";
import { MAX_KEPT_SUMMARIES } from "../limits.ts";
import { symbols } from "../loading/native.ts";
import {
  filesOf,
  memoryFolder,
  type ProgramFiles,
} from "../loading/memory_folder.ts";
import { granted } from "../loading/permissions.ts";

/** Keeps the registration locked as long as the program runs. */
let registration: Deno.FsFile | undefined;

/**
 * Have this program answer from now on. It does where there is a cache and permission to write to it, once for a program, and not on
 * Windows, which has no such signal.
 */
export function answerMemoryQuestions(): void {
  if (registration !== undefined || Deno.mainModule === undefined) return;
  if (Deno.build.os === "windows") return;
  let files: ProgramFiles;
  try {
    const folder = memoryFolder();
    if (!granted({ name: "write", path: folder })) return;
    files = filesOf(process.pid);
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    // First: a process that doesn't handle the signal is ended by it.
    if (!ask(files, 1)) return;
    registration = register(files.registration);
  } catch {
    // Without a cache that can be written to, nobody can ask.
    return;
  }
  addEventListener("unload", () => {
    ask(files, 0);
    removeOldSummaries();
    try {
      Deno.removeSync(files.registration);
    } catch {
      // Somebody has cleaned up.
    }
  });
}

/** Remove what programs said when they ended, but for the last ones. */
function removeOldSummaries(): void {
  try {
    const folder = memoryFolder();
    if (!granted({ name: "read", path: folder })) return;
    [...Deno.readDirSync(folder)]
      .filter(({ name }) => name.endsWith(".txt"))
      .map(({ name }) => `${folder}/${name}`)
      .map((path) => ({
        path,
        time: Deno.statSync(path).mtime?.getTime() ?? 0,
      }))
      .toSorted((one, other) => other.time - one.time)
      .slice(MAX_KEPT_SUMMARIES)
      .forEach(({ path }) => Deno.removeSync(path));
  } catch {
    // Another program does the same, or the folder may not be read.
  }
}

/** Make the file that says that this program runs. */
function register(file: string): Deno.FsFile {
  const made = Deno.openSync(file, {
    write: true,
    create: true,
    truncate: true,
    mode: 0o600,
  });
  made.lockSync(true);
  made.writeSync(new TextEncoder().encode(Deno.mainModule));
  return made;
}

/** Have native code write the summary: now (0), or each time that it is asked for (1). Return whether it can. */
function ask({ summary }: ProgramFiles, onSignal: 0 | 1): boolean {
  const program = Deno.mainModule.split("/").at(-1)!;
  const texts = new TextEncoder().encode(`${summary}\0${program}\0`);
  return symbols.oneheap_memory_summary(texts, texts.length, onSignal) === 1;
}
