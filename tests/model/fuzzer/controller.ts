/**
 * The controller: runs seeds in processes of their own, with no library in its own, so that a crash, a hang and a failed comparison
 * are all told the same way: with the seed, the command that repeats it, and what was done last.
 */

const PROGRAM = new URL("program.ts", import.meta.url);

/** So many seeds run in a process. */
const BATCH = 100;

/** A seed that takes longer hangs. */
const DEADLINE_MILLISECONDS = 60_000;

/** So many lines are shown of a process's own words. */
const SHOWN_LINES = 60;

/** V8's flags of the batches, by turns: its compilers change what stack a call takes, and when. */
const V8_FLAGS = [
  [],
  ["--no-opt", "--no-maglev", "--no-sparkplug"],
  ["--always-sparkplug"],
] as const;

/** What is to be fuzzed. */
export interface Fuzzing {
  /** The first seed. */
  readonly seed: number;
  /** No process begins a seed after so many minutes. */
  readonly minutes?: number;
  /** No process begins after so many operations. */
  readonly operations?: number;
  /** No more seeds than so many. */
  readonly seeds?: number;
  /** So many processes at a time. */
  readonly jobs?: number;
  /** Kinds of what is hostile that are left out. */
  readonly without?: string;
  /** Whether every operation is shown before it is done. */
  readonly isVerbose?: boolean;
}

/** The outcome of it. */
export interface Fuzzed {
  readonly operations: number;
  readonly seeds: number;
  /** What failed, with all there is to know of it. */
  readonly failure?: string;
}

/** The outcome of a process. */
interface Batch {
  operations: number;
  seeds: number;
  /** The seed that began last. */
  last: number;
  /** How it ended, if not as it should. */
  failure: string | undefined;
  stderr: string;
}

/** Runs seeds until time, operations or seeds are used up, or one fails. */
export async function fuzz(fuzzing: Fuzzing): Promise<Fuzzed> {
  const { seed, minutes, operations = Infinity, jobs = 1 } = fuzzing;
  const end = seed + (fuzzing.seeds ?? Infinity);
  const until = minutes === undefined
    ? Infinity
    : Date.now() + minutes * 60_000;
  const done = { operations: 0, seeds: 0 };
  let next = seed;
  let failure: string | undefined;
  const work = async () => {
    while (
      failure === undefined && next < end && done.operations < operations &&
      Date.now() < until
    ) {
      const first = next;
      // Batches begin at multiples, so that a seed alone has its batch's flags.
      next = Math.min(end, (Math.floor(first / BATCH) + 1) * BATCH);
      const batch = await runBatch(first, next - first, until, fuzzing);
      done.operations += batch.operations;
      done.seeds += batch.seeds;
      if (batch.failure !== undefined) {
        failure ??= await report(batch, first, fuzzing);
      }
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return { ...done, failure };
}

function flagsOf(seed: number): readonly string[] {
  return V8_FLAGS[Math.floor(seed / BATCH) % V8_FLAGS.length];
}

/** Runs seeds in a process. */
async function runBatch(
  first: number,
  count: number,
  until: number,
  { without, isVerbose }: Pick<Fuzzing, "without" | "isVerbose">,
): Promise<Batch> {
  const args = [String(first), String(count)];
  if (until !== Infinity) args.push(`--until=${until}`);
  if (without !== undefined) args.push(`--without=${without}`);
  if (isVerbose) args.push("--verbose");
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--allow-all", "--no-check", "--quiet", "--no-prompt"],
      `--v8-flags=${["--expose-gc", ...flagsOf(first)].join(",")}`,
      PROGRAM.href,
      ...args,
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const batch: Batch = {
    operations: 0,
    seeds: 0,
    last: first,
    failure: undefined,
    stderr: "",
  };
  let hasEnded = false, hangs = false;
  const kill = () => {
    hangs = true;
    child.kill("SIGKILL");
  };
  let deadline = setTimeout(kill, DEADLINE_MILLISECONDS);
  const errors = lastLines(child.stderr, isVerbose === true);
  for await (const line of linesOf(child.stdout)) {
    clearTimeout(deadline);
    deadline = setTimeout(kill, DEADLINE_MILLISECONDS);
    const [word, number] = line.split(" ");
    if (word === "seed") batch.last = Number(number);
    if (word === "end") hasEnded = true;
    if (word !== "did") continue;
    batch.operations += Number(number);
    batch.seeds++;
  }
  const { code, signal } = await child.status;
  clearTimeout(deadline);
  batch.stderr = await errors;
  if (hangs) batch.failure = "hangs";
  else if (signal !== null) batch.failure = `is ended by ${signal}`;
  else if (code !== 0) batch.failure = `ends with exit code ${code}`;
  else if (!hasEnded) batch.failure = "ends before its end";
  return batch;
}

/** Tells of a failure, with what was done last: the seed is run once more, alone. */
async function report(
  batch: Batch,
  first: number,
  fuzzing: Fuzzing,
): Promise<string> {
  const { last, failure, stderr } = batch;
  const { without } = fuzzing;
  const rest = without === undefined ? "" : ` --without ${without}`;
  const alone = `deno task fuzz --seed ${last} --seeds 1${rest}`;
  const together = `deno task fuzz --seed ${first} --seeds ${
    last - first + 1
  }${rest}`;
  const lines = [
    `Seed ${last} ${failure} on ${
      Deno.env.get("ONEHEAP_PYTHON") ?? "python3"
    }.`,
    stderr,
  ];
  if (fuzzing.isVerbose) return lines.join("\n");
  const again = await runBatch(last, 1, Infinity, {
    without,
    isVerbose: true,
  });
  if (again.failure === undefined) {
    lines.push(
      `Alone it doesn't fail each time (${alone}); with those before it: ${together}`,
    );
  } else {
    lines.push(`Alone it ${again.failure}: ${alone}`, again.stderr);
  }
  return lines.join("\n");
}

async function* linesOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** The last lines of a stream, which is shown meanwhile if it is to be. */
async function lastLines(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  isShown: boolean,
): Promise<string> {
  const last: string[] = [];
  for await (const line of linesOf(stream)) {
    last.push(line);
    if (last.length > SHOWN_LINES * (isShown ? 1 : 2)) last.shift();
  }
  return last.join("\n");
}
