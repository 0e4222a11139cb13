import { assert, assertEquals, assertGreater } from "@std/assert";
import { alloc, Arena, attach, raw, stats } from "../../mod.ts";
import { until } from "../support/collection.ts";
import { DEFERRED } from "../support/debug_hooks.ts";

Deno.test("stats are numbers, and a snapshot", () => {
  const before = stats();
  assertEquals(Object.keys(before), [
    "blocks",
    "bytes",
    "peakBytes",
    "reclaimed",
    "deferred",
    "system",
    "references",
    "borrows",
    "scopes",
  ]);
  assert(Object.values(before).every(Number.isSafeInteger));
  const copy = { ...before };
  using _block = alloc(Uint8Array, 1_000);
  assertEquals(before, copy);
  assert(stats() !== before);
});

Deno.test("blocks and bytes count blocks as they were asked for, and chunks of arenas, but not raw memory", () => {
  const before = stats();
  const added = () => {
    const { blocks, bytes } = stats();
    return [blocks - before.blocks, bytes - before.bytes];
  };
  using block = alloc(Uint16Array, 3, { align: 4096 });
  assertEquals(added(), [1, 6]);
  using arena = new Arena({ chunkBytes: 1_000 });
  arena.alloc(Uint8Array, 1);
  assertEquals(added(), [2, 1_006]);
  const address = raw.malloc(100);
  assertEquals(added(), [2, 1_006]);
  raw.free(address);
  block.free();
  assertEquals(added(), [1, 1_000]);
  arena.reset();
  assertEquals(added(), [0, 0]);
});

Deno.test("peakBytes is the most that bytes has ever been", () => {
  const { bytes, peakBytes } = stats();
  const size = peakBytes - bytes + 1_000;
  const block = alloc(Uint8Array, size, { zeroed: false });
  assertEquals(stats().peakBytes, peakBytes + 1_000);
  block.realloc(size + 500);
  assertEquals(stats().peakBytes, peakBytes + 1_500);
  block.realloc(10);
  block.free();
  assertEquals(stats().peakBytes, peakBytes + 1_500);
  using _small = alloc(Uint8Array, 10);
  assertEquals(stats().peakBytes, peakBytes + 1_500);
});

Deno.test("reclaimed counts blocks that were lost, with a view and without", async () => {
  const { blocks, reclaimed } = stats();
  const lose = () => {
    alloc(Uint8Array, 100);
    alloc(Uint8Array, 100).view.fill(1);
    new Arena().alloc(Float64Array, 1);
  };
  lose();
  await until(
    () => stats().blocks <= blocks && stats().reclaimed >= reclaimed + 3,
    "three lost blocks",
  );
});

Deno.test("reclaimed counts no block that was freed", () => {
  const { reclaimed } = stats();
  for (const viewed of [true, false]) {
    const block = alloc(Uint8Array, 100);
    if (viewed) block.view.fill(1);
    block.realloc(200);
    if (viewed) block.view.fill(1);
    block.free();
  }
  assertEquals(stats().reclaimed, reclaimed);
});

Deno.test("deferred counts small blocks that were freed while not attached", () => {
  const deferred = (bytes: number) => {
    const before = stats().deferred;
    alloc(Uint8Array, bytes).free();
    return stats().deferred - before;
  };
  assertEquals(deferred(64), DEFERRED);
  assertEquals(deferred(64 * 1024), DEFERRED);
  assertEquals(deferred(64 * 1024 + 1), 0);
  using _attached = attach();
  assertEquals(deferred(64), 0);
});

Deno.test("system counts what Rust allocated while not attached", () => {
  using block = alloc(Uint8Array, 8);
  const makeView = () => {
    const before = stats().system;
    block.view.fill(1);
    block.realloc(8);
    return stats().system - before;
  };
  assertGreater(makeView(), 0);
  using _attached = attach();
  assertEquals(makeView(), 0);
});
