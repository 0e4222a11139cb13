/** Operations on arenas. */

import { Arena, type TypedArray } from "../../../../mod.ts";
import { CONSTRUCTORS } from "../../../../ffi/elements.ts";
import { type ArenaArray, ArenaHandle } from "../handles.ts";
import { badNumber, forged, options } from "../hostile.ts";
import { expect } from "../outcome.ts";
import { bufferOf, isDetached, lengthOf } from "../primordials.ts";
import { type Choice, type Operation, remove, type World } from "../world.ts";

const MAX_ARENAS = 2;
const MAX_ARRAYS = 30;

const make: Operation = (world, isHostile) => {
  if (world.arenas.length >= MAX_ARENAS) return;
  const { random } = world;
  const isBad = isHostile && random.once(3);
  const chunkBytes = 1 + random.below(2_000);
  const argument = isBad ? badNumber(world, 100) as number : chunkBytes;
  const passed = random.once(3)
    ? undefined
    : options(world, { chunkBytes: argument }, isHostile);
  return {
    what: `new Arena(${isBad ? "a bad size" : chunkBytes})`,
    call: () => new Arena(passed),
    settle(outcome) {
      const errors = { RangeError: isBad, TypeError: isBad };
      if (isBad && passed !== undefined) return outcome.expectThrown(errors);
      if (!outcome.isDone()) return;
      world.arenas.push(new ArenaHandle(outcome.value as Arena));
    },
  };
};

const allocate: Operation = (world, isHostile) => {
  const handle = world.pick(world.arenas);
  if (handle === undefined || handle.arrays.length >= MAX_ARRAYS) return;
  const { random } = world;
  const type = random.pick(CONSTRUCTORS)!;
  const isBad = isHostile && random.once(2);
  const length = random.once(10) ? random.below(1_000) : random.below(12);
  const argument = (isBad ? badNumber(world, length) : length) as number;
  return {
    what: `arena.alloc(${type.name}, ${isBad ? "a bad length" : length})`,
    call: () => handle.arena.alloc(type, argument),
    settle(outcome) {
      const { isDisposed } = handle;
      const errors = {
        FreedError: isDisposed,
        RangeError: isBad,
        TypeError: isBad,
        AllocationError: isBad,
      };
      if ((isBad || isDisposed) && !outcome.isDisturbed) {
        return outcome.expectThrown(errors);
      }
      if (!outcome.isDone(errors)) return;
      const array = outcome.value as TypedArray;
      const buffer = bufferOf(array);
      // It may have been detached meanwhile.
      if ((outcome.isDisturbed || world.isBatch) && isDetached(buffer)) return;
      expect(lengthOf(array) === length, "an array of the length");
      const bytes = new Uint8Array(buffer, array.byteOffset, array.byteLength);
      expect(bytes.every((byte) => byte === 0), "zeroes in an arena's array");
      const contents = random.bytes(bytes.length).map((byte) => byte | 0x80);
      bytes.set(contents);
      handle.arrays.push({ array, buffer, contents });
    },
  };
};

const misuse: Operation = (world, isHostile) => {
  const handle = world.pick(world.arenas);
  if (handle === undefined || !isHostile) return;
  const type = forged(world) as Uint8ArrayConstructor;
  return {
    what: "arena.alloc(of no type)",
    call: () => handle.arena.alloc(type, 3),
    settle(outcome) {
      outcome.expectThrown({
        TypeError: true,
        InternalTypeError: true,
        FreedError: handle.isDisposed,
      });
    },
  };
};

function expectDetached(arrays: readonly ArenaArray[]): void {
  for (const { buffer, contents } of arrays) {
    if (contents.length === 0) continue;
    expect(isDetached(buffer), "a detached array");
  }
}

const reset: Operation = (world) => {
  const handle = world.pick(world.arenas);
  if (handle === undefined) return;
  const isEnd = world.random.once(3);
  const { arena } = handle;
  return {
    what: isEnd ? "dispose an arena" : "arena.reset()",
    call: () => isEnd ? arena[Symbol.dispose]() : arena.reset(),
    settle(outcome) {
      const { isDisposed } = handle;
      if (isDisposed && !isEnd) outcome.expectThrown({ FreedError: true });
      if (!outcome.isDone({ FreedError: isDisposed })) return;
      if (!outcome.isDisturbed) expectDetached(handle.arrays);
      handle.arrays = [];
      if (!isEnd) return;
      handle.isDisposed = true;
      if (isDisposed) remove(world.arenas, handle);
    },
  };
};

/** Transfers an array's buffer away: its siblings are detached with it. */
const transfer: Operation = (world) => {
  const handle = world.pick(world.arenas);
  const array = world.pick(handle?.arrays ?? []);
  if (handle === undefined || array === undefined) return;
  return {
    what: "transfer an arena's array away",
    call: () => undefined,
    settle() {
      const { buffer } = array;
      handle.arrays = handle.arrays.filter((it) => it.buffer !== buffer);
      buffer.transfer(0);
    },
  };
};

/** Operations on arenas. Near the end of the stack, an arena may have a chunk more than its arrays tell of. */
export const ARENAS: readonly Choice[] = [
  { weight: 1, plan: make, isAtomic: true },
  { weight: 10, plan: allocate, isAtomic: true },
  { weight: 1, plan: misuse },
  { weight: 2, plan: reset, isAtomic: true },
  { weight: 1, plan: transfer },
];

/** Ends every arena of the world. */
export function disposeArenas(world: World): void {
  for (const { arena } of world.arenas) arena[Symbol.dispose]();
  world.arenas.length = 0;
}
