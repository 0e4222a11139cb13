/** Workers that allocate on request. */

import type { Job, Work } from "./worker.ts";

/** Some Workers, ready for work. They end when the process's benchmarks do. */
export interface Workers {
  /** Have each Worker do the same; resolve when all are done. */
  run(work: Work, count: number, bytes: number): Promise<void>;
}

/** Start Workers, and wait until each has imported the library. */
export async function startWorkers(count: number): Promise<Workers> {
  const workers = Array.from(
    { length: count },
    () => new Worker(new URL("worker.ts", import.meta.url), { type: "module" }),
  );
  addEventListener("unload", () => {
    for (const worker of workers) worker.terminate();
  });
  const runAll = async (job: Job) => {
    await Promise.all(workers.map((worker) => runOne(worker, job)));
  };
  await runAll({ work: "raw", count: 1, bytes: 64 });
  return { run: (work, count, bytes) => runAll({ work, count, bytes }) };
}

function runOne(worker: Worker, job: Job): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.onmessage = () => resolve();
    worker.onerror = (event) => reject(event.error);
    worker.postMessage(job);
  });
}
