/** V8's own word on typed arrays and buffers, whatever properties they were given. */

import { Buffer as Bytes } from "node:buffer";
import { Block, type TypedArray } from "../../../mod.ts";

type Getter = (this: unknown) => unknown;

function getter<T>(prototype: object, name: string): (of: object) => T {
  const { get } = Object.getOwnPropertyDescriptor(prototype, name)!;
  const call = Function.prototype.call.bind(get as Getter);
  return call as (of: object) => T;
}

const TypedArrayPrototype = Object.getPrototypeOf(Uint8Array.prototype);

/** The buffer of a typed array. */
export const bufferOf: (array: TypedArray) => ArrayBuffer = getter(
  TypedArrayPrototype,
  "buffer",
);

/** The length of a typed array, in elements. */
export const lengthOf: (array: TypedArray) => number = getter(
  TypedArrayPrototype,
  "length",
);

/** Whether a buffer is detached. */
export const isDetached: (buffer: ArrayBuffer) => boolean = getter(
  ArrayBuffer.prototype,
  "detached",
);

/** The size of a buffer in bytes. */
export const sizeOf: (buffer: ArrayBuffer) => number = getter(
  ArrayBuffer.prototype,
  "byteLength",
);

/** The properties of a block, as its class has them. */
export const blockLength: (block: object) => number = getter(
  Block.prototype,
  "length",
);
export const blockByteLength: (block: object) => number = getter(
  Block.prototype,
  "byteLength",
);
export const blockAddress: (block: object) => number = getter(
  Block.prototype,
  "address",
);
export const blockPointer: (block: object) => Deno.PointerObject = getter(
  Block.prototype,
  "pointer",
);
export const blockFreed: (block: object) => boolean = getter(
  Block.prototype,
  "freed",
);
export const blockView: (block: object) => TypedArray = getter(
  Block.prototype,
  "view",
);

/** Whether the bytes are the same. */
export function areSame(one: Uint8Array, other: Uint8Array): boolean {
  return Bytes.compare(one, other) === 0;
}

/** Runs V8's collector; the fuzzer runs with `--expose-gc`. */
export const collectGarbage: () => void =
  (globalThis as unknown as { gc(): void }).gc;
