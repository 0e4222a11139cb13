/**
 * JavaScript's own functions, as they were when this library was imported.
 *
 * A program may patch a prototype or a global, and may put properties of its own on any object. What is called from here runs none
 * of that: neither the lookup of a method, nor that of a getter. Functions that were methods or getters take their receiver first, and
 * throw a `TypeError` for one of another kind. A `Proxy` is of no kind, except that Deno takes one of a signal for the signal.
 */

import {
  isAnyArrayBuffer,
  isDate,
  isMap,
  isPromise,
  isProxy,
  isSet,
} from "node:util/types";

/** Turns a method into a function that takes its receiver first. */
const uncurryThis = Function.prototype.bind.bind(Function.prototype.call) as <
  This,
  Arguments extends unknown[],
  Result,
>(
  method: (this: This, ...args: Arguments) => Result,
) => (receiver: This, ...args: Arguments) => Result;

/** Turn the getter of a prototype's property into a function that takes its receiver. */
function getterOf<Receiver, Result>(
  prototype: object,
  property: PropertyKey,
): (receiver: Receiver) => Result {
  const get = Object.getOwnPropertyDescriptor(prototype, property)?.get;
  if (get === undefined) throw new Error(`no getter: ${String(property)}`);
  return uncurryThis(get as (this: Receiver) => Result);
}

const TypedArrayPrototype = Object.getPrototypeOf(Int8Array.prototype);

export const { isArray } = Array;
/** Makes an array of the elements of an iterable or array-like. */
export const arrayFrom: <Element>(
  source: Iterable<Element> | ArrayLike<Element>,
) => Element[] = Array.from.bind(Array);
export const { isView } = ArrayBuffer;
export const { isSafeInteger } = Number;
export const {
  create: createObject,
  defineProperty,
  entries: entriesOf,
  freeze,
  getPrototypeOf,
  isExtensible,
  keys: keysOf,
} = Object;
export const { apply } = Reflect;
export { isAnyArrayBuffer, isDate, isMap, isPromise, isProxy, isSet };

export const bufferByteLength = getterOf<ArrayBuffer, number>(
  ArrayBuffer.prototype,
  "byteLength",
);
export const bufferDetached = getterOf<ArrayBuffer, boolean>(
  ArrayBuffer.prototype,
  "detached",
);

export const dataViewBuffer = getterOf<DataView, ArrayBufferLike>(
  DataView.prototype,
  "buffer",
);
export const dataViewByteOffset = getterOf<DataView, number>(
  DataView.prototype,
  "byteOffset",
);
export const dataViewByteLength = getterOf<DataView, number>(
  DataView.prototype,
  "byteLength",
);
export const viewBuffer = getterOf<ArrayBufferView, ArrayBufferLike>(
  TypedArrayPrototype,
  "buffer",
);
export const viewByteLength = getterOf<ArrayBufferView, number>(
  TypedArrayPrototype,
  "byteLength",
);
export const viewByteOffset = getterOf<ArrayBufferView, number>(
  TypedArrayPrototype,
  "byteOffset",
);
export const viewLength = getterOf<ArrayBufferView, number>(
  TypedArrayPrototype,
  "length",
);
/** The name of a typed array's type, as `Float64Array`; undefined for every other value. */
export const typedArrayName = getterOf<unknown, string | undefined>(
  TypedArrayPrototype,
  Symbol.toStringTag,
);

/** Copies the elements of a typed array or an array into a typed array. */
export const setElements = uncurryThis(
  TypedArrayPrototype.set as (
    this: ArrayBufferView,
    elements: ArrayLike<number | bigint> | ArrayBufferView,
    offset?: number,
  ) => void,
);

/** Copies a part of a typed array. */
export const sliceElements = uncurryThis(
  TypedArrayPrototype.slice as (
    this: ArrayBufferView,
    start: number,
    end: number,
  ) => ArrayBufferView,
) as <View extends ArrayBufferView>(
  view: View,
  start: number,
  end: number,
) => View;

export const charCodeAt = uncurryThis(String.prototype.charCodeAt);
export const substring = uncurryThis(String.prototype.substring);
export const normalize = uncurryThis(
  String.prototype.normalize as (this: string, form: string) => string,
);

/** Looks a key up in a map. */
export const mapGet = uncurryThis(Map.prototype.get) as <Key, Value>(
  map: ReadonlyMap<Key, Value>,
  key: Key,
) => Value | undefined;

/** Looks a key up in a weak map. */
export const weakMapGet = uncurryThis(WeakMap.prototype.get) as <
  Key extends WeakKey,
  Value,
>(
  map: WeakMap<Key, Value>,
  key: Key,
) => Value | undefined;

/** Returns whether a set has a member. */
export const setHas = uncurryThis(Set.prototype.has) as <Member>(
  set: ReadonlySet<Member>,
  member: Member,
) => boolean;

/** Calls a function with each value and key of a map, or each member of a set. */
export const mapForEach = uncurryThis(Map.prototype.forEach) as <Key, Value>(
  map: ReadonlyMap<Key, Value>,
  use: (value: Value, key: Key) => void,
) => void;
export const setForEach = uncurryThis(Set.prototype.forEach) as <Member>(
  set: ReadonlySet<Member>,
  use: (member: Member) => void,
) => void;
/** Sets a key of a map; adds a member to a set. */
export const mapSet = uncurryThis(Map.prototype.set) as <Key, Value>(
  map: Map<Key, Value>,
  key: Key,
  value: Value,
) => void;
export const setAdd = uncurryThis(Set.prototype.add) as <Member>(
  set: Set<Member>,
  member: Member,
) => void;
export const mapSize = getterOf<ReadonlyMap<unknown, unknown>, number>(
  Map.prototype,
  "size",
);
export const setSize = getterOf<ReadonlySet<unknown>, number>(
  Set.prototype,
  "size",
);
export const dateTime = uncurryThis(Date.prototype.getTime);
export const { asIntN } = BigInt;
/** The digits of a bigint. */
export const bigintText = uncurryThis(
  BigInt.prototype.toString as (this: bigint, radix: number) => string,
);

const pointerValue = Deno.UnsafePointer.value;

/** Return whether an object without a prototype is a pointer of Deno's, which has no properties and can have none. */
export function isPointer(value: object): boolean {
  if (isExtensible(value)) return false;
  try {
    pointerValue(value as Deno.PointerObject);
    return true;
  } catch (error) {
    if (isStackEnd(error)) throw error;
    return false;
  }
}

export const addEventListener = uncurryThis(
  EventTarget.prototype.addEventListener,
);
export const removeEventListener = uncurryThis(
  EventTarget.prototype.removeEventListener,
);
/** Whether a signal is aborted. See {@linkcode isAbortSignal}. */
export const signalAborted = getterOf<AbortSignal, boolean>(
  AbortSignal.prototype,
  "aborted",
);
export const signalReason = getterOf<AbortSignal, unknown>(
  AbortSignal.prototype,
  "reason",
);

/** An array that inherits nothing, so that setting an element runs no setter of a program's. Native code reads it as any other. */
export class PlainArray<Element> extends Array<Element> {
  static {
    Object.setPrototypeOf(this.prototype, null);
  }
}

const RangeErrorPrototype = RangeError.prototype;

/** Return whether an error may be the stack's end, which says nothing of what was tried. */
export function isStackEnd(error: unknown): boolean {
  return getPrototypeOf(error) === RangeErrorPrototype;
}

const AbortSignalPrototype = AbortSignal.prototype;

/** Return whether a value is an `AbortSignal`, rather than a `Proxy` of one, an object that inherits from one, or one that looks alike. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== "object" || value === null || isProxy(value)) {
    return false;
  }
  if (getPrototypeOf(value) !== AbortSignalPrototype) return false;
  try {
    signalAborted(value as AbortSignal);
    return true;
  } catch (error) {
    if (isStackEnd(error)) throw error;
    return false;
  }
}

/** Calls functions when a promise has settled. */
export const promiseThen = uncurryThis(Promise.prototype.then);
/** Makes a promise, with the functions that settle it. */
export const promiseWithResolvers: <Value>() => PromiseWithResolvers<Value> =
  Promise.withResolvers.bind(Promise) as never;
/** Makes a promise that is rejected. */
export const rejectedPromise: (reason: unknown) => Promise<never> = Promise
  .reject.bind(Promise) as never;

/** `setTimeout`. */
export const { setTimeout: startTimer } = globalThis;
