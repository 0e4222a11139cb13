/** What `bench_compare.ts` and the processes that it measures say to each other: a line of JSON each. */

/** A request to a process, which replies to each with one {@linkcode Reply}. */
export type Request =
  /** To prepare a benchmark and warm up for so many milliseconds; the reply is a first measurement. */
  | { readonly ask: "prepare"; readonly name: string; readonly warmUp: number }
  /** To run so many batches of the prepared benchmark, each of so many iterations. */
  | {
    readonly ask: "measure";
    readonly batches: number;
    readonly times: number;
  }
  /** To dispose what the benchmark needed. */
  | { readonly ask: "finish" };

/** Nanoseconds for an iteration of the fastest batch, or why there are none. */
export type Reply = { readonly nanoseconds: number } | {
  readonly error: string;
};

/** The lines of a stream of bytes. */
export async function* linesOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
