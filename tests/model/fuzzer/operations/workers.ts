/** A Worker beside the world: it runs a seed of its own, is posted buffers, and ends at any point. */

import { expect } from "../outcome.ts";
import type { Order } from "../worker.ts";
import { type Choice, type Operation, remove, type World } from "../world.ts";

/** A Worker that hasn't received what was posted to it after so long hangs. */
const DEADLINE_MILLISECONDS = 20_000;

/** The Worker beside a world. */
export interface Companion {
  readonly worker: Worker;
  /** Whether it ends by itself. */
  readonly endsItself: boolean;
  /** When it is terminated, by `Date.now()`. */
  readonly endsAt: number;
  /** Buffers that it was posted and hasn't received. */
  pending: number;
}

/** Starts a Worker, which uses the same Python. */
export function startWorker(world: World): void {
  const { fixture, random, seed } = world;
  world.note("start a Worker");
  fixture.isShared = true;
  const worker = new Worker(new URL("../worker.ts", import.meta.url), {
    type: "module",
  });
  // It may end by an error of its own.
  worker.onerror = (event) => event.preventDefault();
  const ending = random.pick<"close" | "error" | undefined>([
    "close",
    "error",
    undefined,
    undefined,
  ]);
  const companion: Companion = {
    worker,
    endsItself: ending !== undefined,
    endsAt: Date.now() + 20 + random.below(300),
    pending: 0,
  };
  worker.onmessage = ({ data }) => {
    if (data === "received") companion.pending--;
    else if (data !== "done") {
      world.fail(new Error(`in the Worker: ${data.failure}`));
    }
  };
  world.companion = companion;
  const order: Order = {
    seed: seed + 1_000_000_007,
    without: [...fixture.without],
    ending,
  };
  worker.postMessage(order);
}

/** Terminates the Worker when its time has come, or waits for that. The thread isn't attached, for the Worker may wait for Python. */
export async function endWorker(world: World, isLast: boolean): Promise<void> {
  const { companion } = world;
  if (companion === undefined) return;
  const { worker, endsAt } = companion;
  if (!isLast && (Date.now() < endsAt || companion.pending > 0)) return;
  await sleep(endsAt - Date.now());
  // Deno never frees a buffer that was posted to a Worker which ended before it received that.
  const deadline = Date.now() + DEADLINE_MILLISECONDS;
  while (companion.pending > 0 && Date.now() < deadline) await sleep(5);
  world.rethrow();
  expect(companion.pending === 0, "a Worker that receives what is posted");
  world.note("terminate the Worker");
  worker.terminate();
  world.companion = undefined;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((go) => setTimeout(go, Math.max(0, milliseconds)));
}

const post: Operation = (world) => {
  const { companion } = world;
  if (companion === undefined || companion.endsItself) return;
  const handle = world.pick(world.buffers);
  if (handle === undefined) return;
  const { buffer, holds, memory } = handle;
  // What Python's objects show is compared with the model, which doesn't know what the Worker writes.
  if (memory.exporters > 0 || holds !== memory) return;
  return {
    what: "post a buffer to the Worker",
    call: () => undefined,
    settle() {
      const order: Order = { buffer };
      companion.worker.postMessage(order, [buffer]);
      companion.pending++;
      remove(world.buffers, handle);
      holds.release();
    },
  };
};

/** What there is to do with a Worker. */
export const WORKERS: readonly Choice[] = [{ weight: 4, plan: post }];
