/** What a Worker of the comparison does: it imports the library that its name is the URL of, and then runs what it is sent. */

/// <reference lib="deno.worker" />

import type { Library } from "./benchmark.ts";

const { alloc, raw }: Library = await import(self.name);

/** What can be done, so many times. */
const WORK = {
  raw: (times: number) => {
    for (let index = 0; index < times; index++) raw.free(raw.malloc(64));
  },
  block: (times: number) => {
    for (let index = 0; index < times; index++) {
      const block = alloc(Float64Array, 8);
      block.view[0] = index;
      block.free();
    }
  },
};

/** What is sent to a Worker. It replies when it is done, and first when it has imported the library. */
export interface Job {
  readonly work: keyof typeof WORK;
  readonly times: number;
}

self.onmessage = ({ data }: MessageEvent<Job>) => {
  WORK[data.work](data.times);
  self.postMessage("done");
};
self.postMessage("imported");
