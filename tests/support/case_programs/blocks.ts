/** Blocks with known contents, and looking at both sides of them. */

import { alloc, type Block, python, type TypedArray } from "../../../mod.ts";
import { expect, expectEqual } from "./expect.ts";

/** The bytes of a block as Python reads them. */
export function bytesInPython(block: Block<TypedArray>): Uint8Array {
  return python.eval("bytes(block)", { names: { block } }) as Uint8Array;
}

const patterns = new Map<number, Uint8Array<ArrayBuffer>>();

/** Bytes that are no block's by chance. The same array each time. */
export function pattern(length: number): Uint8Array<ArrayBuffer> {
  const known = patterns.get(length);
  if (known !== undefined) return known;
  const made = Uint8Array.from({ length }, (_, index) => index * 7 + 1);
  patterns.set(length, made);
  return made;
}

/** A block of `pattern`, with or without a view. */
export function patternBlock(
  length: number,
  { view = true } = {},
): Block<Uint8Array<ArrayBuffer>> {
  const block = alloc(Uint8Array, length);
  const memory = python.borrow("block", Uint8Array, { names: { block } });
  memory.view.set(pattern(length));
  memory[Symbol.dispose]();
  if (view) block.view;
  return block;
}

/** Fails unless the block is alive, and both sides see this in it. */
export function expectContents(
  block: Block<TypedArray>,
  contents: Uint8Array,
): void {
  expectEqual(block.freed, false, "freed");
  expectEqual(block.byteLength, contents.length, "byteLength");
  expect(block.address % 16 === 0, "the address is one of the allocator's");
  const shown = new Uint8Array(block.view.buffer);
  const names = { block, contents, shown };
  if (python.eval("bytes(block) == shown == contents", { names })) return;
  expectEqual(bytesInPython(block), contents, "what Python reads");
  expectEqual(shown, contents, "what the view shows");
}

/** Resizes a block, which nobody in Python may hold any more, and frees it. */
export function resizeAndFree(block: Block<Uint8Array<ArrayBuffer>>): void {
  const { length } = block;
  const contents = new Uint8Array(length + 8);
  contents.set(block.view);
  block.realloc(length + 8);
  expectContents(block, contents);
  block.free();
}
