/** What the tests of ownership share. */

import { assertEquals } from "@std/assert";
import { alloc, type Block, python, type Stats, stats } from "../../mod.ts";
import { canCount, CountingHook } from "../support/counting_hook.ts";
import { HAS_GIL } from "../support/build.ts";
import { until } from "../support/collection.ts";

/** Sizes that the hook counts: one that is freed later where the thread isn't attached, and one that is freed at once. */
export const SIZES = [5_008, 100_008];

export type Bytes = Uint8Array<ArrayBuffer>;

/** What lives of one test's blocks, as `stats()` and the hook say. */
export class Living implements Disposable {
  readonly #before: Stats = stats();
  readonly #hook: CountingHook | undefined = canCount
    ? new CountingHook()
    : undefined;

  /** Fails unless so many blocks live, of so many bytes in all. */
  assert(blocks: number, bytes: number): void {
    const now = stats();
    const counted = this.#hook?.read() ?? { blocks, bytes };
    assertEquals(
      {
        blocks: now.blocks - this.#before.blocks,
        bytes: now.bytes - this.#before.bytes,
        counted,
      },
      { blocks, bytes, counted: { blocks, bytes } },
    );
  }

  /** Waits until nothing lives, collecting garbage meanwhile. */
  async untilNothing(): Promise<void> {
    await until(() => {
      // Without the GIL, the thread that made an object frees it, the next time that it runs Python code.
      if (!HAS_GIL) python.run("pass");
      return stats().blocks === this.#before.blocks;
    }, "the last holder");
    this.assert(0, 0);
  }

  /** How many blocks have ended without a `free`. */
  get reclaimed(): number {
    return stats().reclaimed - this.#before.reclaimed;
  }

  [Symbol.dispose](): void {
    this.#hook?.[Symbol.dispose]();
  }
}

/** A block full of sevens. */
export function sevens(bytes: number): Block<Bytes> {
  const block = alloc(Uint8Array, bytes);
  block.view.fill(7);
  return block;
}

/** Takes memory that was freed, and writes all over it. */
export function scribble(bytes: number): void {
  const blocks = Array.from({ length: 20 }, () => alloc(Uint8Array, bytes));
  for (const block of blocks) block.view.fill(0xee);
  for (const block of blocks) block.free();
}
