/** Who may hold memory besides blocks and views: reads and writes that pend, and Workers. */

import { assertEquals } from "@std/assert";
import type { TypedArray } from "../../mod.ts";
import { collectGarbage } from "./collection.ts";
import type { Request } from "./holders_worker.ts";

/** Waits a little, and fails if the promise is settled then. */
export async function assertPends(promise: Promise<unknown>): Promise<void> {
  const pends = Symbol();
  const wait = new Promise((resolve) => setTimeout(resolve, 20, pends));
  assertEquals(await Promise.race([promise, wait]), pends);
}

/** A Worker that holds memory, with its answers one by one. */
export class HoldingWorker implements Disposable {
  #worker = new Worker(new URL("holders_worker.ts", import.meta.url), {
    type: "module",
  });

  static async start(): Promise<HoldingWorker> {
    const started = new HoldingWorker();
    await started.#answer();
    return started;
  }

  // deno-lint-ignore no-explicit-any
  #answer(): Promise<any> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }) => resolve(data);
      this.#worker.onerror = reject;
    });
  }

  // deno-lint-ignore no-explicit-any
  ask(request: Request): Promise<any> {
    const answer = this.#answer();
    const transfer = "view" in request ? [request.view.buffer] : [];
    this.#worker.postMessage(request, transfer);
    return answer;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}

/** Where a typed array lies in memory. */
export function addressOf(array: TypedArray): number {
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(array)));
}

/** Collects garbage for a while; what is held must stay. */
export async function collectForAWhile(): Promise<void> {
  for (let round = 0; round < 5; round++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
