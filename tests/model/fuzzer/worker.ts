/** A Worker that runs a seed of its own beside the main thread's, and ends somewhere in it. */

import { Random } from "../sharing/random.ts";
import { runSeed } from "./seed.ts";
import { Fixture } from "./fixture.ts";

declare const self: {
  onmessage: (event: MessageEvent<Order>) => void;
  postMessage(message: unknown): void;
  close(): void;
};

/** What the Worker is to do: run a seed and end in it, or hold a buffer. */
export type Order =
  | {
    readonly seed: number;
    readonly without: readonly string[];
    readonly ending: "close" | "error" | undefined;
  }
  | { readonly buffer: ArrayBuffer };

/** The Worker's seed has so many steps at most. */
const STEPS = 300;

const held: ArrayBuffer[] = [];

self.onmessage = ({ data }) => {
  if (!("buffer" in data)) return void run(data);
  const { buffer } = data;
  new Uint8Array(buffer).fill(1);
  held.push(buffer);
  if (held.length > 3) held.shift()!.transfer(0);
  self.postMessage("received");
};

async function run(
  { seed, without, ending }: Extract<Order, { readonly seed: number }>,
): Promise<void> {
  let left = new Random(seed).below(STEPS);
  const fixture = new Fixture(false, new Set(without), true);
  try {
    await runSeed(seed, fixture, STEPS, () => {
      if (left-- !== 0) return;
      if (ending === "close") self.close();
      if (ending === "error") {
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
