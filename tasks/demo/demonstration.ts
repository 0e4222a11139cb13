/** The demonstration: a real file in Python's heap, and what Python itself sees of it and does with it. */

import { python, PythonScope } from "../../mod.ts";
import { PythonCounting, tool } from "./counting.ts";
import { addressText, column, count, milliseconds } from "./format.ts";
import {
  countByValue,
  type Progress,
  readIntoArray,
  readIntoBlock,
} from "./streaming.ts";

/** A file up to this size is read several times, and the median printed; a larger one once each way. */
const REPEATED_BYTES = 64 * 1024 * 1024;
const REPETITIONS = 5;

/** From this size on, a terminal gets a progress bar. */
const LONG_BYTES = 64 * 1024 * 1024;

const LARGEST_SOURCE = `
import os, sysconfig
paths = (os.path.join(folder, name) for folder, _, names in os.walk(sysconfig.get_path("stdlib"))
    if "site-packages" not in folder for name in names if name.endswith(".py"))
largest = max(paths, key=os.path.getsize)
`;

/** Show what becomes of a file (by default the largest of Python's standard library); return the exit status. */
export async function demonstrate(
  argument: string | undefined,
): Promise<number> {
  const path = argument ?? largestSource();
  const size = sizeOf(path);
  if (size === undefined) return 1;
  console.log(`Python ${python.version}, ${python.library}`);
  console.log(`${path}, ${count(size)} bytes\n`);
  await showMemory(path, size);
  const isSame = await showSharing(path, size);
  await showTimes(path, size);
  return isSame ? 0 : 1;
}

function largestSource(): string {
  using scope = new PythonScope();
  python.run(LARGEST_SOURCE, { scope });
  return scope.get("largest") as string;
}

/** The file's size; where it can't be read, says why. */
function sizeOf(path: string): number | undefined {
  try {
    const { isDirectory, size } = Deno.statSync(path);
    if (!isDirectory) return size;
    console.error(`${path} is a folder; give a file.`);
  } catch (error) {
    console.error(`${path} can't be read: ${(error as Error).message}`);
  }
}

/** Read the file into a block while Python traces its memory, and show what Python saw. */
async function showMemory(path: string, size: number): Promise<void> {
  python.run("import tracemalloc; tracemalloc.start()");
  const before = tracedBytes();
  const block = await readIntoBlock(path, progressBar(size));
  const during = tracedBytes();
  const { length } = block;
  const inPython = new PythonCounting(block);
  block.free();
  const held = tracedBytes();
  inPython[Symbol.dispose]();
  const after = tracedBytes();
  python.run("import tracemalloc; tracemalloc.stop()");
  const more = column(during - before);
  console.log("Python's traced memory, as tracemalloc reports it");
  console.log(`  before                ${column(before)}`);
  console.log(
    `  with the block        ${column(during)}  (${more} more; the block: ${
      count(length)
    } bytes)`,
  );
  console.log(`  freed; Python has it  ${column(held)}`);
  console.log(`  Python released it, too${column(after)}\n`);
}

function tracedBytes(): number {
  return python.eval(
    "__import__('tracemalloc').get_traced_memory()[0]",
  ) as number;
}

/** Have Python count the bytes of a block that TypeScript has filled, where they are. Whether both found the same there. */
async function showSharing(path: string, size: number): Promise<boolean> {
  using block = await readIntoBlock(path, progressBar(size));
  using inPython = new PythonCounting(block);
  using counted = inPython.count(progressBar(size));
  const counts = countByValue(block.view);
  const isSame = inPython.address === block.address &&
    counts.every((count, value) => count === counted.view[value]);
  const width = Math.max(tool.length, "TypeScript".length);
  const line = (who: string, what: string) =>
    console.log(`  ${who.padEnd(width)}  ${what}`);
  console.log("Where the block is");
  line("TypeScript", addressText(block.address));
  line(tool, addressText(inPython.address));
  console.log("Its most frequent bytes, counted there");
  line("TypeScript", mostFrequent(counts));
  line(tool, mostFrequent(counted.view));
  console.log();
  return isSame;
}

/** Times the job in Python's heap and in JavaScript's memory, alternating. */
async function showTimes(path: string, size: number): Promise<void> {
  const repetitions = size <= REPEATED_BYTES ? REPETITIONS : 1;
  const inBlock: number[] = [];
  const inArray: number[] = [];
  for (let repetition = 0; repetition < repetitions; repetition++) {
    inBlock.push(
      await time(async () => {
        using block = await readIntoBlock(path, progressBar(size));
        countByValue(block.view);
      }),
    );
    inArray.push(
      await time(async () =>
        void countByValue(await readIntoArray(path, progressBar(size)))
      ),
    );
  }
  const how = repetitions === 1
    ? "one run each"
    : `medians of ${repetitions} alternating runs`;
  console.log(`Reading and counting it took (${how})`);
  console.log(`  in Python's heap         ${milliseconds(inBlock)}`);
  console.log(`  in JavaScript's memory   ${milliseconds(inArray)}`);
}

async function time(job: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await job();
  return performance.now() - start;
}

/** A bar that is drawn over itself, where there is a terminal to draw it on and the file is long. */
function progressBar(size: number): Progress {
  if (size < LONG_BYTES || !Deno.stdout.isTerminal()) return () => {};
  const encoder = new TextEncoder();
  let drawn = -1;
  return (read) => {
    const percent = Math.min(100, Math.floor((read / size) * 100));
    if (percent === drawn) return;
    drawn = percent;
    const bar = "#".repeat(percent / 2).padEnd(50, ".");
    const end = read >= size ? "\r\x1b[K" : "";
    Deno.stdout.writeSync(encoder.encode(`\r[${bar}] ${percent}%${end}`));
  };
}

function mostFrequent(counts: Float64Array<ArrayBuffer>): string {
  const values = [...counts.keys()].filter((value) => counts[value] > 0);
  values.sort((one, other) => counts[other] - counts[one]);
  const shown = values.slice(0, 5).map((value) =>
    `${nameOf(value)} ${count(counts[value])}`
  );
  return shown.join(", ") || "there are none";
}

function nameOf(value: number): string {
  const isPrintable = value > 0x20 && value < 0x7f;
  return isPrintable
    ? `'${String.fromCharCode(value)}'`
    : `0x${value.toString(16).padStart(2, "0")}`;
}
