/** What a Worker of the benchmarks does. */

/// <reference lib="deno.worker" />

import { alloc, attach, raw } from "../../mod.ts";

/** What can be done, `count` times. Each has a loop of its own; see `address_pair_bench.ts`. */
const WORK = {
  "raw": (count: number, bytes: number) => {
    for (let pair = 0; pair < count; pair++) raw.free(raw.malloc(bytes));
  },
  "raw, attached": (count: number, bytes: number) => {
    using _attached = attach();
    for (let pair = 0; pair < count; pair++) raw.free(raw.malloc(bytes));
  },
  "block": (count: number, bytes: number) => {
    for (let index = 0; index < count; index++) {
      const block = alloc(Float64Array, bytes / 8);
      block.view[0] = index;
      block.free();
    }
  },
  "typed array": (count: number, bytes: number) => {
    for (let index = 0; index < count; index++) {
      const array = new Float64Array(bytes / 8);
      array[0] = index;
    }
  },
};

/** The name of what is to be done. */
export type Work = keyof typeof WORK;

/** What is sent to a Worker. It replies when it is done. */
export interface Job {
  readonly work: Work;
  readonly count: number;
  readonly bytes: number;
}

self.onmessage = ({ data }: MessageEvent<Job>) => {
  WORK[data.work](data.count, data.bytes);
  self.postMessage("done");
};
