/** Failing chosen requests for memory of Python and of the Rust library, by a `malloc` that is put before the system's. */

/** Builds the library into a folder, and returns its path. */
export async function buildFailingMalloc(folder: string): Promise<string> {
  const path = `${folder}/failing_malloc.so`;
  const source = new URL("failing_malloc.c", import.meta.url).pathname;
  const { success, stderr } = await new Deno.Command("cc", {
    args: ["-shared", "-fPIC", "-O2", "-o", path, source],
    stdin: "null",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return path;
}

/** Requests up to this size don't fail. */
export const MAX_GRANTED_BYTES = 1024;

/** Which requests fail: the first of them and the last one, counted from 1. */
export interface Failing {
  first: number;
  last: number;
}

/** What became of an operation some of whose requests failed. */
export interface Attempt<R> {
  /** How many requests there were. */
  requests: number;
  /** The size of the first one that failed; 0 if none did. */
  failedBytes: number;
  /** What it returned, if it didn't throw. */
  result: R | undefined;
  /** What it threw. */
  error: unknown;
}

/** The library, in a process that was started with it in `LD_PRELOAD`. */
export class FailingMalloc {
  #library = Deno.dlopen(Deno.env.get("LD_PRELOAD")!, {
    failing_find: { parameters: [/* with the program */ "i32"], result: "i64" },
    failing_arm: {
      parameters: [/* bytes */ "usize", /* first */ "i64", /* last */ "i64"],
      result: "void",
    },
    failing_disarm: { parameters: [], result: "i64" },
    failing_bytes: { parameters: [], result: "usize" },
  });

  /** The libraries whose requests fail have to be open. */
  constructor() {
    if (this.#library.symbols.failing_find(0) < 2n) {
      throw new Error("the libraries whose requests are to fail aren't open");
    }
  }

  /** Does something while requests fail. */
  async attempt<R>(
    { first, last }: Failing,
    operation: () => R | Promise<R>,
  ): Promise<Attempt<R>> {
    const { failing_arm, failing_disarm, failing_bytes } =
      this.#library.symbols;
    let result: R | undefined;
    let error: unknown;
    let requests: bigint;
    failing_arm(BigInt(MAX_GRANTED_BYTES), BigInt(first), BigInt(last));
    try {
      const returned = operation();
      result = returned instanceof Promise ? await returned : returned;
    } catch (thrown) {
      error = thrown;
    } finally {
      requests = failing_disarm();
    }
    return {
      requests: Number(requests),
      failedBytes: Number(failing_bytes()),
      result,
      error,
    };
  }
}
