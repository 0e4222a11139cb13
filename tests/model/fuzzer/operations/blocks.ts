/** Operations on blocks. */

import {
  alloc,
  free,
  realloc,
  type TypedArray,
  type TypedArrayConstructor,
} from "../../../../mod.ts";
import { CONSTRUCTORS } from "../../../../ffi/elements.ts";
import { expectView, expectViewOf } from "../checks.ts";
import { elementsFor, hasBigInts, MAX_ELEMENT } from "../elements.ts";
import { BlockHandle } from "../handles.ts";
import { act, badNumber, forged, options } from "../hostile.ts";
import { Memory } from "../model.ts";
import { expect } from "../outcome.ts";
import {
  blockAddress,
  blockByteLength,
  blockFreed,
  blockLength,
  blockPointer,
  blockView,
  bufferOf,
  isDetached,
} from "../primordials.ts";
import type { Choice, Operation, World } from "../world.ts";

/** There are at most so many blocks. */
const MAX_BLOCKS = 12;

/** More than any memory. */
const TOO_MANY = 2 ** 46;

/** A length of a block, in elements. */
export function anyLength({ random }: World): number {
  switch (random.below(24)) {
    case 0:
      return 0;
    case 1:
      return 500 + random.below(2_000);
    case 2:
      return random.once(6) ? 8_000 + random.below(80_000) : 1;
    default:
      return 1 + random.below(40);
  }
}

/** Bytes that no elements and no zeroes have. */
function anyContents({ random }: World, size: number): Uint8Array<ArrayBuffer> {
  return random.bytes(size).map((byte) => byte | 0x80);
}

/** The constructor of a typed array. */
function anyType({ random }: World): TypedArrayConstructor<TypedArray> {
  return random.once(2) ? Uint8Array : random.pick(CONSTRUCTORS)!;
}

function oddType(world: World): unknown {
  const { random } = world;
  return random.pick([
    class Subclass extends Uint8Array {},
    new Proxy(Uint8Array, {
      get: (target, key) => (act(world), Reflect.get(target, key)),
    }),
    DataView,
    { BYTES_PER_ELEMENT: 1, name: "Uint8Array" },
    undefined,
    Object.getPrototypeOf(Uint8Array),
    {
      get name() {
        act(world);
        return "x";
      },
      get constructor() {
        act(world);
        return { name: "x" };
      },
    },
  ]);
}

/** Overwrites what a block has, from an offset on, through its view. */
export function fill(world: World, handle: BlockHandle, from = 0): void {
  const memory = handle.memory!;
  const view = expectView(handle);
  const bytes = anyContents(world, memory.size - from);
  new Uint8Array(bufferOf(view)).set(bytes, from);
  memory.write(from, bytes);
}

const allocate: Operation = (world, isHostile) => {
  if (world.blocks.length >= MAX_BLOCKS) return;
  const { random } = world;
  const isOddType = isHostile && random.once(8);
  const type = isOddType
    ? oddType(world) as TypedArrayConstructor<TypedArray>
    : anyType(world);
  const isBad = isHostile && random.once(3);
  const isTooMany = !isBad && random.once(60);
  const length = isTooMany ? TOO_MANY : anyLength(world);
  const argument = isBad ? badNumber(world, length) : length;
  // What is in memory that isn't overwritten can't be told later.
  const zeroed = !world.isBatch && random.once(3)
    ? false
    : random.once(2)
    ? true
    : undefined;
  const align = random.once(4) ? 2 ** random.below(13) : undefined;
  const isBadAlign = isHostile && random.once(4);
  const plain = {
    zeroed,
    align: isBadAlign ? badNumber(world, 16) as number : align,
  };
  const passed = random.once(4) ? undefined : options(world, plain, isHostile);
  const isMalformed = isBad || isOddType ||
    (passed !== undefined && isBadAlign);
  return {
    what: `alloc(${isOddType ? "an odd type" : type.name}, ${
      isBad ? "a bad length" : length
    }, { zeroed: ${zeroed}, align: ${isBadAlign ? "bad" : align} })`,
    call: () => alloc(type, argument as number, passed),
    settle(outcome) {
      const errors = {
        RangeError: isMalformed || (isTooMany && type.BYTES_PER_ELEMENT > 4),
        // V8's own, of a bigint or a symbol where there should be a number.
        TypeError: isMalformed,
        InternalTypeError: isOddType,
        AllocationError: isTooMany,
      };
      if (isMalformed || isTooMany) return outcome.expectThrown(errors);
      if (!outcome.isDone()) return;
      const block = outcome.value as BlockHandle["block"];
      const size = length * type.BYTES_PER_ELEMENT;
      const memory = new Memory(new Uint8Array(size), world.ledger);
      const handle = new BlockHandle(block, type, memory);
      world.blocks.push(handle);
      if (world.isBatch) return;
      if (passed !== undefined && align !== undefined) {
        expect(blockAddress(block) % align === 0, `a multiple of ${align}`);
      }
      if (passed !== undefined && zeroed === false) fill(world, handle);
      else if (random.once(2)) expectViewOf(handle);
    },
  };
};

const allocateElements: Operation = (world, isHostile) => {
  if (world.blocks.length >= MAX_BLOCKS) return;
  const { random } = world;
  const type = anyType(world);
  const { what, source, numbers, isOdd } = elementsFor(world, type, isHostile);
  const passed = random.once(3)
    ? options(world, { zeroed: random.once(2) }, isHostile)
    : undefined;
  return {
    what: `alloc(${type.name}, ${what})`,
    call: () => alloc(type, source as number[], passed),
    settle(outcome) {
      const isDone = outcome.isDone({
        TypeError: numbers === undefined,
        InternalTypeError: isOdd,
        RangeError: numbers === undefined,
        AllocationError: isOdd,
        FreedError: isOdd,
        SyntaxError: isOdd,
      });
      if (!isDone) return;
      const block = outcome.value as BlockHandle["block"];
      const view = blockView(block);
      const buffer = bufferOf(view);
      const bytes = new Uint8Array(buffer).slice();
      if (numbers !== undefined) {
        const Type = type as unknown as ArrayConstructor;
        const own = new Type(numbers.length);
        for (let index = 0; index < numbers.length; index++) {
          own[index] = hasBigInts(type)
            ? BigInt(numbers[index])
            : numbers[index];
        }
        const should = own as unknown as TypedArray;
        expect(
          Array.from(view as Iterable<unknown>).join() ===
            Array.from(should as Iterable<unknown>).join(),
          "the elements that were given",
        );
      } else if (!isOdd) expectNoOldMemory(view);
      const memory = new Memory(bytes, world.ledger);
      const handle = new BlockHandle(block, type, memory);
      handle.view = view;
      handle.buffer = buffer;
      world.blocks.push(handle);
    },
  };
};

/** Fails where an element is none that the fuzzer gives. */
function expectNoOldMemory(view: TypedArray): void {
  for (const element of view as Iterable<number | bigint>) {
    const isGiven = Number.isNaN(element) ||
      (element >= 0 && element < MAX_ELEMENT);
    expect(isGiven, `no old memory; an element is ${element}`);
  }
}

const resize: Operation = (world, isHostile) => {
  const handle = world.pick(world.blocks);
  if (handle === undefined) return;
  const { random } = world;
  const isBad = isHostile && random.once(4);
  const isTooMany = !isBad && random.once(40);
  const length = isTooMany ? TOO_MANY : anyLength(world);
  const argument = (isBad ? badNumber(world, length) : length) as number;
  const zeroed = !world.isBatch && random.once(3) ? false : undefined;
  const passed = random.once(3)
    ? undefined
    : options(world, { zeroed }, isHostile);
  const { block, type } = handle;
  const byFunction = random.once(2);
  const wasFreed = handle.isFreed;
  return {
    what: `realloc(block ${world.blocks.indexOf(handle)}, ${
      isBad ? "a bad length" : length
    })`,
    call: () =>
      byFunction
        ? realloc(block, argument, passed)
        : block.realloc(argument, passed),
    settle(outcome) {
      const { memory } = handle;
      const holders = memory?.exporters ?? 0;
      const mayBeHeld = holders > 0 || outcome.isDisturbed ||
        world.hasGarbage || (memory !== undefined && memory.maybeHeld > 0);
      const errors = {
        FreedError: memory === undefined,
        BlockInUseError: mayBeHeld,
        RangeError: isBad || (isTooMany && type.BYTES_PER_ELEMENT > 4),
        TypeError: isBad,
        AllocationError: isTooMany,
      };
      if (isBad || isTooMany || memory === undefined) {
        outcome.expectThrown(errors);
      }
      if (outcome.threw) {
        outcome.allow(errors);
        if (nameIs(outcome.error, "BlockInUseError") && !outcome.isDisturbed) {
          const passed = (outcome.error as { holders: number }).holders;
          expect(
            passed === holders || world.hasGarbage || memory!.maybeHeld > 0 ||
              memory!.maybeReleased > 0,
            `${holders} holders, not ${passed}`,
          );
        }
        // The view may have been detached before memory was out.
        if (isTooMany || outcome.circumstances.isFailing) forgetView(handle);
        return;
      }
      expect(!wasFreed, "a freed block can't be resized");
      expect(
        holders === 0 || outcome.isDisturbed || memory!.maybeReleased > 0,
        `a BlockInUseError, for ${holders} objects hold the memory`,
      );
      expect(outcome.value === block, "the same block");
      const { buffer } = handle;
      expect(buffer === undefined || isDetached(buffer), "a detached view");
      const oldSize = memory!.size;
      memory!.resize(length * type.BYTES_PER_ELEMENT);
      handle.view = handle.buffer = undefined;
      if (passed !== undefined && zeroed === false && memory!.size > oldSize) {
        fill(world, handle, oldSize);
      } else if (!world.isBatch && random.once(3)) expectViewOf(handle);
    },
  };
};

function nameIs(error: unknown, name: string): boolean {
  return (error as Error).name === name;
}

function forgetView(handle: BlockHandle): void {
  if (handle.buffer === undefined || !isDetached(handle.buffer)) return;
  handle.view = handle.buffer = undefined;
}

const release: Operation = (world) => {
  const handle = world.pick(world.blocks);
  if (handle === undefined) return;
  if (!handle.isFreed && world.blocks.length < 4 && world.random.once(2)) {
    return;
  }
  const { block } = handle;
  const way = world.random.below(3);
  return {
    what: `${["free", "block.free", "dispose"][way]} block ${
      world.blocks.indexOf(handle)
    }`,
    call: () =>
      way === 0
        ? free(block)
        : way === 1
        ? block.free()
        : block[Symbol.dispose](),
    settle(outcome) {
      const { isFreed, buffer } = handle;
      if (isFreed && way < 2 && !outcome.isDisturbed) {
        outcome.expectThrown({ FreedError: true });
      }
      if (!outcome.isDone({ FreedError: isFreed })) return;
      if (isFreed) return;
      expect(buffer === undefined || isDetached(buffer), "a detached view");
      handle.end();
      expect(blockFreed(block), "a freed block");
    },
  };
};

/** Forgets blocks that are freed, for there to be room for others. */
const forgetFreed: Operation = (world) => {
  const index = world.blocks.findIndex(({ isFreed }) => isFreed);
  if (index < 0) return;
  return {
    what: `forget block ${index}, which is freed`,
    call: () => undefined,
    settle: () => void world.blocks.splice(index, 1),
  };
};

const look: Operation = (world) => {
  const handle = world.pick(world.blocks);
  if (handle === undefined) return;
  const { block } = handle;
  const way = world.random.below(6);
  const ways = [
    blockLength,
    blockByteLength,
    blockFreed,
    blockAddress,
    blockPointer,
    blockView,
  ];
  const look = ways[way];
  return {
    what: `look at block ${world.blocks.indexOf(handle)}'s ${
      ["length", "byteLength", "freed", "address", "pointer", "view"][way]
    }`,
    call: () => look(block),
    settle(outcome) {
      const { memory, type } = handle;
      if (memory === undefined && way > 2) {
        outcome.expectThrown({ FreedError: true });
      }
      if (!outcome.isDone({ FreedError: memory === undefined })) return;
      const { value } = outcome;
      const size = memory?.size ?? 0;
      if (way === 0) {
        expect(value === size / type.BYTES_PER_ELEMENT, "its length");
      } else if (way === 1) expect(value === size, "its size");
      else if (way === 2) {
        expect(value === (memory === undefined), "whether it is freed");
      } else if (way === 5 && world.isBatch) {
        handle.view = value as TypedArray;
        handle.buffer = bufferOf(handle.view);
      } else if (way === 5 && !outcome.isDisturbed) {
        expectViewOf(handle, value as TypedArray);
      }
    },
  };
};

const write: Operation = (world) => {
  const handle = world.pick(world.blocks);
  if (handle === undefined || handle.isFreed) return;
  return {
    what: `fill block ${world.blocks.indexOf(handle)}`,
    call: () => undefined,
    settle: () => fill(world, handle),
  };
};

/** Gives a block, or its view, properties of their own that say what isn't so. */
const decorate: Operation = (world, isHostile) => {
  if (!isHostile || world.fixture.without.has("decoration")) return;
  const handle = world.pick(world.blocks);
  if (handle === undefined || handle.isFreed) return;
  const { random } = world;
  const hostile = (value: unknown) =>
    random.once(2) ? { value, configurable: true } : {
      configurable: true,
      get() {
        act(world);
        return value;
      },
    };
  const onView = random.once(2);
  const name = random.pick(
    onView
      ? ["length", "buffer", "byteLength", "constructor", "byteOffset", "set"]
      : ["type", "length", "byteLength", "freed", "address", "view"],
  )!;
  const value = random.pick([
    0,
    1,
    100,
    true,
    undefined,
    Uint8Array,
    new ArrayBuffer(4),
    new Uint8Array(3),
    () => act(world),
  ]);
  return {
    what: `give block ${world.blocks.indexOf(handle)}${
      onView ? "'s view" : ""
    } a property "${name}" of its own`,
    call: () => undefined,
    settle() {
      const target = onView ? expectView(handle) : handle.block;
      Object.defineProperty(target, name, hostile(value));
      if (onView && random.once(6)) Object.setPrototypeOf(target, null);
      handle.isDecorated = true;
    },
  };
};

/** What isn't a block where one should be. */
const misuse: Operation = (world, isHostile) => {
  if (!isHostile) return;
  const what = forged(world) as BlockHandle["block"];
  const { prototype } = world.pick(world.blocks)?.block.constructor ?? {};
  const way = world.random.below(prototype === undefined ? 2 : 5);
  const call = [
    () => free(what),
    () => realloc(what, 3),
    () => (prototype as BlockHandle["block"]).free.call(what),
    () => blockView(what),
    () => (prototype as BlockHandle["block"]).toPython.call(what),
  ][way];
  return {
    what: "a forged block",
    call,
    settle(outcome) {
      outcome.expectThrown({ TypeError: true, RangeError: true });
    },
  };
};

/** The operations on blocks. */
export const BLOCKS: readonly Choice[] = [
  { weight: 10, plan: allocate, isAtomic: true },
  { weight: 8, plan: allocateElements, isAtomic: true },
  { weight: 12, plan: resize, isAtomic: true },
  { weight: 9, plan: release, isAtomic: true },
  { weight: 9, plan: forgetFreed },
  { weight: 12, plan: look, isAtomic: true },
  { weight: 6, plan: write },
  { weight: 2, plan: decorate },
  { weight: 2, plan: misuse },
];
