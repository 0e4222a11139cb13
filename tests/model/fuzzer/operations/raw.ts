/** Memory by address, used as it may be: hostile numbers, but never a wrong address. */

import { raw, stats } from "../../../../mod.ts";
import { act, badNumber } from "../hostile.ts";
import { expect } from "../outcome.ts";
import { type Choice, type Operation, remove, type World } from "../world.ts";

const MAX_RAWS = 6;

/** The bytes at an address. */
function bytesAt(address: number, size: number): Uint8Array<ArrayBuffer> {
  const pointer = Deno.UnsafePointer.create(BigInt(address))!;
  const view = Deno.UnsafePointerView.getArrayBuffer(pointer, size);
  return new Uint8Array(view as ArrayBuffer);
}

const allocate: Operation = (world, isHostile) => {
  if (world.raws.length >= MAX_RAWS) return;
  const { random } = world;
  const isTooMany = random.once(30);
  const size = isTooMany ? 2 ** 50 : random.below(300);
  const isBad = isHostile && random.once(2);
  const argument = (isBad ? badNumber(world, size) : size) as number;
  const zeroed = random.once(2);
  return {
    what: `raw.${zeroed ? "calloc" : "malloc"}(${isBad ? "bad" : size})`,
    call: () => zeroed ? raw.calloc(1, argument) : raw.malloc(argument),
    settle(outcome) {
      if (isBad) {
        return outcome.expectThrown({ RangeError: true, TypeError: true });
      }
      if (isTooMany) return outcome.expectThrown({ AllocationError: true });
      if (!outcome.isDone()) return;
      const address = outcome.value as number;
      expect(address > 0 && address % 16 === 0, "an aligned address");
      if (size > 0) {
        const bytes = bytesAt(address, size);
        if (zeroed) expect(bytes.every((byte) => byte === 0), "zeroes");
        bytes.fill(size & 0xff | 0x80);
      }
      world.raws.push({ address, size, isBusy: false });
    },
  };
};

const resize: Operation = (world) => {
  const handle = world.pick(world.raws);
  if (handle === undefined || handle.isBusy) return;
  handle.isBusy = true;
  const size = world.random.below(600);
  const old = handle.size;
  return {
    what: `raw.realloc(${old} to ${size} bytes)`,
    call: () => raw.realloc(handle.address, size),
    settle(outcome) {
      handle.isBusy = false;
      if (!outcome.isDone()) return;
      handle.address = outcome.value as number;
      handle.size = size;
      if (size === 0) return;
      const bytes = bytesAt(handle.address, size);
      const should = old & 0xff | 0x80;
      const kept = bytes.subarray(0, Math.min(old, size));
      expect(kept.every((byte) => byte === should), "raw memory's contents");
      bytes.fill(size & 0xff | 0x80);
    },
  };
};

const free: Operation = (world, isHostile) => {
  const handle = world.pick(world.raws);
  if (handle === undefined || handle.isBusy) return;
  handle.isBusy = true;
  const isBad = isHostile;
  const argument = isBad
    ? { valueOf: () => (act(world), 0) } as unknown as number
    : handle.address;
  return {
    what: `raw.free(${isBad ? "bad" : handle.size})`,
    call: () => raw.free(argument),
    settle(outcome) {
      handle.isBusy = false;
      if (isBad) return outcome.expectThrown({ TypeError: true });
      if (outcome.isDone()) remove(world.raws, handle);
    },
  };
};

const count: Operation = (world) => ({
  what: "stats()",
  call: stats,
  settle(outcome) {
    if (!outcome.isDone()) return;
    const { blocks, bytes, peakBytes } = outcome.value as ReturnType<
      typeof stats
    >;
    expect(blocks >= 0 && bytes >= 0 && peakBytes >= bytes, "sound counts");
    if (outcome.isDisturbed || world.depth > 0) return;
    expect(
      world.fixture.isShared || blocks >= world.ledger.blocks,
      `at least ${world.ledger.blocks} blocks alive, not ${blocks}`,
    );
  },
});

/** Operations on plain memory, and the counts. */
export const RAW: readonly Choice[] = [
  { weight: 3, plan: allocate, isAtomic: true },
  { weight: 3, plan: resize, isAtomic: true },
  { weight: 3, plan: free, isAtomic: true },
  { weight: 3, plan: count, isAtomic: true },
];

/** Frees all. */
export function freeRaws(world: World): void {
  for (const { address } of world.raws) raw.free(address);
  world.raws.length = 0;
}
