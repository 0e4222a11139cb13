/** The sizes and types of blocks. */

import type { TypedArray, TypedArrayConstructor } from "../../../mod.ts";
import type { Random } from "./random.ts";

/** The element types: of one, two and eight bytes, plain and clamped, numbers and bigints. */
export const TYPES: readonly TypedArrayConstructor<TypedArray>[] = [
  Uint8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Float64Array,
  BigInt64Array,
];

/** Sizes that the hook counts. The largest are freed at once on any thread, the others later where it isn't attached. */
const COUNTED = [5_008, 6_008, 7_008, 9_008, 12_008, 70_008];

/** Sizes that only `stats()` counts. */
const SMALL = [0, 8, 24, 512];

/** A size in bytes; elements of every type fit in it. */
export function anySize(random: Random): number {
  if (random.once(5)) return random.pick(SMALL)!;
  // The largest one is rare.
  return COUNTED[random.below(random.once(8) ? COUNTED.length : 5)];
}
