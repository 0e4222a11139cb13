/** The blocks of this thread that were exported to Python, to recognise them when they come back. */

import { MIN_SWEPT_ENTRIES } from "../limits.ts";

/**
 * Blocks by their identities, none of which is used twice. A block that is lost, freed or resized leaves an entry until there are many:
 * so no operation has to remove it, which could throw when the block has changed already.
 */
export class ExportedBlocks<Block extends WeakKey> {
  #blocks = new Map<number, WeakRef<Block>>();
  /** When there are so many entries, those of no use are removed. */
  #sweepAt = MIN_SWEPT_ENTRIES;
  #identityOf: (block: Block) => number;

  /** Make a table of blocks that have their identities by that function; 0 is none. */
  constructor(identityOf: (block: Block) => number) {
    this.#identityOf = identityOf;
  }

  /** Register a block that is exported to Python for the first time. */
  register(identity: number, block: Block): void {
    if (this.#blocks.size >= this.#sweepAt) this.#sweep();
    this.#blocks.set(identity, new WeakRef(block));
  }

  /** Return the block of that identity; undefined if it was freed, resized or lost, or is another thread's. */
  lookup(identity: number): Block | undefined {
    const block = this.#blocks.get(identity)?.deref();
    if (block === undefined) return undefined;
    return (0, this.#identityOf)(block) === identity ? block : undefined;
  }

  #sweep(): void {
    for (const identity of this.#blocks.keys()) {
      if (this.lookup(identity) === undefined) this.#blocks.delete(identity);
    }
    this.#sweepAt = Math.max(MIN_SWEPT_ENTRIES, this.#blocks.size * 2);
  }
}
