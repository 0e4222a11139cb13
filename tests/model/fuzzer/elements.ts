/** What elements can be copied from, hostile or not. */

import type { TypedArray, TypedArrayConstructor } from "../../../mod.ts";
import { CONSTRUCTORS } from "../../../ffi/elements.ts";
import { act } from "./hostile.ts";
import { blockView } from "./primordials.ts";
import type { World } from "./world.ts";

/** Elements are below this; other contents of the fuzzer's are not, so that memory which wasn't overwritten is told by it. */
export const MAX_ELEMENT = 8;

/** A source of elements. */
export interface Elements {
  readonly what: string;
  readonly source: unknown;
  /** The elements; none where hostile code decides them. */
  readonly numbers: readonly number[] | undefined;
  /** Whether it may be no source at all. */
  readonly isOdd: boolean;
}

/** Whether the elements of a type are bigints. */
export function hasBigInts(type: TypedArrayConstructor<TypedArray>): boolean {
  return type === BigInt64Array || type === BigUint64Array;
}

function numbersOf(world: World): number[] {
  const { random } = world;
  const length = random.once(20) ? random.below(3_000) : random.below(20);
  return Array.from({ length }, () => random.below(MAX_ELEMENT));
}

/** Elements for a block of the type. */
export function elementsFor(
  world: World,
  type: TypedArrayConstructor<TypedArray>,
  isHostile: boolean,
): Elements {
  const { random } = world;
  const numbers = numbersOf(world);
  const big = hasBigInts(type);
  const values: unknown[] = big ? numbers.map(BigInt) : numbers;
  if (isHostile) return hostileElements(world, type, values);
  const plain = (what: string, source: unknown) => ({
    what,
    source,
    numbers,
    isOdd: false,
  });
  switch (random.below(6)) {
    case 0:
      return plain("an array", values);
    case 1:
      return plain("a Set's values", values[Symbol.iterator]());
    case 2:
      return plain("an array-like", { ...values, length: values.length });
    case 3: {
      const other = big ? random.once(2) ? BigInt64Array : type : random.pick(
        CONSTRUCTORS.slice(0, 10),
      )!;
      const array = (other as unknown as ArrayConstructor).from(values);
      return plain(other.name, array);
    }
    case 4: {
      const own = (type as unknown as ArrayConstructor).from(values);
      return plain("its own type", own);
    }
    default:
      return plain(
        "a generator",
        (function* () {
          yield* values;
        })(),
      );
  }
}

function hostileElements(
  world: World,
  type: TypedArrayConstructor<TypedArray>,
  values: unknown[],
): Elements {
  const { random } = world;
  const Type = type as unknown as {
    new (buffer: ArrayBufferLike, offset?: number, length?: number): TypedArray;
    BYTES_PER_ELEMENT: number;
  };
  const odd = (what: string, source: unknown, isOdd = false) => ({
    what,
    source,
    numbers: undefined,
    isOdd,
  });
  switch (random.below(15)) {
    case 0: {
      let reads = 0;
      return odd("an array-like whose length changes", {
        ...values,
        get length() {
          act(world);
          return random.below(4) + 10 * (reads++ % 3);
        },
      });
    }
    case 1:
      return odd("an iterator that acts", {
        [Symbol.iterator]() {
          act(world);
          let index = 0;
          return {
            next() {
              act(world);
              return { done: index >= values.length, value: values[index++] };
            },
            return() {
              act(world);
              return {};
            },
          };
        },
      });
    case 2:
      return odd(
        "elements that act",
        values.map((value) => ({
          valueOf() {
            act(world);
            return value;
          },
        })),
      );
    case 3: {
      const array = [...values];
      if (array.length > 0) {
        Object.defineProperty(array, random.below(array.length), {
          get() {
            act(world);
            if (random.once(2)) array.length = random.below(array.length + 1);
            return values[0];
          },
        });
      }
      return odd("an array with a getter", array);
    }
    case 4: {
      const bytes = Type.BYTES_PER_ELEMENT;
      const buffer = new ArrayBuffer(16 * bytes, {
        maxByteLength: 32 * bytes,
      });
      const array = new Type(buffer, bytes);
      if (random.once(2)) buffer.resize(random.below(33) * bytes);
      return odd("a typed array over a resizable buffer", array);
    }
    case 5:
      return odd(
        "a typed array over shared memory",
        new Type(new SharedArrayBuffer(8 * Type.BYTES_PER_ELEMENT)),
      );
    case 6: {
      const array = new Type(new ArrayBuffer(8 * Type.BYTES_PER_ELEMENT));
      Object.defineProperty(array, "length", {
        get() {
          act(world);
          return random.below(40);
        },
      });
      return odd("a typed array that lies of its length", array);
    }
    case 7: {
      const array = new Type(new ArrayBuffer(8 * Type.BYTES_PER_ELEMENT));
      for (const name of ["buffer", "byteLength", "constructor"]) {
        Object.defineProperty(array, name, { get: () => (act(world), 3) });
      }
      return odd("a typed array that lies of its buffer", array);
    }
    case 8: {
      class Subclass extends (Type as unknown as typeof Float64Array) {
        override get length(): number {
          act(world);
          return random.below(40);
        }
        override [Symbol.iterator](): ArrayIterator<number> {
          act(world);
          return super[Symbol.iterator]();
        }
        static get [Symbol.species]() {
          act(world);
          return Uint8Array as never;
        }
      }
      return odd("a subclass", new Subclass(8));
    }
    case 9: {
      const array = new Type(new ArrayBuffer(8 * Type.BYTES_PER_ELEMENT));
      array.buffer.transfer(0);
      return odd("a detached typed array", array, true);
    }
    case 10: {
      const array = new Type(new ArrayBuffer(8 * Type.BYTES_PER_ELEMENT));
      const elements = { valueOf: () => (act(world), 1) };
      return odd(
        "a Proxy of a typed array",
        new Proxy(array, {
          get(target, key) {
            act(world);
            return Reflect.get(target, key, target) ?? elements;
          },
        }),
        true,
      );
    }
    case 11: {
      const handle = world.pick(world.blocks);
      if (handle === undefined || handle.isFreed || handle.isDecorated) {
        return odd("a string", "1234567", true);
      }
      return odd("a block's view", blockView(handle.block), true);
    }
    case 12: {
      const array: unknown[] = [...values];
      array.length += 3;
      Object.setPrototypeOf(
        array,
        new Proxy(Array.prototype, {
          get(target, key) {
            act(world);
            return Reflect.get(target, key);
          },
        }),
      );
      return odd(
        "an array with holes and a Proxy for a prototype",
        array,
        true,
      );
    }
    case 13: {
      const array: unknown[] = [...values];
      Object.defineProperty(array, Symbol.iterator, {
        get() {
          act(world);
          return random.once(2) ? undefined : Array.prototype[Symbol.iterator];
        },
      });
      return odd("an array that lies of its iterator", array, true);
    }
    default:
      return odd(
        "what is no source",
        random.pick([
          null,
          undefined,
          true,
          Symbol("x"),
          7n,
          () => 1,
          { length: "3" },
          { length: -1 },
          { length: 2 ** 52 },
          new DataView(new ArrayBuffer(8)),
          new ArrayBuffer(8),
          { [Symbol.iterator]: 5 },
        ]),
        true,
      );
  }
}
