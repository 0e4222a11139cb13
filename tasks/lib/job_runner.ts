/** Jobs that run a few at a time, and the table of their results. */

/** One thing to do, and the words for it in the table. */
export interface Job {
  /** Which Python it is about. */
  readonly subject: string;
  /** What is done with it. */
  readonly activity: string;
  /** Do it. Resolves to what the table shows about it; throws where it did not pass. */
  run(): Promise<string>;
}

interface Result {
  readonly job: Job;
  readonly passed: boolean;
  readonly summary: string;
  readonly seconds: number;
}

/** Runs jobs, at most `limit` at a time, and keeps their results. */
export class Schedule {
  #free: number;
  #waiting: (() => void)[] = [];
  #results: Result[] = [];

  /** Make a schedule that runs at most `limit` jobs at a time. */
  constructor(limit: number) {
    this.#free = limit;
  }

  /** Run a job as soon as there is a place. Whether it passed; what it said is printed where it did not. */
  async run(job: Job): Promise<boolean> {
    await this.#enter();
    console.log(`started  ${job.subject}: ${job.activity}`);
    const begin = performance.now();
    let passed = true;
    let summary: string;
    try {
      summary = await job.run();
    } catch (error) {
      passed = false;
      summary = errorSummary(error);
    }
    const seconds = (performance.now() - begin) / 1000;
    this.#results.push({ job, passed, summary, seconds });
    const verdict = passed ? "passed " : "FAILED ";
    console.log(`${verdict}  ${job.subject}: ${job.activity}: ${summary}`);
    this.#leave();
    return passed;
  }

  /** Print the table. Whether everything passed. */
  report(): boolean {
    const rows = this.#results.map(({ job, passed, summary, seconds }) => [
      job.subject,
      job.activity,
      passed ? "passed" : "FAILED",
      `${seconds.toFixed(1)} s`,
      summary.split("\n")[0],
    ]);
    rows.sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
    printTable([["Python", "what ran", "result", "time", "summary"], ...rows]);
    return this.#results.every(({ passed }) => passed);
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Passes the slot to the next job, or frees it. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }
}

/** What is printed of an error: its message, and a stack only where it is not one of ours. */
function errorSummary(error: unknown): string {
  if (error instanceof JobError) return error.message;
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

function printTable(rows: string[][]): void {
  const widths = rows[0].map((_, column) =>
    Math.max(...rows.map((row) => row[column].length))
  );
  console.log();
  for (const row of rows) {
    console.log(
      row.map((cell, column) => cell.padEnd(widths[column])).join("  ")
        .trimEnd(),
    );
  }
}

/** A job did not pass, or can't be done on this machine. The message's first line says why; the output follows. */
export class JobError extends Error {
  /** Make the error with its message. */
  constructor(message: string) {
    super(message);
    this.name = "JobError";
  }
}

/** How a command is run. */
export interface CommandOptions {
  /** Environment variables besides those of this process. */
  env?: Record<string, string>;
  /** The folder it runs in. */
  cwd?: string | URL;
  /** After how many seconds it is stopped, and has failed. */
  timeout: number;
}

/** Run a command and resolve to its output, standard error included; throw a `JobError` with it on failure. */
export async function runCommand(
  [program, ...args]: string[],
  { env, cwd, timeout }: CommandOptions,
): Promise<string> {
  // Scripts that are arguments are left out.
  const name = [program, ...args].filter((it) => !it.includes("\n")).join(" ");
  const stop = AbortSignal.timeout(timeout * 1000);
  let output;
  try {
    output = await new Deno.Command(program, {
      args,
      cwd,
      env,
      signal: stop,
      stdin: "null",
    }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new JobError(`${program} is not on the PATH`);
  }
  const text = new TextDecoder();
  const said = text.decode(output.stdout) + text.decode(output.stderr);
  if (output.success) return said;
  if (stop.aborted) {
    throw new JobError(`stopped after ${timeout} s\n${name}\n${said}`);
  }
  const end = output.signal ?? `status ${output.code}`;
  throw new JobError(`ended with ${end}\n${name}\n${said}`);
}
