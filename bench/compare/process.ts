/** The processes that are measured. */

import type { Surroundings } from "./layout.ts";
import { linesOf, type Reply, type Request } from "./messages.ts";

const PROGRAM = `${import.meta.dirname}/program.ts`;

const RUN = ["run", "-A", "--no-check", "--no-lock", "--quiet"];

/** Nothing that is asked takes nearly as long, in milliseconds: a process that does hangs. */
const DEADLINE = 120_000;

/** A process that has imported a checkout's library, and measures what it is asked to. */
export class MeasuredProcess implements AsyncDisposable {
  #side: string;
  #child: Deno.ChildProcess;
  #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  #replies: AsyncGenerator<string>;

  /** Start it with the checkout's library. */
  constructor({ side, url, seed, env }: Surroundings) {
    this.#side = side;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        ...RUN,
        `--v8-flags=--expose-gc,--hash-seed=${seed},--random-seed=${seed}`,
        PROGRAM,
        url,
      ],
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#replies = linesOf(this.#child.stdout);
  }

  /**
   * The outcome of a request.
   *
   * @throws {Error} If the process ended or hangs instead of replying.
   */
  async ask(request: Request): Promise<Reply> {
    const deadline = setTimeout(() => this.#child.kill("SIGKILL"), DEADLINE);
    try {
      const line = JSON.stringify(request) + "\n";
      // A process that has ended shows by its output's end.
      this.#writer.write(new TextEncoder().encode(line)).catch(() => {});
      const { value } = await this.#replies.next();
      if (value !== undefined) return JSON.parse(value);
    } finally {
      clearTimeout(deadline);
    }
    const { signal, code } = await this.#child.status;
    const end = signal ?? `status ${code}`;
    throw new Error(`${this.#side} ended with ${end} instead of replying`);
  }

  /** End the process, and wait for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    const deadline = setTimeout(() => this.#child.kill("SIGKILL"), DEADLINE);
    await this.#child.status;
    clearTimeout(deadline);
  }
}

/** How long a process takes that runs one of this folder's programs on a checkout's library, in nanoseconds. */
export async function timeProgram(
  file: string,
  { side, url, env: { DENO_DIR } }: Surroundings,
): Promise<number> {
  const begin = performance.now();
  const { success, code, signal } = await new Deno.Command(Deno.execPath(), {
    args: [...RUN, `${import.meta.dirname}/${file}`, url],
    // The rest would change how the library and Python start.
    env: { DENO_DIR },
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).output();
  if (!success) {
    throw new Error(
      `${side}: ${file} ended with ${signal ?? `status ${code}`}`,
    );
  }
  return (performance.now() - begin) * 1e6;
}
