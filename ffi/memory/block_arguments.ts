/** Checks of what a block is made with: its size, its alignment, and the shape that it has in Python. */

import { describe, requireSafeInteger } from "../checks.ts";
import { apply } from "../intrinsics.ts";
import {
  DEFAULT_ALIGN_BYTES,
  MAX_ALIGN_BYTES,
  MAX_DIMENSIONS,
} from "../limits.ts";

/** The alignments that can be requested. */
const ALIGNS = Object.freeze([
  ...[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048],
  MAX_ALIGN_BYTES,
]);

/** Return the bytes of elements; throw a `RangeError` for more than a typed array can have. */
export function byteLengthOf(elementSize: number, length: number): number {
  const bytes = elementSize * length;
  if (bytes <= Number.MAX_SAFE_INTEGER) return bytes;
  throw new RangeError(
    `The length must be at most ${
      Math.floor(Number.MAX_SAFE_INTEGER / elementSize)
    } elements; ${length} was given`,
  );
}

/** Return an alignment in bytes; throw a `RangeError` for what is no power of two, or too large. */
export function requireAlign(align: number | undefined): number {
  if (align === undefined) return DEFAULT_ALIGN_BYTES;
  const bytes = requireSafeInteger("align", align);
  if (ALIGNS.includes(bytes)) return bytes;
  throw new RangeError(
    `The align must be a power of two from 1 to ${MAX_ALIGN_BYTES} bytes; ${bytes} was given`,
  );
}

/** Return the extents of a shape, each read once. */
export function requireShape(shape: readonly number[]): number[] {
  if (typeof shape !== "object" || shape === null) {
    throw new TypeError(
      `The shape must be an array of numbers; ${describe(shape)} was given`,
    );
  }
  const count = requireSafeInteger("shape's length", shape.length);
  if (count > MAX_DIMENSIONS) {
    throw new RangeError(
      `The shape may have at most ${MAX_DIMENSIONS} dimensions; ${count} were given`,
    );
  }
  // No prototype has a part in making this list, nor in writing the elements that it has.
  const extents: number[] = apply(listOf, undefined, shape);
  for (let index = 0; index < extents.length; index++) {
    extents[index] = requireSafeInteger("shape", extents[index]);
  }
  return extents;
}

function listOf(...list: number[]): number[] {
  return list;
}
