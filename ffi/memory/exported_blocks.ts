/** The blocks of this thread that were given to Python, to recognise them when they return. */

import { type Block, identityOf } from "./block.ts";
import type { TypedArray } from "../elements.ts";

/**
 * By their identities, none of which is used twice. A block that is lost, freed or resized leaves an entry until there are many: so
 * no operation has to take it out, which could throw when the block has changed already.
 */
const blocks = new Map<number, WeakRef<Block<TypedArray>>>();

/** When there are so many entries, those of no use are looked for. */
let sweepAt = 1024;

/** Registers a block that is given to Python for the first time. */
export function register(identity: number, block: Block<TypedArray>): void {
  if (blocks.size >= sweepAt) sweep();
  blocks.set(identity, new WeakRef(block));
}

function sweep(): void {
  for (const identity of blocks.keys()) {
    if (lookup(identity) === undefined) blocks.delete(identity);
  }
  sweepAt = Math.max(1024, blocks.size * 2);
}

/** The block of this thread that returned; none if it was freed, resized or lost, or is another thread's. */
export function lookup(identity: number): Block<TypedArray> | undefined {
  const block = blocks.get(identity)?.deref();
  if (block === undefined) return undefined;
  return identityOf(block) === identity ? block : undefined;
}
