/** Allocating, resizing and freeing blocks, and what a block tells of itself. */

import {
  alloc,
  AllocationError,
  Block,
  BlockInUseError,
  free,
  FreedError,
  PyObjectRef,
  python,
  realloc,
  type TypedArray,
} from "../../../../mod.ts";
import { type Case, defineCase, type Growth, type Outcome } from "../case.ts";
import {
  expect,
  expectEqual,
  expectThrows,
} from "../../../support/case_programs/expect.ts";
import {
  bytesInPython,
  expectContents,
  pattern,
  patternBlock,
  resizeAndFree,
} from "../../../support/case_programs/blocks.ts";
import { scope } from "../python_state.ts";

type Bytes = Block<Uint8Array<ArrayBuffer>>;

const LENGTH = 100;
const CONTENTS = pattern(LENGTH);

/** More than is freed later where the thread isn't attached. */
const LARGE = 70_000;

/** More than an allocator gives. */
const TOO_MUCH = 2 ** 52;

function expectFreed(block: Block<TypedArray>): void {
  expectEqual(block.freed, true, "freed");
  expectEqual(block.length, 0, "length");
  expectThrows(() => block.view, FreedError, "the view of a freed block");
  expectThrows(() => block.free(), FreedError, "a second free");
}

/** `alloc`, which makes a block of these bytes or none. */
function allocating(
  variant: string,
  contents: Uint8Array,
  act: () => Block<TypedArray>,
): Case<unknown> {
  return defineCase({
    operation: "alloc",
    variant,
    growth: { blocks: 1, bytes: contents.length },
    prepare() {},
    act,
    check(_, outcome) {
      if (outcome.done) {
        expectContents(outcome.value as Block<TypedArray>, contents);
      }
    },
    finish(_, outcome) {
      if (outcome.done) (outcome.value as Block<TypedArray>).free();
    },
  });
}

const LIST = [...CONTENTS];
const SET = new Set(pattern(30));
const ARRAY_LIKE = { length: 2, 0: 5, 1: 6 };

const allocations = [
  allocating(
    "of a length",
    new Uint8Array(LENGTH),
    () => alloc(Uint8Array, LENGTH),
  ),
  allocating("of nothing", new Uint8Array(0), () => alloc(Float64Array, 0)),
  allocating(
    "with an alignment",
    new Uint8Array(64),
    () => alloc(Float64Array, 8, { align: 256, zeroed: true }),
  ),
  allocating(
    "with elements of a typed array",
    CONTENTS,
    () => alloc(Uint8Array, CONTENTS),
  ),
  allocating(
    "with elements of an array",
    CONTENTS,
    () => alloc(Uint8Array, LIST),
  ),
  allocating(
    "with elements of an iterable",
    Uint8Array.from(SET),
    () => alloc(Uint8Array, SET),
  ),
  allocating(
    "with elements of an array-like",
    Uint8Array.of(5, 6),
    () => alloc(Uint8Array, ARRAY_LIKE),
  ),
  allocating("of much", new Uint8Array(LARGE), () => alloc(Uint8Array, LARGE)),
  defineCase({
    operation: "alloc",
    variant: "of too much",
    throws: AllocationError,
    prepare() {},
    act: () => alloc(Uint8Array, TOO_MUCH),
    check() {},
  }),
];

/** What `realloc` and `free` are applied to. */
interface Held {
  block: Bytes;
  contents: Uint8Array;
  /** A pending holder in Python. */
  object?: PyObjectRef;
}

/** Blocks in the states that an operation may find them in. */
const STATES: Record<string, (length: number) => Held> = {
  "without a view": (length) => ({
    block: patternBlock(length, { view: false }),
    contents: pattern(length),
  }),
  "with a view": (length) => ({
    block: patternBlock(length),
    contents: pattern(length),
  }),
  "never given to Python": (length) => {
    const block = alloc(Uint8Array, length);
    block.view.set(pattern(length));
    return { block, contents: pattern(length) };
  },
};

/** The lengths that are tried in each state. */
const LENGTHS: Record<keyof typeof STATES, number[]> = {
  "without a view": [LENGTH],
  "with a view": [LENGTH, LARGE],
  "never given to Python": [LENGTH],
};

/** From which length to which blocks in each state are resized. */
const RESIZINGS: Record<keyof typeof STATES, [from: number, to: number][]> = {
  "without a view": [[LENGTH, 300]],
  "with a view": [[LENGTH, 300], [LENGTH, 10], [LARGE, 2 * LARGE]],
  "never given to Python": [[LENGTH, 300]],
};

function held(length: number): Held {
  const block = patternBlock(length);
  const object = python.eval("memoryview(block)", {
    names: { block },
  }) as PyObjectRef;
  return { block, contents: pattern(length), object };
}

const reallocations = [
  { operation: "realloc", act: realloc<Uint8Array<ArrayBuffer>> },
  {
    operation: "Block.prototype.realloc",
    act: (block: Bytes, length: number) => block.realloc(length),
  },
].flatMap(({ operation, act }) => [
  ...Object.entries(STATES).flatMap(([state, make]) =>
    RESIZINGS[state].map(([from, to]) =>
      defineCase({
        operation,
        variant: `from ${from} to ${to}, ${state}`,
        growth: { blocks: 0, bytes: to - from },
        prepare: () => make(from),
        act: ({ block }) => act(block, to),
        check({ block, contents }, outcome) {
          const expected = new Uint8Array(outcome.done ? to : from);
          expected.set(contents.subarray(0, expected.length));
          expectContents(block, expected);
        },
        finish: ({ block }) => resizeAndFree(block),
      })
    )
  ),
  defineCase({
    operation,
    variant: "to too much",
    throws: AllocationError,
    prepare: () => STATES["with a view"](LENGTH),
    act: ({ block }) => act(block, TOO_MUCH),
    check: ({ block, contents }) => expectContents(block, contents),
    finish: ({ block }) => resizeAndFree(block),
  }),
  defineCase({
    operation,
    variant: "while Python holds the memory",
    throws: BlockInUseError,
    prepare: () => held(LENGTH),
    act: ({ block }) => act(block, 300),
    check: ({ block, contents }) => expectContents(block, contents),
    finish({ block, object }) {
      object![Symbol.dispose]();
      resizeAndFree(block);
    },
  }),
]);

const frees = [
  { operation: "free", act: free },
  {
    operation: "Block.prototype.free",
    act: (block: Bytes) => block.free(),
  },
  {
    operation: "Block.prototype[Symbol.dispose]",
    act: (block: Bytes) => block[Symbol.dispose](),
  },
].flatMap(({ operation, act }) => [
  ...Object.entries(STATES).flatMap(([state, make]) =>
    LENGTHS[state].map((length) =>
      defineCase({
        operation,
        variant: `of ${length} bytes, ${state}`,
        growth: { blocks: -1, bytes: -length },
        prepare: () => make(length),
        act: ({ block }) => act(block),
        check({ block, contents }, outcome) {
          if (outcome.done) expectFreed(block);
          else expectContents(block, contents);
        },
        finish({ block }, outcome) {
          if (!outcome.done) resizeAndFree(block);
        },
      })
    )
  ),
  defineCase({
    operation,
    variant: "of a view that somebody has, which is detached",
    growth: { blocks: -1, bytes: -LENGTH },
    prepare() {
      const block = patternBlock(LENGTH);
      return { block, part: block.view.subarray(10, 20) };
    },
    act: ({ block }) => act(block),
    check({ block, part }, outcome) {
      expectEqual(part.length, outcome.done ? 0 : 10, "length of a sub-view");
      if (outcome.done) expectFreed(block);
      else expectEqual([...part], [...CONTENTS.subarray(10, 20)], "its bytes");
    },
    finish({ block }, outcome) {
      if (!outcome.done) resizeAndFree(block);
    },
  }),
  defineCase({
    operation,
    variant: "while Python holds the memory",
    prepare: () => held(LENGTH),
    act: ({ block }) => act(block),
    check({ block, contents, object }, outcome) {
      if (outcome.done) expectFreed(block);
      else expectContents(block, contents);
      const names = { it: object! };
      expectEqual(
        python.eval("bytes(it)", { names }),
        contents,
        "what Python holds",
      );
    },
    finish({ block, object }, outcome) {
      object![Symbol.dispose]();
      if (!outcome.done) resizeAndFree(block);
    },
  }),
]);

/** A getter, which changes nothing but that it may make the view. */
function reading<Value>(
  member: string,
  state: string,
  act: (held: Held) => Value,
  check: (value: Value, held: Held) => void,
): Case<unknown> {
  return defineCase<Held>({
    operation: `Block.prototype.${member}`,
    variant: state,
    prepare: () => STATES[state](LENGTH),
    act,
    check(objects, outcome) {
      if (outcome.done) check(outcome.value as Value, objects);
      expectContents(objects.block, objects.contents);
    },
    finish: ({ block }) => resizeAndFree(block),
  });
}

const getters = ["without a view", "with a view"].flatMap((state) => [
  reading(
    "length",
    state,
    ({ block }) => block.length,
    (length) => expectEqual(length, LENGTH, "length"),
  ),
  reading(
    "byteLength",
    state,
    ({ block }) => block.byteLength,
    (length) => expectEqual(length, LENGTH, "byteLength"),
  ),
  reading(
    "address",
    state,
    ({ block }) => block.address,
    (address, { block }) => expectEqual(address, block.address, "address"),
  ),
  reading(
    "freed",
    state,
    ({ block }) => block.freed,
    (freed) => expectEqual(freed, false, "freed"),
  ),
  reading(
    "view",
    state,
    ({ block }) => block.view,
    (view, { block }) => {
      expect(view === block.view, "the view stays the same");
      expectEqual(view.length, LENGTH, "the view's length");
    },
  ),
  reading(
    "pointer",
    state,
    ({ block }) => block.pointer,
    (pointer, { block }) =>
      expectEqual(
        Number(Deno.UnsafePointer.value(pointer)),
        block.address,
        "the pointer's address",
      ),
  ),
]);

/** A block whose view's buffer was transferred away, and whom the buffer went to. */
interface GivenAway {
  block: Bytes;
  buffer: ArrayBuffer;
}

/** What an operation does to a block whose memory was transferred away, which is as freed. */
function ofGivenAway(
  operation: string,
  act: (block: Bytes) => unknown,
  { throws }: { throws?: typeof FreedError } = {},
): Case<unknown> {
  return defineCase<GivenAway>({
    operation,
    variant: "whose view was transferred away",
    throws,
    prepare() {
      const block = patternBlock(LENGTH);
      bytesInPython(block);
      return { block, buffer: block.view.buffer.transfer() };
    },
    act: ({ block }) => act(block),
    check({ block, buffer }) {
      expectFreed(block);
      expectEqual(new Uint8Array(buffer), CONTENTS, "what was transferred");
    },
    finish({ buffer }) {
      buffer.transfer(0);
    },
  });
}

const givenAway = [
  ofGivenAway("Block.prototype.freed", (block) => block.freed),
  ofGivenAway("Block.prototype.length", (block) => block.length),
  ofGivenAway("Block.prototype.byteLength", (block) => block.byteLength),
  ofGivenAway(
    "Block.prototype[Symbol.dispose]",
    (block) => block[Symbol.dispose](),
  ),
  ofGivenAway("Block.prototype.address", (block) => block.address, {
    throws: FreedError,
  }),
  ofGivenAway("Block.prototype.view", (block) => block.view, {
    throws: FreedError,
  }),
  ofGivenAway("Block.prototype.free", (block) => block.free(), {
    throws: FreedError,
  }),
  ofGivenAway("realloc", (block) => realloc(block, 10), { throws: FreedError }),
  ofGivenAway(
    "python.eval",
    (block) => python.eval("bytes(block)", { names: { block } }),
    { throws: FreedError },
  ),
];

const SHAPE = [4, 25];

const exports = ["without a view", "never given to Python"].flatMap((state) => [
  exporting(state, "one-dimensional", {}),
  exporting(state, "with a shape, read-only", {
    shape: SHAPE,
    readonly: true,
  }),
]);

function exporting(
  state: string,
  how: string,
  options: { shape?: number[]; readonly?: boolean },
): Case<unknown> {
  return defineCase<Held>({
    operation: "Block.prototype.toPython",
    variant: `${how}, ${state}`,
    prepare: () => STATES[state](LENGTH),
    act: ({ block }) => block.toPython(options),
    check({ block, contents }, outcome) {
      expectContents(block, contents);
      if (!outcome.done) return;
      using object = PyObjectRef.from(outcome.value as Deno.PointerObject);
      const seen = python.eval("bytes(it)", { names: { it: object } });
      expectEqual(seen, contents, "what the object shows");
    },
    finish({ block }, outcome) {
      if (outcome.done) {
        new PyObjectRef(outcome.value as Deno.PointerObject)[Symbol.dispose]();
      }
      resizeAndFree(block);
    },
  });
}

const NONE: Growth = { blocks: 0, bytes: 0 };

const others = [
  defineCase({
    operation: "new Block",
    variant: "by hand",
    throws: TypeError,
    growth: NONE,
    prepare() {},
    act: () => new (Block as unknown as new () => Bytes)(),
    check() {},
  }),
  defineCase({
    operation: "python.eval",
    variant: "of a block that comes back",
    prepare: () => STATES["with a view"](LENGTH),
    act: ({ block }) => python.eval("ran(it)", { scope, names: { it: block } }),
    check({ block, contents }, outcome: Outcome) {
      if (outcome.done) expect(outcome.value === block, "the same block");
      expectContents(block, contents);
    },
    finish({ block }) {
      python.run("it = None", { scope });
      resizeAndFree(block);
    },
  }),
];

/** The cases of blocks. */
export const CASES: readonly Case<unknown>[] = [
  ...allocations,
  ...reallocations,
  ...frees,
  ...getters,
  ...givenAway,
  ...exports,
  ...others,
];
