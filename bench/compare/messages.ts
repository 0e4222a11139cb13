/** What `bench_compare.ts` and the processes that it measures say to each other: a line of JSON each. */

/** What a process is asked. It answers each with one {@linkcode Answer}. */
export type Question =
  /** To prepare a benchmark and warm up for so many milliseconds; the answer is a first measurement. */
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
export type Answer = { readonly nanoseconds: number } | {
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
