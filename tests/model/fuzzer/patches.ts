/** Parts of the language that are replaced by hostile code while an operation runs. */

import { act } from "./hostile.ts";
import type { World } from "./world.ts";

/** A replaced part. */
export interface Patch {
  readonly name: string;
  /** Whether Deno's own code in JavaScript can't bear it. */
  readonly breaksDeno?: boolean;
  install(): void;
  remove(): void;
}

/** An object and one of its methods or accessors. */
type Place = readonly [name: string, object: object, key: PropertyKey];

const TypedArray = Object.getPrototypeOf(Uint8Array);

/** What user code may have replaced, of what a library may use. */
const PLACES: readonly Place[] = [
  ...["length", "buffer", "byteLength", "byteOffset", "set", "subarray"]
    .map((key): Place => [
      `TypedArray.prototype.${key}`,
      TypedArray.prototype,
      key,
    ]),
  ["TypedArray.prototype[iterator]", TypedArray.prototype, Symbol.iterator],
  ["TypedArray[species]", TypedArray, Symbol.species],
  ...["detached", "byteLength", "transfer", "slice"].map((key): Place => [
    `ArrayBuffer.prototype.${key}`,
    ArrayBuffer.prototype,
    key,
  ]),
  ["ArrayBuffer.isView", ArrayBuffer, "isView"],
  ...["push", "map", "reduce", "forEach", "pop", "join", "splice", "includes"]
    .map((key): Place => [`Array.prototype.${key}`, Array.prototype, key]),
  ["Array.prototype[iterator]", Array.prototype, Symbol.iterator],
  ["Array.isArray", Array, "isArray"],
  ["Array.from", Array, "from"],
  ...["get", "set", "delete", "has"].map((key): Place => [
    `Map.prototype.${key}`,
    Map.prototype,
    key,
  ]),
  ["WeakRef.prototype.deref", WeakRef.prototype, "deref"],
  ["WeakMap.prototype.get", WeakMap.prototype, "get"],
  ["Promise.prototype.then", Promise.prototype, "then"],
  ["Object.entries", Object, "entries"],
  ["Object.keys", Object, "keys"],
  ["Object.freeze", Object, "freeze"],
  ["Number.isSafeInteger", Number, "isSafeInteger"],
  ["Number.isInteger", Number, "isInteger"],
  ["Math.log2", Math, "log2"],
  ["Math.max", Math, "max"],
  ["String.prototype.normalize", String.prototype, "normalize"],
  ["String.prototype.indexOf", String.prototype, "indexOf"],
  ["RegExp.prototype.test", RegExp.prototype, "test"],
  ["RegExp.prototype.exec", RegExp.prototype, "exec"],
  ["AbortSignal.prototype.aborted", AbortSignal.prototype, "aborted"],
  [
    "AbortSignal.prototype.throwIfAborted",
    AbortSignal.prototype,
    "throwIfAborted",
  ],
  [
    "EventTarget.prototype.addEventListener",
    EventTarget.prototype,
    "addEventListener",
  ],
];

// deno-lint-ignore ban-types
type Code = Function;

/** Has a method or accessor act before it does what it does. */
function wrapping(world: World, [name, object, key]: Place): Patch {
  const original = Object.getOwnPropertyDescriptor(object, key);
  const wrap = (code: Code | undefined) =>
    code && function (this: unknown, ...args: unknown[]) {
      act(world);
      return Reflect.apply(code, this, args);
    };
  const replaced: PropertyDescriptor = { ...original, configurable: true };
  if (original?.get !== undefined) replaced.get = wrap(original.get);
  if (typeof original?.value === "function") {
    replaced.value = wrap(original.value);
  }
  return placed(name, object, key, replaced);
}

/** Puts a property in its place, and what was there back. */
function placed(
  name: string,
  object: object,
  key: PropertyKey,
  descriptor: PropertyDescriptor,
): Patch {
  const original = Object.getOwnPropertyDescriptor(object, key);
  return {
    name,
    install: () => void Object.defineProperty(object, key, descriptor),
    remove() {
      if (original === undefined) Reflect.deleteProperty(object, key);
      else Object.defineProperty(object, key, original);
    },
  };
}

/** An accessor that acts. */
function acting(world: World): PropertyDescriptor {
  return {
    configurable: true,
    get: () => act(world),
    set: () => act(world),
  };
}

/** Any of the replaced parts. */
export function anyPatch(world: World): Patch {
  const { random } = world;
  switch (random.below(10)) {
    case 0: {
      const index = random.below(4);
      const name = `Array.prototype[${index}]`;
      return {
        ...placed(name, Array.prototype, index, acting(world)),
        breaksDeno: true,
      };
    }
    case 1: {
      const key = random.pick([
        "signal",
        "scope",
        "names",
        "copy",
        "zeroed",
        "align",
        "shape",
        "then",
        "cause",
      ])!;
      return placed(
        `Object.prototype.${key}`,
        Object.prototype,
        key,
        { ...acting(world), set: undefined },
      );
    }
    case 2: {
      const [type, name] = random.pick(
        [
          [Uint8Array, "Uint8Array"],
          [ArrayBuffer, "ArrayBuffer"],
          [Array, "Array"],
          [Error, "Error"],
        ] as const,
      )!;
      return placed(`${name}[hasInstance]`, type, Symbol.hasInstance, {
        configurable: true,
        value(this: unknown, object: unknown) {
          act(world);
          return typeof object === "object";
        },
      });
    }
    case 3:
      return placed("Error.prepareStackTrace", Error, "prepareStackTrace", {
        configurable: true,
        value() {
          act(world);
          return {};
        },
      });
    case 4:
      return placed("Error.stackTraceLimit", Error, "stackTraceLimit", {
        configurable: true,
        ...random.once(2) ? { value: 0 } : { get: () => (act(world), 3) },
      });
    default:
      return wrapping(world, random.pick(PLACES)!);
  }
}
