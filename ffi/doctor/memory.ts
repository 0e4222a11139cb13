/** `doctor --memory`: asks a running program what holds its memory. */

import { SUMMARY_TIMEOUT_MILLISECONDS } from "../limits.ts";
import { filesOf, memoryFolder } from "../loading/memory_folder.ts";

/** A program that answers. */
interface RunningProgram {
  readonly pid: number;
  /** Its main module. */
  readonly program: string;
}

/** Print what holds the memory of a program: of the one with that process number, or of the only one. Return the exit status. */
export async function printMemory(pid?: number): Promise<number> {
  const running = runningPrograms();
  const asked = pid === undefined
    ? running
    : running.filter((it) => it.pid === pid);
  if (asked.length === 1) return await print(asked[0]);
  if (asked.length > 1) {
    console.error(
      "More than one program answers. Say which one by its number:",
    );
    for (const { pid, program } of asked) {
      console.error(`  --memory ${pid}   ${program}`);
    }
    return 1;
  }
  return printLast(pid);
}

/** The programs that answer. A registration that nobody has locked is of a program that was killed; it is removed. */
function runningPrograms(): RunningProgram[] {
  const found: RunningProgram[] = [];
  for (const name of filesIn(memoryFolder())) {
    const [, number] = name.match(/^(\d+)\.program$/) ?? [];
    if (number === undefined) continue;
    const pid = Number(number);
    const { registration } = filesOf(pid);
    using file = Deno.openSync(registration, { read: true, write: true });
    if (file.tryLockSync(true)) {
      Deno.removeSync(registration);
      continue;
    }
    found.push({ pid, program: Deno.readTextFileSync(registration) });
  }
  return found;
}

/** The names of the files in a folder; none if it isn't there. */
function filesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Ask a program, and print its answer. */
async function print({ pid, program }: RunningProgram): Promise<number> {
  const { summary } = filesOf(pid);
  remove(summary);
  Deno.kill(pid, "SIGUSR2");
  const end = performance.now() + SUMMARY_TIMEOUT_MILLISECONDS;
  while (performance.now() < end) {
    const text = read(summary);
    if (text !== undefined) {
      console.log(text.trimEnd());
      return 0;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  console.error(
    `${program} (${pid}) doesn't answer. Does it handle SIGUSR2 itself?`,
  );
  return 1;
}

/** Print what a program said when it ended: the one with that process number, or the last one. */
function printLast(pid?: number): number {
  const names = filesIn(memoryFolder()).filter((name) =>
    pid === undefined ? name.endsWith(".txt") : name === `${pid}.txt`
  );
  const last = names.map((name) => {
    const path = `${memoryFolder()}/${name}`;
    return { path, time: Deno.statSync(path).mtime?.getTime() ?? 0 };
  }).toSorted((one, other) => other.time - one.time)[0];
  if (last === undefined) {
    console.error(
      "No program answers. It has to import @oneheap/oneheap/debug, with the permission to write to the cache",
    );
    return 1;
  }
  const minutes = Math.round((Date.now() - last.time) / 60_000);
  console.log(
    `No program that runs answers. When it ended ${minutes} minutes ago, the last one said:`,
  );
  console.log(Deno.readTextFileSync(last.path).trimEnd());
  return 0;
}

function read(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It wasn't there.
  }
}
