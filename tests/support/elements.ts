/** Elements of every element type. */

import type { Element, TypedArray, TypedArrayConstructor } from "../../mod.ts";

/** Numbers as elements of a typed array: bigints where it has those. */
export function elements<A extends TypedArray>(
  type: TypedArrayConstructor<A>,
  ...numbers: number[]
): Element<A>[] {
  return type.name.startsWith("Big") ? numbers.map(BigInt) : numbers;
}
