/** Runs on threads of their own, and Workers. */

import { type Benchmark, keep, repeat } from "./benchmark.ts";
import type { Job } from "./worker.ts";

/** The benchmarks of several threads. */
export const THREADS: readonly Benchmark[] = [
  {
    name: 'evalAsync("1+1")',
    batch: 2,
    prepare: ({ python }) => async (times) => {
      for (let index = 0; index < times; index++) await python.evalAsync("1+1");
    },
  },
  {
    name: "evalAsync, 100 at once",
    prepare: ({ python }) => async (times) => {
      for (let index = 0; index < times; index++) {
        const runs = Array.from(
          { length: 100 },
          () => python.evalAsync("1+1"),
        );
        await Promise.all(runs);
      }
    },
  },
  {
    name: "runAsync with a signal and a block",
    batch: 2,
    prepare({ alloc, python }, resources) {
      const { signal } = new AbortController();
      const block = resources.use(alloc(Float64Array, 8));
      const options = { signal, names: { block } };
      return async (times) => {
        for (let index = 0; index < times; index++) {
          await python.runAsync("x = 1", options);
        }
      };
    },
  },
  {
    name: "eval beside a thread of Python's that waits",
    prepare({ python, PythonScope }, resources) {
      const scope = resources.use(new PythonScope());
      python.run(
        `
        import threading
        end = threading.Event()
        thread = threading.Thread(target=end.wait)
        thread.start()
        `,
        { scope },
      );
      resources.defer(() => python.run("end.set(); thread.join()", { scope }));
      return repeat(() => keep(python.eval("1+1")));
    },
  },
  {
    name: "import in a Worker",
    async prepare() {
      (await startWorker()).terminate();
      return async (times) => {
        for (let index = 0; index < times; index++) {
          (await startWorker()).terminate();
        }
      };
    },
  },
  inWorkers(1, "raw"),
  inWorkers(1, "block"),
  inWorkers(2, "block"),
];

/** What is done so many times in each of several Workers at once. */
function inWorkers(count: number, work: Job["work"]): Benchmark {
  return {
    name: `${work} in ${count === 1 ? "a Worker" : `${count} Workers`}, 64 B`,
    batch: 6,
    async prepare(_library, resources) {
      const workers = await Promise.all(
        Array.from({ length: count }, startWorker),
      );
      resources.defer(() => {
        for (const worker of workers) worker.terminate();
      });
      return async (times) => {
        await Promise.all(workers.map((it) => finish(it, { work, times })));
      };
    },
  };
}

/** Start a Worker and wait until it has imported the library of the checkout that is measured. */
async function startWorker(): Promise<Worker> {
  const worker = new Worker(
    // The program's own argument says which library is measured; a Worker has its name for that.
    new URL("worker.ts", import.meta.url),
    { type: "module", name: Deno.args[0] },
  );
  await reply(worker);
  return worker;
}

async function finish(worker: Worker, job: Job): Promise<void> {
  const done = reply(worker);
  worker.postMessage(job);
  await done;
}

function reply(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.onmessage = () => resolve();
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
  });
}
