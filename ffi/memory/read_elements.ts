/** Reading the elements that a block is made of. */

import { describe } from "../checks.ts";
import type { Element, TypedArray } from "../elements.ts";
import {
  arrayFrom,
  isArray,
  isProxy,
  typedArrayName,
  viewLength,
} from "../intrinsics.ts";

/** The elements of a source. */
export interface ReadElements<E> {
  readonly elements: ArrayLike<E>;
  /** How many they are; read once. */
  readonly length: number;
  /** Whether they are a typed array or an array, whose length is what it is. */
  readonly isOrdinary: boolean;
}

/** Read the elements of a source that is no block. An iterable is read to its end, before anything is allocated. */
export function readElements<E>(
  source: ArrayLike<E> | Iterable<E>,
): ReadElements<E> {
  if (typedArrayName(source) !== undefined) {
    const elements = source as ArrayLike<E>;
    const length = viewLength(elements as never);
    return { elements, length, isOrdinary: true };
  }
  if (typeof source === "object" && source !== null) {
    if (!isProxy(source) && isArray(source)) {
      return { elements: source, length: source.length, isOrdinary: true };
    }
    if (Symbol.iterator in source) {
      const elements = arrayFrom(source);
      return { elements, length: elements.length, isOrdinary: true };
    }
    const length: unknown = source.length;
    if (typeof length === "number") {
      return { elements: source, length, isOrdinary: false };
    }
  }
  throw new TypeError(
    `The second argument must be a length, an array-like or an iterable; ${
      describe(source)
    } was given` +
      (source as unknown instanceof ArrayBuffer
        ? ". Give a typed array over it"
        : ""),
  );
}

/** Copy the elements of an array-like, each of which is read once. */
export function copyByIndex<A extends TypedArray>(
  elements: ArrayLike<Element<A>>,
  view: A,
  length: number,
): void {
  for (let index = 0; index < length; index++) view[index] = elements[index];
}
