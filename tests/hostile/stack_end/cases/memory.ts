/** Arenas, memory by address, counts, and attachments. */

import {
  Arena,
  attach,
  detach,
  FreedError,
  python,
  raw,
  stats,
} from "../../../../mod.ts";
import { type Case, defineCase } from "../case.ts";
import {
  expect,
  expectEqual,
  expectThrows,
} from "../../../support/case_programs/expect.ts";
import { isAttached, scope } from "../python_state.ts";

const CHUNK = 4_096;

interface Used {
  arena: Arena;
  numbers: Float64Array;
}

function usedArena(): Used {
  const arena = new Arena({ chunkBytes: CHUNK });
  const numbers = arena.alloc(Float64Array, 2);
  numbers.set([1.5, 2.5]);
  return { arena, numbers };
}

function expectNumbers(numbers: Float64Array): void {
  expectEqual([...numbers], [1.5, 2.5], "what was handed out");
}

/** `arena.alloc` in an arena that was used already. */
function allocating(
  variant: string,
  length: number,
  growth: number,
  offsetAfter: { done: number; refused: number },
): Case<unknown> {
  return defineCase<Used>({
    operation: "Arena.prototype.alloc",
    variant,
    growth: growth === 0 ? undefined : { blocks: 1, bytes: growth },
    prepare: usedArena,
    act: ({ arena }) => arena.alloc(Float64Array, length),
    check({ numbers }, outcome) {
      expectNumbers(numbers);
      if (!outcome.done) return;
      const own = outcome.value as Float64Array;
      expectEqual(own.length, length, "the length");
      expect(own.every((number) => number === 0), "all are zeroes");
    },
    finish({ arena }, outcome) {
      const { byteOffset } = arena.alloc(Float64Array, 1);
      expectEqual(
        byteOffset,
        outcome.done ? offsetAfter.done : offsetAfter.refused,
        "where the next one is",
      );
      arena[Symbol.dispose]();
    },
  });
}

const arenas = [
  defineCase({
    operation: "new Arena",
    variant: "with a size of chunks",
    prepare() {},
    act: () => new Arena({ chunkBytes: CHUNK }),
    check() {},
    finish(_, outcome) {
      if (!outcome.done) return;
      using arena = outcome.value as Arena;
      expectEqual(arena.alloc(Float64Array, 2).length, 2, "the length");
    },
  }),
  defineCase({
    operation: "Arena.prototype.alloc",
    variant: "with the first chunk",
    growth: { blocks: 1, bytes: CHUNK },
    prepare: () => new Arena({ chunkBytes: CHUNK }),
    act: (arena) => arena.alloc(Float64Array, 2),
    check() {},
    finish(arena, outcome) {
      const { byteOffset } = arena.alloc(Float64Array, 1);
      expectEqual(byteOffset, outcome.done ? 16 : 0, "where the next one is");
      arena[Symbol.dispose]();
    },
  }),
  allocating("within a chunk", 3, 0, { done: 40, refused: 16 }),
  allocating("of nothing", 0, 0, { done: 16, refused: 16 }),
  allocating("with another chunk", 511, 2 * CHUNK, {
    done: 511 * 8,
    refused: 16,
  }),
  allocating("with a chunk of its own", 20_000, 160_000, {
    done: 16,
    refused: 16,
  }),
  defineCase<Used>({
    operation: "Arena.prototype.reset",
    variant: "of a used arena",
    growth: { blocks: -1, bytes: -CHUNK },
    prepare: usedArena,
    act: ({ arena }) => arena.reset(),
    check({ numbers }, outcome) {
      if (outcome.done) expectEqual(numbers.length, 0, "length of a detached");
      else expectNumbers(numbers);
    },
    finish({ arena }, outcome) {
      const { byteOffset } = arena.alloc(Float64Array, 1);
      expectEqual(byteOffset, outcome.done ? 0 : 16, "where the next one is");
      arena[Symbol.dispose]();
    },
  }),
  defineCase<Used>({
    operation: "Arena.prototype.reset",
    variant: "of two chunks",
    growth: { blocks: -2, bytes: -3 * CHUNK },
    prepare() {
      const used = usedArena();
      used.arena.alloc(Uint8Array, CHUNK);
      return used;
    },
    act: ({ arena }) => arena.reset(),
    check({ numbers }, outcome) {
      if (outcome.done) expectEqual(numbers.length, 0, "length of a detached");
      else expectNumbers(numbers);
    },
    finish: ({ arena }) => arena[Symbol.dispose](),
  }),
  defineCase<Used>({
    operation: "Arena.prototype[Symbol.dispose]",
    variant: "of two chunks",
    growth: { blocks: -2, bytes: -3 * CHUNK },
    prepare() {
      const used = usedArena();
      used.arena.alloc(Uint8Array, CHUNK);
      return used;
    },
    act: ({ arena }) => arena[Symbol.dispose](),
    check({ arena, numbers }, outcome) {
      if (!outcome.done) return expectNumbers(numbers);
      expectEqual(numbers.length, 0, "length of a detached");
      expectThrows(
        () => arena.alloc(Uint8Array, 1),
        FreedError,
        "alloc of a disposed arena",
      );
    },
    finish: ({ arena }) => arena[Symbol.dispose](),
  }),
];

/** What Python traces is compared in units of this size, beside which Python's own objects are small. */
const TRACED = 1_000_000;

function traced(): number {
  const bytes = python.eval("traced()", { scope }) as number;
  return Math.round(bytes / TRACED);
}

interface Traced {
  /** Memory that was allocated before; 0 if none was. */
  address: number;
  before: number;
  after?: number;
}

/** A function of `raw`, which changes what Python traces by so many units. */
function rawCase(
  operation: string,
  { allocated, change }: { allocated: boolean; change: number },
  act: (address: number) => unknown,
): Case<unknown> {
  return defineCase<Traced>({
    operation,
    variant: "of a megabyte",
    prepare() {
      python.run("tracemalloc.start()", { scope });
      const address = allocated ? raw.malloc(TRACED) : 0;
      return { address, before: traced() };
    },
    act: ({ address }) => act(address),
    check(objects, outcome) {
      // After a collection other trials have changed what is traced, and ended the tracing.
      objects.after ??= traced();
      python.run("tracemalloc.stop()", { scope });
      expectEqual(
        objects.after - objects.before,
        outcome.done ? change : 0,
        "what Python traces more, in megabytes",
      );
    },
    finish({ address }, outcome) {
      if (!outcome.done) raw.free(address);
      else if (typeof outcome.value === "number") raw.free(outcome.value);
    },
  });
}

const byAddress = [
  rawCase(
    "raw.malloc",
    { allocated: false, change: 1 },
    () => raw.malloc(TRACED),
  ),
  rawCase(
    "raw.calloc",
    { allocated: false, change: 1 },
    () => raw.calloc(TRACED / 8, 8),
  ),
  rawCase(
    "raw.realloc",
    { allocated: true, change: 1 },
    (address) => raw.realloc(address, 2 * TRACED),
  ),
  rawCase(
    "raw.free",
    { allocated: true, change: -1 },
    (address) => raw.free(address),
  ),
];

const counts = [
  defineCase({
    operation: "stats",
    variant: "as it is",
    prepare() {},
    act: () => stats(),
    check(_, outcome) {
      if (!outcome.done) return;
      const { blocks } = outcome.value as { blocks: number };
      expect(Number.isSafeInteger(blocks), "the blocks are a whole number");
    },
  }),
];

/** Undoes all attachments of a case, innermost first, and fails if the thread is attached then. */
function disposeAll(...attachments: (Disposable | undefined)[]): void {
  for (const attachment of attachments) attachment?.[Symbol.dispose]();
  expectEqual(isAttached(), false, "that this thread is attached in the end");
}

const attachments = [
  defineCase({
    operation: "attach",
    variant: "of a thread that isn't attached",
    isAttachedAfter: ({ done }) => done,
    prepare() {},
    act: () => attach(),
    check(_, outcome) {
      disposeAll(outcome.done ? outcome.value as Disposable : undefined);
    },
  }),
  defineCase({
    operation: "attach",
    variant: "of an attached thread",
    isAttachedAfter: () => true,
    prepare: () => attach(),
    act: () => attach(),
    check(outer, outcome) {
      disposeAll(
        outcome.done ? outcome.value as Disposable : undefined,
        outer,
      );
    },
  }),
  defineCase({
    operation: "attach()[Symbol.dispose]",
    variant: "of the only attachment",
    isAttachedAfter: ({ done }) => !done,
    prepare: () => attach(),
    act: (attachment) => attachment[Symbol.dispose](),
    check: (attachment) => disposeAll(attachment),
  }),
  defineCase({
    operation: "attach()[Symbol.dispose]",
    variant: "of the inner attachment",
    isAttachedAfter: () => true,
    prepare() {
      const outer = attach();
      return { outer, inner: attach() };
    },
    act: ({ inner }) => inner[Symbol.dispose](),
    check: ({ outer, inner }) => disposeAll(inner, outer),
  }),
  defineCase({
    operation: "attach()[Symbol.dispose]",
    variant: "of one that is disposed",
    prepare() {
      const attachment = attach();
      attachment[Symbol.dispose]();
      return attachment;
    },
    act: (attachment) => attachment[Symbol.dispose](),
    check: (attachment) => disposeAll(attachment),
  }),
  defineCase({
    operation: "detach",
    variant: "of an attached thread",
    isAttachedAfter: ({ done }) => !done,
    prepare: () => attach(),
    act: () => detach(),
    check(outer, outcome) {
      disposeAll(
        outcome.done ? outcome.value as Disposable : undefined,
        outer,
      );
    },
  }),
  defineCase({
    operation: "detach",
    variant: "of a thread that isn't attached",
    prepare() {},
    act: () => detach(),
    check(_, outcome) {
      disposeAll(outcome.done ? outcome.value as Disposable : undefined);
    },
  }),
  defineCase({
    operation: "detach()[Symbol.dispose]",
    variant: "within an attachment",
    isAttachedAfter: ({ done }) => done,
    prepare() {
      const outer = attach();
      return { outer, inner: detach() };
    },
    act: ({ inner }) => inner[Symbol.dispose](),
    check: ({ outer, inner }) => disposeAll(inner, outer),
  }),
];

/** The cases of other memory, and of attachments. */
export const CASES: readonly Case<unknown>[] = [
  ...arenas,
  ...byAddress,
  ...counts,
  ...attachments,
];
