/** What showing memory to the other side copies: nothing, if it is at the same address there. */

import { alloc, type PyObjectRef, python } from "../../mod.ts";
import { address, doubles, show } from "../python/python_side.ts";

/** How much is shown. */
const BYTES = 100e6;

/** How many bytes were copied. */
export interface Copies {
  /** When Python was shown a block. */
  readonly block: number;
  /** When TypeScript was shown an array of Python's. */
  readonly array: number;
}

/** Show both sides memory of the other, and look where they have it. */
export function countCopies(): Copies {
  const length = BYTES / Float64Array.BYTES_PER_ELEMENT;
  using block = alloc(Float64Array, length);
  using shown = show.call(block) as PyObjectRef;
  using array = doubles.call(length) as PyObjectRef;
  using borrowed = python.borrow(array, Float64Array);
  const view = Deno.UnsafePointer.of(borrowed.view);
  const copied = (one: number, other: number) => one === other ? 0 : BYTES;
  return {
    block: copied(block.address, address.call(shown) as number),
    array: copied(
      Number(Deno.UnsafePointer.value(view)),
      address.call(array) as number,
    ),
  };
}
