/** A Worker that runs a seed of its own beside the main thread's, and ends somewhere in it. */

import { Random } from "../sharing_model/random.ts";
import { runSeed } from "./seed.ts";
import { Surroundings } from "./surroundings.ts";

declare const self: {
  onmessage: (event: MessageEvent<Order>) => void;
  postMessage(message: unknown): void;
  close(): void;
};

/** What the Worker is to do: run a seed, or hold a buffer. */
export type Order =
  | { readonly seed: number; readonly without: readonly string[] }
  | { readonly buffer: ArrayBuffer };

const held: ArrayBuffer[] = [];

self.onmessage = ({ data }) => {
  if (!("buffer" in data)) return void run(data.seed, data.without);
  const { buffer } = data;
  new Uint8Array(buffer).fill(1);
  held.push(buffer);
  if (held.length > 3) held.shift()!.transfer(0);
};

async function run(seed: number, without: readonly string[]): Promise<void> {
  try {
    const random = new Random(seed);
    const surroundings = new Surroundings(false, new Set(without), true);
    let left = random.once(2) ? random.below(300) : Infinity;
    const way = random.below(3);
    await runSeed(seed, surroundings, 300, () => {
      if (left-- > 0) return;
      left = Infinity;
      if (way === 0) return self.close();
      if (way === 1) {
        setTimeout(() => {
          throw new Error("a Worker's own error");
        }, 0);
      }
    });
    self.postMessage("done");
  } catch (error) {
    const { message, stack, cause } = error as Error;
    self.postMessage({ failure: `${message}\n${stack}\ncaused by ${cause}` });
  }
}
