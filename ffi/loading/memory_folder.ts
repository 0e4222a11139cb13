/** The folder in the user's cache through which a program is asked what holds its memory. */

import { cacheFolder } from "./cache.ts";

/** The files of a program in it. */
export interface ProgramFiles {
  /** Locked as long as the program runs; what the program is called is in it. */
  readonly registration: string;
  /** What the program has answered last. */
  readonly summary: string;
}

/** The folder. Throws a `LibraryError` where there is no cache. */
export function memoryFolder(): string {
  return `${cacheFolder()}/memory`;
}

/** Return the files of the program with that process number. */
export function filesOf(pid: number): ProgramFiles {
  const path = `${memoryFolder()}/${pid}`;
  return { registration: `${path}.program`, summary: `${path}.txt` };
}
