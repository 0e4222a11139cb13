/** Elements that `alloc` copies, whose length is odd or changes: nothing but them, or zeroes, may be seen in the block. */

import {
  alloc,
  Arena,
  type Block,
  raw,
  type TypedArray,
} from "../../../mod.ts";
import { expect } from "../../support/case_programs/expect.ts";
import { collectGarbage, expectTyped } from "./ambush.ts";
import type { Case } from "./case.ts";

/** What memory has in it that was used before; no element is this. */
const OLD = 0xa5;

/** The bytes of the blocks. */
const LENGTH = 200;

/** Fills memory of the size that the blocks will have, and frees it. */
function leaveOldMemory(): void {
  for (let time = 0; time < 3; time++) {
    const blocks = Array.from({ length: 50 }, () => {
      const block = alloc(Uint8Array, LENGTH);
      block.view.fill(OLD);
      return block;
    });
    for (const block of blocks) block.free();
    raw.free(raw.malloc(LENGTH));
  }
}

/** An array-like or iterable of ones. */
type Source = ArrayLike<number> & Iterable<number>;

function ones(length = LENGTH): number[] {
  return new Array(length).fill(1);
}

/** An array-like whose length is another each time that it is read. */
function withLengths(...lengths: unknown[]): Source {
  let reads = 0;
  return {
    get length() {
      return lengths[Math.min(reads++, lengths.length - 1)];
    },
  } as unknown as Source;
}

const SOURCES: Record<string, () => unknown> = {
  "an array-like that is shorter the second time": () =>
    withLengths(LENGTH, 1, 0),
  "an array-like that is shorter the third time": () =>
    withLengths(LENGTH, LENGTH, 1),
  "an array-like that is longer the second time": () => withLengths(1, LENGTH),
  "an array-like whose length isn't a number then": () =>
    withLengths(LENGTH, "1"),
  "an array-like of a length that is a string": () => withLengths("200"),
  "an array-like of a length with a valueOf": () =>
    withLengths({ valueOf: () => LENGTH }),
  "an array-like of a negative length": () => withLengths(-1),
  "an array-like of a fractional length": () => withLengths(1.5),
  "an array-like of an endless length": () => withLengths(Infinity),
  "an array-like of length NaN": () => withLengths(NaN),
  "an array-like without elements": () => ({ length: LENGTH }),
  "an array with holes": () => new Array(LENGTH),
  "an array that an element shortens": () => {
    const array = ones();
    return Object.defineProperty(array, 0, {
      get() {
        array.length = 1;
        return 1;
      },
    });
  },
  "an array that an element lengthens": () => {
    const array = ones();
    return Object.defineProperty(array, 0, {
      get() {
        array.push(...ones());
        return 1;
      },
    });
  },
  "an array whose element throws": () =>
    Object.defineProperty(ones(), 100, {
      get() {
        throw new TypeError("on purpose");
      },
    }),
  "an array whose elements have a valueOf that throws": () => [
    ...ones(100),
    {
      valueOf() {
        throw new TypeError("on purpose");
      },
    },
    ...ones(99),
  ],
  "a Proxy of an array that is shorter the second time": () => {
    let reads = 0;
    return new Proxy(ones(), {
      get: (array, name) =>
        name === "length"
          ? reads++ === 0 ? LENGTH : 1
          : Reflect.get(array, name),
    });
  },
  "an array with an iterator of its own that ends early": () =>
    Object.assign(ones(), {
      *[Symbol.iterator]() {
        yield 1;
      },
    }),
  "an iterator that never ends in a value": () => ({
    *[Symbol.iterator]() {
      yield* ones(10);
      throw new TypeError("on purpose");
    },
  }),
  "an iterable with a length of its own": () =>
    Object.assign(new Set([1]), { length: LENGTH }),
  "a typed array with a longer length of its own": () =>
    withOwn(Uint8Array.from(ones(10)), "length", LENGTH),
  "a typed array with a shorter length of its own": () =>
    withOwn(Uint8Array.from(ones()), "length", 10),
  "a typed array whose own length is no number": () =>
    withOwn(Uint8Array.from(ones(10)), "length", "200"),
  "a typed array with a changing length of its own": () => {
    let reads = 0;
    return Object.defineProperty(Uint8Array.from(ones(10)), "length", {
      get: () => reads++ === 0 ? LENGTH : 10,
    });
  },
  "a typed array of a buffer that was detached": () => {
    const array = Uint8Array.from(ones());
    array.buffer.transfer();
    return array;
  },
  "a typed array of a buffer that shrinks": () => {
    const buffer = new ArrayBuffer(LENGTH, { maxByteLength: LENGTH });
    const array = new Uint8Array(buffer).fill(1);
    let reads = 0;
    return Object.defineProperty(array, "length", {
      get() {
        if (reads++ > 0) buffer.resize(1);
        return LENGTH;
      },
    });
  },
  "a typed array of another prototype": () =>
    Object.setPrototypeOf(Uint8Array.from(ones(10)), { length: LENGTH }),
  "a subclass of a typed array with another length": () => {
    class Longer extends Uint8Array {
      override get length() {
        return LENGTH;
      }
    }
    return new Longer(ones(10));
  },
  "a DataView with a length": () =>
    withOwn(new DataView(new ArrayBuffer(10)), "length", LENGTH),
};

function withOwn(object: object, name: string, value: unknown): object {
  return Object.defineProperty(object, name, { value });
}

function expectNothingOld(block: Block<TypedArray>): void {
  const bytes = new Uint8Array(block.view.buffer);
  const isNew = bytes.every((byte) => byte === 0 || byte === 1);
  expect(isNew, `the block shows no old memory: ${Deno.inspect(bytes)}`);
}

const sources: Case[] = Object.entries(SOURCES).map(([name, make]) => ({
  name: `alloc of ${name} shows no old memory`,
  run() {
    for (const options of [undefined, { zeroed: false }]) {
      leaveOldMemory();
      const source = make() as Source;
      try {
        using block = alloc(Uint8Array, source, options);
        expectNothingOld(block);
      } catch (error) {
        if ((error as Error).message.startsWith("not so")) throw error;
        expectTyped(error);
      }
    }
  },
}));

/** User code in the middle of `Arena.alloc`. */
const arena: Case = {
  name:
    "an arena that the length's valueOf resets or disposes hands out nothing of another's",
  run() {
    for (const end of ["reset", Symbol.dispose] as const) {
      const arena = new Arena({ chunkBytes: 1_024 });
      const before = arena.alloc(Uint8Array, 100).fill(1);
      const length = {
        valueOf() {
          arena[end]();
          return 100;
        },
      };
      try {
        arena.alloc(Uint8Array, length as unknown as number);
        throw new Error("not so: a length that is no number is refused");
      } catch (error) {
        if ((error as Error).message.startsWith("not so")) throw error;
        expectTyped(error);
      }
      expect(
        before.length === 0 || before.every((byte) => byte === 1),
        "what was handed out before is detached or as it was",
      );
      arena[Symbol.dispose]();
      collectGarbage();
    }
  },
};

/** The cases of elements. */
export const CASES: readonly Case[] = [...sources, arena];
