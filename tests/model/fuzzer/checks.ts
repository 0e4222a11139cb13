/** Comparisons of the library's things with the model. */

import { FREES_FUNCTIONS } from "../../support/build.ts";
import { attach, python, stats, type TypedArray } from "../../../mod.ts";
import type { BlockHandle, BufferHandle, ScopeHandle } from "./handles.ts";
import type { Memory, Thing } from "./model.ts";
import { expect } from "./outcome.ts";
import {
  areSame,
  blockByteLength,
  blockFreed,
  blockView,
  bufferOf,
  collectGarbage,
  isDetached,
  sizeOf,
} from "./primordials.ts";
import type { World } from "./world.ts";

/** The block's view; the first use makes it. Fails unless it is what it was. */
export function expectView(handle: BlockHandle): TypedArray {
  const view = blockView(handle.block);
  if (handle.view !== undefined) expect(view === handle.view, "the same view");
  handle.view = view;
  handle.buffer = bufferOf(view);
  return view;
}

/** Fails unless the block's view shows what it should. */
export function expectViewOf(handle: BlockHandle, view?: TypedArray): void {
  view ??= blockView(handle.block);
  if (handle.view !== undefined) expect(view === handle.view, "the same view");
  handle.view = view;
  handle.buffer = bufferOf(view);
  expectBytes(new Uint8Array(handle.buffer), handle.memory!, "a view");
}

/** Fails unless the bytes are what the memory has. */
export function expectBytes(
  bytes: Uint8Array,
  memory: Memory,
  what: string,
): void {
  expect(
    bytes.length === memory.size,
    `${memory.size} bytes in ${what}, not ${bytes.length}`,
  );
  expect(areSame(bytes, memory.contents), `the contents of ${what}`);
}

/** Fails unless the bytes are what the memory has, or had while the outermost operation was in progress. */
export function expectSomeVersion(
  bytes: Uint8Array,
  memory: Memory,
  what: string,
): void {
  if (areSame(bytes, memory.contents)) return;
  const isVersion = memory.versions.some((version) => areSame(bytes, version));
  expect(isVersion, `the contents of ${what}`);
}

/** Fails unless everything of the world is as it should. */
export function checkWorld(world: World): void {
  for (const handle of world.blocks) checkBlock(handle);
  for (const handle of world.buffers) checkBuffer(handle);
  for (const { isDisposed, buffer, memory } of world.borrowed) {
    if (isDisposed || buffer === undefined) continue;
    expectBytes(new Uint8Array(buffer), memory, "borrowed memory");
  }
  for (const { arrays } of world.arenas) {
    for (const { buffer, array, contents } of arrays) {
      if (contents.length === 0) continue;
      expect(!isDetached(buffer), "an array of an arena that isn't detached");
      const { byteOffset } = array;
      const bytes = new Uint8Array(buffer, byteOffset, contents.length);
      expect(areSame(bytes, contents), "the contents of an arena's array");
    }
  }
}

function checkBlock(handle: BlockHandle): void {
  const { block, memory } = handle;
  expect(blockFreed(block) === (memory === undefined), "freed or not");
  if (memory === undefined) return;
  expect(blockByteLength(block) === memory.size, `${memory.size} bytes`);
  if (handle.buffer === undefined) return;
  expectViewOf(handle);
}

function checkBuffer({ buffer, memory }: BufferHandle): void {
  expect(!isDetached(buffer), "a buffer that isn't detached");
  expect(sizeOf(buffer) === memory.size, "a buffer's size");
  expectBytes(new Uint8Array(buffer), memory, "a transferred buffer");
}

/** Fails unless Python sees in a variable what it should. */
export function checkVariable(
  { scope }: ScopeHandle,
  name: string,
  thing: Thing,
): void {
  const { memory } = thing;
  if (memory === undefined) return;
  const bytes = python.eval(`bytes(${name})`, { scope });
  expect(bytes instanceof Uint8Array, "bytes of Python");
  expectBytes(bytes, memory, `Python's ${name}`);
}

/** Fails unless the library's counts are the model's. What was lost is collected first, if need be. */
export async function checkCounts(world: World): Promise<void> {
  // What functions refer to that Python keeps for good is alive.
  if (world.fixture.isShared || !FREES_FUNCTIONS) return;
  for (let attempt = 0; attempt < 60; attempt++) {
    if (areCountsRight(world)) {
      return;
    }
    await collect(attempt);
  }
  const { blocks, bytes } = counted();
  const { ledger } = world;
  expect(
    false,
    `${ledger.blocks} blocks of ${ledger.bytes} bytes alive, not ${blocks} of ${bytes}`,
  );
}

/** Has V8 and Python collect all garbage, waiting so many milliseconds. */
async function collect(milliseconds: number): Promise<void> {
  collectGarbage();
  await new Promise((go) => setTimeout(go, milliseconds));
  python.run("import gc; gc.collect()");
}

/** Has everything that was lost collected. The thread isn't attached. */
export async function collectAll(world: World): Promise<void> {
  await collect(0);
  await collect(1);
  await collect(0);
  world.hasGarbage = false;
}

function counted(): { blocks: number; bytes: number } {
  // Attached: Python's own thread isn't in the midst of freeing something.
  using _attached = attach();
  return stats();
}

function areCountsRight({ ledger, arenas }: World): boolean {
  const { blocks, bytes } = counted();
  expect(
    blocks >= ledger.blocks && bytes >= ledger.bytes,
    `at least ${ledger.blocks} blocks of ${ledger.bytes} bytes alive, not ${blocks} of ${bytes}`,
  );
  if (arenas.some(({ isDisposed }) => !isDisposed)) return true;
  return blocks === ledger.blocks && bytes === ledger.bytes;
}
