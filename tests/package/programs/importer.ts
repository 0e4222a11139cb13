import { alloc } from "@oneheap/oneheap";

using block = alloc(Float64Array, 1);

/** How long the block was. */
export const length = block.length;
