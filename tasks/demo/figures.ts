/** The figures that matter: what oneheap takes for a job, and what the same job takes otherwise. */

import {
  alloc,
  type Block,
  type PyObjectRef,
  python,
  PythonScope,
} from "../../mod.ts";
import { listOf, numbersOf } from "../../bench/python/element_by_element.ts";
import { duration } from "./format.ts";
import { PythonProcess } from "./python_process.ts";

const COUNT = 1_000_000;

/** All ways are gone so often, one after the other. */
const ROUNDS = 5;

type Doubles = Float64Array<ArrayBuffer>;

/** The columns of the table: the ways to do a job. */
const COLUMNS = [
  "oneheap",
  "copied as bytes",
  "number by number",
  "process, JSON",
] as const;

/** A way to do a job. */
interface Way {
  readonly name: typeof COLUMNS[number];
  /** How often it is gone in a round; the time of one is what counts. V8 compiles what is used often. */
  readonly repetitions: number;
  /** Do the job, and return what Python has answered. */
  go(): unknown;
}

/** A job, and the ways to do it. Each has to return what is expected. */
interface Job {
  readonly name: string;
  readonly expected: number;
  readonly ways: Way[];
}

/** Print the table, measured now. Without an executable of Python's there is no process to compare with. */
export async function showFigures(executable: string): Promise<void> {
  using scope = new PythonScope();
  python.run("import math\nfrom array import array", { scope });
  using block = alloc(Float64Array, COUNT);
  block.view.fill(0.5)[COUNT - 1] = 42;
  await using process = executable === ""
    ? undefined
    : new PythonProcess(executable);
  const jobs = [
    giveNumbers(block, scope, process),
    takeNumbers(block, scope, process),
    callFunction(scope, process),
  ];
  console.log("What it takes, and what the same job takes otherwise");
  const header = COLUMNS.map((column) => column.padStart(18)).join("");
  console.log(`%c${"".padEnd(28)}${header}`, "font-weight: bold");
  for (const job of jobs) {
    const times = await measure(job);
    const cells = COLUMNS.map((column) =>
      (times.get(column) ?? "").padStart(18)
    );
    console.log(`${job.name.padEnd(28)}${cells.join("")}`);
  }
  console.log(`
Medians of ${ROUNDS} rounds in which the ways alternate. "process, JSON" is a python3
of its own that is asked over its pipes.`);
}

/** Python gets a million doubles, and reads the last. */
function giveNumbers(
  block: Block<Doubles>,
  scope: PythonScope,
  process: PythonProcess | undefined,
): Job {
  const last = python.eval("lambda numbers: numbers[-1]", {
    scope,
  }) as PyObjectRef;
  const lastInPlace = python.eval("lambda block: memoryview(block)[-1]", {
    scope,
  }) as PyObjectRef;
  const lastOfBytes = python.eval("lambda data: array('d', data)[-1]", {
    scope,
  }) as PyObjectRef;
  const numbers = block.view;
  const ways: Way[] = [
    {
      name: "oneheap",
      repetitions: 1_000,
      go: () => lastInPlace.call(block),
    },
    {
      name: "copied as bytes",
      repetitions: 5,
      go: () => lastOfBytes.call(new Uint8Array(numbers.buffer)),
    },
    {
      name: "number by number",
      repetitions: 1,
      go: () => {
        using list = listOf(numbers);
        return last.call(list);
      },
    },
  ];
  if (process !== undefined) {
    ways.push({
      name: "process, JSON",
      repetitions: 1,
      go: () => process.call("last", Array.from(numbers)),
    });
  }
  return { name: "1,000,000 doubles to Python", expected: 42, ways };
}

/** TypeScript gets a million doubles of Python's, and reads the last. */
function takeNumbers(
  block: Block<Doubles>,
  scope: PythonScope,
  process: PythonProcess | undefined,
): Job {
  const numbers = python.eval("array('d', memoryview(block))", {
    scope,
    names: { block },
  }) as PyObjectRef;
  const tobytes = numbers.get("tobytes") as PyObjectRef;
  const tolist = numbers.get("tolist") as PyObjectRef;
  const ways: Way[] = [
    {
      name: "oneheap",
      repetitions: 1_000,
      go: () => {
        using borrowed = python.borrow(numbers, Float64Array);
        return borrowed.view[COUNT - 1];
      },
    },
    {
      name: "copied as bytes",
      repetitions: 5,
      go: () => {
        const { buffer } = tobytes.call() as Uint8Array<ArrayBuffer>;
        return new Float64Array(buffer)[COUNT - 1];
      },
    },
    {
      name: "number by number",
      repetitions: 1,
      go: () => {
        using list = tolist.call() as PyObjectRef;
        return numbersOf(list)[COUNT - 1];
      },
    },
  ];
  if (process !== undefined) {
    ways.push({
      name: "process, JSON",
      repetitions: 1,
      go: async () =>
        (await process.call("numbers", COUNT) as number[])[COUNT - 1],
    });
  }
  return { name: "the same from Python", expected: 42, ways };
}

/** A Python function is called with a number, and returns one. */
function callFunction(
  scope: PythonScope,
  process: PythonProcess | undefined,
): Job {
  const sqrt = python.eval("math.sqrt", { scope }) as PyObjectRef;
  const ways: Way[] = [{
    name: "oneheap",
    repetitions: 10_000,
    go: () => sqrt.call(2),
  }];
  if (process !== undefined) {
    ways.push({
      name: "process, JSON",
      repetitions: 100,
      go: () => process.call("sqrt", 2),
    });
  }
  return { name: "a call of math.sqrt(2)", expected: Math.SQRT2, ways };
}

/** Return the median time of each way, as text. */
async function measure(job: Job): Promise<Map<Way["name"], string>> {
  const times = job.ways.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, way] of job.ways.entries()) {
      times[index].push(await timeOf(way, job.expected));
    }
  }
  return new Map(
    job.ways.map(({ name }, index) => [name, duration(median(times[index]))]),
  );
}

/** The time of one repetition, in milliseconds. */
async function timeOf(way: Way, expected: number): Promise<number> {
  const start = performance.now();
  for (let repetition = 0; repetition < way.repetitions; repetition++) {
    const answer = way.go();
    const value = answer instanceof Promise ? await answer : answer;
    if (value !== expected) {
      throw new Error(`${way.name} gave ${value}, not ${expected}`);
    }
  }
  return (performance.now() - start) / way.repetitions;
}

function median(times: number[]): number {
  return times.toSorted((one, other) => one - other)[times.length >> 1];
}
