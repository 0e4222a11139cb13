/** Objects that call themselves blocks, references or scopes: each is a TypeError or a RangeError. */

import {
  alloc,
  Arena,
  Block,
  Borrowed,
  free,
  PyObjectRef,
  python,
  PythonScope,
  type PythonValue,
  realloc,
} from "../../../mod.ts";
import { expect, expectEqual } from "../../support/case_programs/expect.ts";
import { collectGarbage } from "./ambush.ts";
import type { Case } from "./case.ts";

/** Buffers of each of these sizes are tried. */
const MAX_BYTES = 128;

/** Fails unless the function throws a TypeError or a RangeError. */
function expectRefused(act: () => unknown, what: string): void {
  try {
    act();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return;
    throw new Error(`${what} throws ${error}`, { cause: error });
  }
  throw new Error(`not so: ${what} is refused`);
}

/** Every place that takes a block, a reference or a scope. */
const PLACES: Record<string, (forged: unknown) => unknown> = {
  "a name": (forged) =>
    python.eval("it", { names: { it: forged as PythonValue } }),
  "an argument": (forged) => identity.call(forged as PythonValue),
  "one of three arguments": (forged) =>
    identity.call(1, forged as PythonValue, 2),
  "a scope": (forged) => python.eval("1", { scope: forged as PythonScope }),
  "what is borrowed from": (forged) => python.borrow(forged as PyObjectRef),
  "a block for realloc": (forged) => realloc(forged as Block<never>, 8),
  "a block for free": (forged) => free(forged as Block<never>),
  "a pointer to take over": (forged) =>
    new PyObjectRef(forged as Deno.PointerObject),
  "a pointer": (forged) => PyObjectRef.from(forged as Deno.PointerObject),
  "names": (forged) =>
    python.eval("1", { names: forged as Record<string, PythonValue> }),
};

/** Of these, the places that take any value: a buffer is its bytes there, whatever it calls itself. */
const VALUE_PLACES: ReadonlySet<string> = new Set([
  "a name",
  "an argument",
]);

/** Fails unless the result is an object of Python's with so many of that byte. */
function expectBytes(result: unknown, bytes: number, filling: number): void {
  using copy = result as PyObjectRef;
  const isSame = python.eval("bytes(copy) == bytes([filling]) * count", {
    names: { copy, filling, count: bytes },
  });
  expectEqual(isSame, true, "the bytes of a buffer");
}

const identity = python.eval("lambda *it: it[0]") as PyObjectRef;

const PROTOTYPES: Record<string, object> = {
  Uint8Array: Uint8Array.prototype,
  Block: Block.prototype,
  PyObjectRef: PyObjectRef.prototype,
  PythonScope: PythonScope.prototype,
  Borrowed: Borrowed.prototype,
  Arena: Arena.prototype,
  Float64Array: Float64Array.prototype,
};

/** What the bytes of a forged buffer may be taken for: a pointer, small numbers. */
const FILLINGS = [0x00, 0x01, 0x41, 0xff];

const buffers: Case[] = Object.entries(PROTOTYPES).map(([name, prototype]) => ({
  name: `an ArrayBuffer of any size that calls itself a ${name}`,
  run() {
    for (let bytes = 0; bytes <= MAX_BYTES; bytes++) {
      for (const filling of FILLINGS) {
        for (const [place, act] of Object.entries(PLACES)) {
          // An object of no names is names; the second of three arguments doesn't come back.
          if (place === "names" || place === "one of three arguments") continue;
          const { buffer } = new Uint8Array(bytes).fill(filling);
          const forged = Object.setPrototypeOf(buffer, prototype);
          if (VALUE_PLACES.has(place)) {
            expectBytes(act(forged), bytes, filling);
            continue;
          }
          expectRefused(() => act(forged), `${bytes} bytes as ${place}`);
        }
      }
    }
    collectGarbage();
  },
}));

/** Other things that aren't what they seem to be. */
const FORGERIES: Record<string, () => unknown> = {
  "an ArrayBuffer": () => new ArrayBuffer(8),
  "a SharedArrayBuffer": () => new SharedArrayBuffer(8),
  "a SharedArrayBuffer that calls itself a Uint8Array": () =>
    Object.setPrototypeOf(new SharedArrayBuffer(1), Uint8Array.prototype),
  "a resizable ArrayBuffer that calls itself a Uint8Array": () =>
    Object.setPrototypeOf(
      new ArrayBuffer(1, { maxByteLength: 64 }),
      Uint8Array.prototype,
    ),
  "a DataView that calls itself a Uint8Array": () =>
    Object.setPrototypeOf(
      new DataView(new ArrayBuffer(16)),
      Uint8Array.prototype,
    ),
  "a Float64Array that calls itself a Uint8Array": () =>
    Object.setPrototypeOf(new Float64Array(2), Uint8Array.prototype),
  "a detached ArrayBuffer that calls itself a Uint8Array": () => {
    const buffer = new ArrayBuffer(1);
    buffer.transfer();
    return Object.setPrototypeOf(buffer, Uint8Array.prototype);
  },
  ...Object.fromEntries(
    Object.entries(PROTOTYPES).flatMap(([name, prototype]) => [
      [`an object that calls itself a ${name}`, () => Object.create(prototype)],
      [
        `a function that calls itself a ${name}`,
        () => Object.setPrototypeOf(() => {}, prototype),
      ],
    ]),
  ),
  "a Proxy of a block": () => new Proxy(alloc(Uint8Array, 8), {}),
  "a Proxy of a reference": () => new Proxy(identity, {}),
  "a Proxy of a scope": () => new Proxy(new PythonScope(), {}),
  "a Proxy of a Uint8Array": () => new Proxy(new Uint8Array(8), {}),
  "a Proxy of an ArrayBuffer that calls itself a Uint8Array": () =>
    new Proxy(
      Object.setPrototypeOf(new ArrayBuffer(1), Uint8Array.prototype),
      {},
    ),
  "an object that inherits from a block": () =>
    Object.create(alloc(Uint8Array, 8)),
  "an object that inherits from a reference": () => Object.create(identity),
};

const forgeries: Case[] = Object.entries(FORGERIES).map(([name, make]) => ({
  name,
  run() {
    for (const [place, act] of Object.entries(PLACES)) {
      if (place === "names" || place === "one of three arguments") continue;
      // Whose kind is right where it is given, is no forgery: the memory of a Float64Array are bytes.
      const isBytes = name.startsWith("a Float64Array") ||
        VALUE_PLACES.has(place) &&
          /^an? (resizable |Shared)?ArrayBuffer|^a DataView/.test(name);
      const forged = make();
      try {
        const result = act(forged);
        expect(
          isBytes && place !== "a scope" && result !== undefined,
          `${name} as ${place} is refused`,
        );
      } catch (error) {
        if (error instanceof TypeError || error instanceof RangeError) continue;
        throw error;
      }
    }
    collectGarbage();
  },
}));

/** Methods and getters that are called on what has no right to them. */
const borrowedMethods: Case = {
  name:
    "methods and getters of the library's classes, called on what isn't of the class",
  run() {
    const receivers = [
      undefined,
      null,
      1,
      {},
      new Uint8Array(1),
      new ArrayBuffer(1),
      ...Object.values(FORGERIES).map((make) => make()),
    ];
    for (const type of [Block, PyObjectRef, PythonScope, Borrowed, Arena]) {
      for (const key of Reflect.ownKeys(type.prototype)) {
        if (key === "constructor") continue;
        const { get, value } = Object.getOwnPropertyDescriptor(
          type.prototype,
          key,
        )!;
        for (const receiver of receivers) {
          const method = get ?? value;
          expectRefusedOrHarmless(() => method.call(receiver), String(key));
        }
      }
    }
  },
};

/** What only shows an object may show one that isn't of the class. */
function expectRefusedOrHarmless(act: () => unknown, what: string): void {
  try {
    const result = act();
    expect(typeof result === "string", `${what} is refused`);
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return;
    throw error;
  }
}

/** Constructors whose arguments would be the library's own state. */
const constructors: Case = {
  name: "the constructors of blocks and borrowed memory, called by hand",
  run() {
    const forged = { buffer: new ArrayBuffer(1), slot: 0x4141 };
    const argumentLists: unknown[][] = [
      [],
      [Uint8Array, 1, 8, 0x4141, forged],
      [new Uint8Array(8), [8], "B", false],
      [Uint8Array, { number: 1, bytes: 1 }, 8, true, 16],
    ];
    for (const type of [Block, Borrowed]) {
      for (const args of argumentLists) {
        expectRefused(
          () => Reflect.construct(type, args),
          `new ${type.name} of ${args.length} arguments`,
        );
      }
    }
    using block = alloc(Uint8Array, 8);
    expectRefused(
      () => Reflect.construct(block.constructor, argumentLists[1]),
      "the constructor of a block",
    );
    class Derived
      extends (Block as unknown as new (...args: unknown[]) => object) {}
    expectRefused(
      () => new Derived(...argumentLists[1]),
      "the constructor of a subclass",
    );
  },
};

/** Subclasses of typed arrays and of the library's classes are what they are. */
const subclasses: Case = {
  name: "subclasses of what the library takes are taken for what they are",
  run() {
    class Bytes extends Uint8Array {}
    class Scope extends PythonScope {}
    class Pool extends Arena {}
    const result = python.eval("it", { names: { it: new Bytes([1, 2]) } });
    expectEqual(result, Uint8Array.of(1, 2), "bytes of a subclass");
    using scope = new Scope();
    python.run("number = 7", { scope });
    expectEqual(scope.get("number"), 7, "a variable of a subclass's scope");
    using pool = new Pool();
    expectEqual(pool.alloc(Uint8Array, 2).length, 2, "a subclass's arena");
    expectRefused(() => alloc(Bytes, 8), "a subclass as the type of a block");
    expectRefused(
      () => python.borrow("bytearray(8)", Bytes),
      "a subclass as the type of borrowed memory",
    );
  },
};

/** `instanceof` answers whatever the user says. */
const instances: Case = {
  name: "Symbol.hasInstance of the classes that says yes to everything",
  run() {
    const classes = [
      Block,
      PyObjectRef,
      PythonScope,
      Uint8Array,
      ArrayBuffer,
      Array,
      Object.getPrototypeOf(Uint8Array),
    ];
    for (const type of classes) {
      Object.defineProperty(type, Symbol.hasInstance, {
        value: () => true,
        configurable: true,
      });
      try {
        for (let bytes = 0; bytes <= MAX_BYTES; bytes++) {
          for (const [place, act] of Object.entries(PLACES)) {
            if (place === "names") continue;
            if (VALUE_PLACES.has(place) || place === "one of three arguments") {
              continue;
            }
            const forged = new Uint8Array(bytes).fill(0x41).buffer;
            expectRefusedPlainly(
              () => act(forged),
              `${bytes} bytes as ${place}`,
            );
            expectRefusedPlainly(() => act({}), `an object as ${place}`);
          }
        }
      } finally {
        Reflect.deleteProperty(type, Symbol.hasInstance);
      }
    }
  },
};

/** As `expectRefused`, where `instanceof` can't be relied on. */
function expectRefusedPlainly(act: () => unknown, what: string): void {
  try {
    act();
  } catch (error) {
    const { name } = error as Error;
    if (name === "TypeError" || name === "RangeError") return;
    throw error;
  }
  throw new Error(`not so: ${what} is refused`);
}

/** The cases of forged objects. */
export const CASES: readonly Case[] = [
  ...buffers,
  ...forgeries,
  borrowedMethods,
  constructors,
  subclasses,
  instances,
];
