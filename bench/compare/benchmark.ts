/** What a benchmark of `deno task bench:compare` is: it uses the library of the checkout that it is run on. */

/** The public API of a checkout. An old one may lack some of it: a benchmark that needs that throws there. */
export type Library = typeof import("../../mod.ts");

/** Does what is measured so many times. It has a loop of its own where a call costs nanoseconds. */
export type Run = (times: number) => void | Promise<void>;

/** One benchmark. */
export interface Benchmark {
  /** What is measured, unique among all. */
  readonly name: string;
  /** How long a batch of iterations takes, in milliseconds; {@linkcode BATCH} by default. */
  readonly batch?: number;
  /** Make what the runs need; `resources` is disposed after the last of them. */
  prepare(library: Library, resources: DisposableStack): Run | Promise<Run>;
}

/**
 * How long a batch takes, in milliseconds: short, so that many are not interrupted by the machine's other work, and long
 * against the clock's microsecond.
 */
export const BATCH = 0.4;

/** Keep a result, so that the compiler can't leave out what made it. */
export function keep(value: unknown): void {
  _kept = value;
}

let _kept: unknown;

/** Call `operation` so many times. For what takes 100 ns or more: the call can't be inlined here. */
export function repeat(operation: () => void): Run {
  return (times) => {
    for (let index = 0; index < times; index++) operation();
  };
}

/** The same benchmark on a thread that stays attached for each batch. */
export function attached({ name, batch, prepare }: Benchmark): Benchmark {
  return {
    name: `${name}, attached`,
    batch,
    async prepare(library, resources) {
      const run = await prepare(library, resources);
      return (times) => {
        using _attached = library.attach();
        run(times);
      };
    },
  };
}
