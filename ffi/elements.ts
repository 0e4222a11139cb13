/** The typed arrays, and what the functions that take their constructors accept. */

import { describe } from "./checks.ts";
import { mapGet } from "./intrinsics.ts";

/**
 * A typed array over memory of this library's.
 *
 * @example
 * ```ts
 * import { alloc, type Block, type TypedArray } from "@oneheap/oneheap";
 *
 * const freeAll = (blocks: Block<TypedArray>[]) => blocks.forEach((block) => block.free());
 * freeAll([alloc(Float64Array, 1), alloc(BigInt64Array, 1)]);
 * ```
 */
export type TypedArray =
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Uint8ClampedArray<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Float16Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>;

/**
 * The constructor of a typed array, as `Float64Array`.
 *
 * @example
 * ```ts
 * import { alloc, type TypedArray, type TypedArrayConstructor } from "@oneheap/oneheap";
 *
 * const ofOne = <A extends TypedArray>(type: TypedArrayConstructor<A>) => alloc(type, 1);
 * using block = ofOne(Float32Array);
 * console.log(block.byteLength); // 4
 * ```
 */
export interface TypedArrayConstructor<A extends TypedArray> {
  /** The size of an element in bytes. */
  readonly BYTES_PER_ELEMENT: number;
  /** The constructor's name. */
  readonly name: string;
  /** Makes a typed array of `length` elements over a buffer. */
  new (buffer: ArrayBuffer, byteOffset?: number, length?: number): A;
}

/**
 * What an element of a typed array is in JavaScript: `number` or `bigint`.
 *
 * @example
 * ```ts
 * import type { Element } from "@oneheap/oneheap";
 *
 * const large: Element<BigInt64Array<ArrayBuffer>> = 2n ** 60n;
 * console.log(large);
 * ```
 */
export type Element<A extends TypedArray> = A[number];

/** An element type. */
export interface ElementType {
  /** Its number, as Rust has it. */
  readonly number: number;
  /** The size of an element. */
  readonly bytes: number;
}

/** All constructors of typed arrays, in the order of their numbers in Rust. */
export const CONSTRUCTORS: readonly TypedArrayConstructor<TypedArray>[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float16Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
];

/** The element types by their constructors. What isn't in here is no typed array's constructor. */
const ELEMENT_TYPES: ReadonlyMap<unknown, ElementType> = new Map(
  CONSTRUCTORS.map((type, number) => [
    type,
    { number, bytes: type.BYTES_PER_ELEMENT },
  ]),
);

/** What is known of a constructor's elements; a `TypeError` for what is no constructor of typed arrays. */
export function elementType(type: unknown): ElementType {
  const known = mapGet(ELEMENT_TYPES, type);
  if (known !== undefined) return known;
  const shown = describe(type);
  throw new TypeError(
    `The type must be a TypedArray constructor, as Float64Array; ${shown} was given`,
  );
}
