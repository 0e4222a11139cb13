/** A Worker beside the world: it runs a seed of its own, gets buffers, and ends at any point. */

import type { Order } from "../worker.ts";
import { type Choice, type Operation, remove, type World } from "../world.ts";

/** Starts a Worker, which uses the same Python. */
export function startWorker(world: World): void {
  const { surroundings, random, seed } = world;
  world.note("start a Worker");
  surroundings.isShared = true;
  const worker = new Worker(new URL("../worker.ts", import.meta.url), {
    type: "module",
  });
  // It may end by an error of its own.
  worker.onerror = (event) => event.preventDefault();
  worker.onmessage = ({ data }) => {
    if (data === "done") return;
    world.fail(new Error(`in the Worker: ${data.failure}`));
  };
  world.worker = worker;
  const order: Order = {
    seed: seed + 1_000_000_007,
    without: [...surroundings.without],
  };
  worker.postMessage(order);
  const latest = 20 + random.below(300);
  world.endWorkerAt = Date.now() + latest;
}

/** Ends the Worker, wherever it is. The thread isn't attached, for the Worker may wait for Python. */
export async function endWorker(world: World, isNow = true): Promise<void> {
  const { worker } = world;
  if (worker === undefined) return;
  const left = world.endWorkerAt - Date.now();
  if (left > 0 && !isNow) return;
  if (left > 0) await new Promise((go) => setTimeout(go, left));
  world.note("terminate the Worker");
  worker.terminate();
  world.worker = undefined;
}

const post: Operation = (world) => {
  if (world.worker === undefined) return;
  const handle = world.pick(world.buffers);
  if (handle === undefined) return;
  return {
    what: "post a buffer to the Worker",
    call: () => undefined,
    settle() {
      const { buffer, holds } = handle;
      // The memory may be a block's, or a Python object's, which somebody sees whose contents are compared.
      if (handle.memory.exporters > 0 || holds !== handle.memory) return;
      const order: Order = { buffer };
      world.worker!.postMessage(order, [buffer]);
      remove(world.buffers, handle);
      holds.release();
    },
  };
};

/** What there is to do with a Worker. */
export const WORKERS: readonly Choice[] = [{ weight: 4, plan: post }];
