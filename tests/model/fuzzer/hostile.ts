/** Arguments with hostile code: whoever reads them has operations run that change the world. */

import { Block, Borrowed, PyObjectRef, PythonScope } from "../../../mod.ts";
import { Marker } from "./outcome.ts";
import type { World } from "./world.ts";

/** Does something with the world, and throws now and then. */
export function act(world: World): void {
  world.interfere();
  if (!world.isQuiet && world.random.once(12)) throw new Marker();
}

/** An object with the same properties, whose getters are hostile. */
function withGetters<T extends object>(world: World, options: T): T {
  const hostile = {};
  for (const key of Reflect.ownKeys(options)) {
    Object.defineProperty(hostile, key, {
      enumerable: true,
      configurable: true,
      get() {
        act(world);
        return Reflect.get(options, key);
      },
    });
  }
  return hostile as T;
}

/** A Proxy of the object whose traps are hostile. */
function withTraps<T extends object>(world: World, options: T): T {
  return new Proxy(options, {
    get(target, key) {
      act(world);
      return Reflect.get(target, key);
    },
    has(target, key) {
      act(world);
      return Reflect.has(target, key);
    },
    ownKeys(target) {
      act(world);
      return Reflect.ownKeys(target);
    },
    getOwnPropertyDescriptor(target, key) {
      act(world);
      return Reflect.getOwnPropertyDescriptor(target, key);
    },
    getPrototypeOf(target) {
      act(world);
      return Reflect.getPrototypeOf(target);
    },
  });
}

/** Options as the caller gives them, hostile or not. */
export function options<T extends object>(
  world: World,
  plain: T,
  isHostile: boolean,
): T {
  if (!isHostile) return plain;
  switch (world.random.below(4)) {
    case 0:
      return withGetters(world, plain);
    case 1:
      return withTraps(world, plain);
    case 2:
      return Object.create(withGetters(world, plain));
    default:
      return withTraps(world, withGetters(world, plain));
  }
}

/** Names as the caller gives them, which only count where they are properties of the object itself. */
export function names<T extends object>(
  world: World,
  plain: T,
  isHostile: boolean,
): T {
  if (!isHostile) return plain;
  return world.random.once(2)
    ? withGetters(world, plain)
    : withTraps(world, plain);
}

/** What isn't a number that counts, sizes or addresses can be: a `RangeError` or a `TypeError`. */
export function badNumber(world: World, plain: number): unknown {
  const { random } = world;
  switch (random.below(12)) {
    case 0:
      return -1;
    case 1:
      return plain + 0.5;
    case 2:
      return NaN;
    case 3:
      return Infinity;
    case 4:
      return 2 ** 53;
    case 5:
      return BigInt(plain);
    case 6:
      return { [Symbol.toPrimitive]: () => (act(world), plain) };
    case 7:
      return { valueOf: () => (act(world), plain), toString: () => "x" };
    case 8:
      return { toString: () => (act(world), String(plain)) };
    case 9:
      return new Proxy(new Number(plain), {
        get: (target, key) => (act(world), Reflect.get(target, key)),
      });
    case 10:
      return null;
    default:
      return new Number(plain);
  }
}

/** Objects that pretend to be the library's, or typed arrays. None of them may be taken for what it isn't. */
export function forged(world: World): unknown {
  const { random } = world;
  const prototypes = [
    Uint8Array,
    Block,
    PyObjectRef,
    PythonScope,
    Borrowed,
    ArrayBuffer,
  ].map((type) => type.prototype as object);
  const prototype = random.pick(prototypes)!;
  switch (random.below(9)) {
    case 0:
      return Object.create(prototype);
    case 1: {
      const buffer = new ArrayBuffer(random.below(65));
      new Uint8Array(buffer).fill(0x41);
      return Object.setPrototypeOf(buffer, prototype);
    }
    case 2:
      return Object.setPrototypeOf(
        new DataView(new ArrayBuffer(random.below(65))),
        prototype,
      );
    case 3:
      return new Proxy(Object.create(prototype), {
        get: (target, key) => (act(world), Reflect.get(target, key)),
      });
    case 4: {
      const block = world.pick(world.blocks)?.block ?? {};
      return withTraps(world, block);
    }
    case 5: {
      const reference = world.pick(world.references)?.reference ?? {};
      return withTraps(world, reference);
    }
    case 6:
      return { [Symbol.toStringTag]: random.once(2) ? "Uint8Array" : "Block" };
    case 7:
      return new Proxy(new Uint8Array(random.below(8)), {});
    default:
      return {
        get constructor() {
          act(world);
          return Block;
        },
        get buffer() {
          act(world);
          return new ArrayBuffer(random.below(4));
        },
      };
  }
}

/** What a signal can be, and whether a run may be ended by it. */
export function signal(world: World, isHostile: boolean): {
  readonly signal: AbortSignal | undefined;
  readonly controller?: AbortController;
  /** Whether it is one, or nothing. */
  readonly isOdd: boolean;
  readonly isAborted: boolean;
} {
  const { random } = world;
  if (!isHostile) {
    if (random.once(2)) {
      return { signal: undefined, isOdd: false, isAborted: false };
    }
    const controller = new AbortController();
    return {
      signal: controller.signal,
      controller,
      isOdd: false,
      isAborted: false,
    };
  }
  const controller = new AbortController();
  const real = controller.signal;
  const odd = (signal: unknown) => ({
    signal: signal as AbortSignal,
    controller,
    isOdd: true,
    isAborted: false,
  });
  switch (random.below(6)) {
    case 0:
      return {
        signal: AbortSignal.abort(new Marker()),
        isOdd: false,
        isAborted: true,
      };
    case 1:
      return odd({
        get aborted() {
          act(world);
          return false;
        },
        throwIfAborted: () => act(world),
        addEventListener: () => act(world),
        removeEventListener: () => act(world),
      });
    case 2:
      return odd(withTraps(world, real));
    case 3:
      return odd(Object.create(real));
    case 4: {
      for (const name of ["aborted", "reason"]) {
        Object.defineProperty(real, name, {
          get: () => {
            act(world);
            return undefined;
          },
        });
      }
      for (const name of ["throwIfAborted", "addEventListener"]) {
        Object.defineProperty(real, name, { value: () => act(world) });
      }
      return odd(real);
    }
    default:
      return odd({ aborted: false });
  }
}
