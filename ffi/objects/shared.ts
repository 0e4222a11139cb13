/** The blocks of this thread that were given to Python, to know them again when they come back. */

import type { Block } from "../block.ts";
import type { TypedArray } from "../types.ts";

/** By their identities, which are never given twice. A block that is lost leaves an entry until there are many. */
const blocks = new Map<number, WeakRef<Block<TypedArray>>>();

/** When there are so many entries, those of lost blocks are looked for. */
let sweepAt = 1024;

/** A block is given to Python for the first time. */
export function remember(identity: number, block: Block<TypedArray>): void {
  blocks.set(identity, new WeakRef(block));
  if (blocks.size < sweepAt) return;
  for (const [identity, reference] of blocks) {
    if (reference.deref() === undefined) blocks.delete(identity);
  }
  sweepAt = Math.max(1024, blocks.size * 2);
}

/** A block has nothing to do any more with the memory that Python may still hold. */
export function forget(identity: number): void {
  blocks.delete(identity);
}

/** The block of this thread that came back; none if it was freed or lost, or is another thread's. */
export function recognise(identity: number): Block<TypedArray> | undefined {
  const block = blocks.get(identity)?.deref();
  return block?.freed ? undefined : block;
}
