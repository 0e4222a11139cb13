/** What user code does to a block while an operation uses it, and what the operation may come to. */

import {
  alloc,
  AllocationError,
  Block,
  BlockInUseError,
  BufferError,
  FreedError,
  LibraryError,
  python,
  PythonError,
  raw,
} from "../../../mod.ts";
import {
  bytesInPython,
  pattern,
  patternBlock,
} from "../../support/case_programs/blocks.ts";
import {
  expect,
  expectEqual,
  expectThrows,
} from "../../support/case_programs/expect.ts";

/** A block of bytes. */
export type Bytes = Block<Uint8Array<ArrayBuffer>>;

/** How long the blocks are that are ambushed. */
export const LENGTH = 100;

/** What is in them. */
export const CONTENTS: Uint8Array = pattern(LENGTH);

/** What memory is overwritten with once it is free. */
const SCRIBBLE = 0xee;

/** What blocks have in them that are allocated in the place of a freed one. */
const REPLACEMENT = 0x99;

const GROWN = 300;

/** What user code can't change any more: the getters and methods as they are before it runs. */
const viewOf = getter(Block.prototype, "view");
const isFreed = getter(Block.prototype, "freed");
const { realloc, free } = Block.prototype;
const bufferOf = getter(Object.getPrototypeOf(Uint8Array.prototype), "buffer");
const copyOf = ArrayBuffer.prototype.slice;
const transferOf = ArrayBuffer.prototype.transfer;
const isDetached = getter(ArrayBuffer.prototype, "detached");

// deno-lint-ignore no-explicit-any -- it is called with any object
function getter(prototype: object, name: string): (this: any) => unknown {
  return Object.getOwnPropertyDescriptor(prototype, name)!.get!;
}

/** Transfers the buffer of a block's view, whatever properties that has. */
function transfer(block: Bytes, ...length: [number?]): ArrayBuffer {
  const buffer = bufferOf.call(viewOf.call(block)) as ArrayBuffer;
  return transferOf.call(buffer, ...length);
}

/** Ways to pull a block's memory away. */
export const ATTACKS: Readonly<Record<string, (block: Bytes) => void>> = {
  "frees it": (block) => block.free(),
  "frees it and allocates another": (block) => {
    block.free();
    kept.push(filled(LENGTH, REPLACEMENT));
  },
  "grows it": (block) => {
    block.realloc(GROWN);
  },
  "shrinks it to nothing": (block) => {
    block.realloc(0);
  },
  "transfers its view away": (block) => {
    transfer(block, 0);
  },
  "transfers its view away and allocates others": (block) => {
    transfer(block, 0);
    scribble();
  },
  "transfers its view and keeps that": (block) => {
    kept.push(new Uint8Array(transfer(block)));
  },
};

/** What may be in a block, or come of it: its bytes before an attack or after it. */
const MOMENTS: readonly Uint8Array[] = [
  CONTENTS,
  new Uint8Array([...CONTENTS, ...new Uint8Array(GROWN - LENGTH)]),
  new Uint8Array(0),
  // It was shrunk to nothing, and grown again.
  new Uint8Array(LENGTH),
];

/** What attacks allocated, so that it lives until the case ends. */
let kept: unknown[] = [];

function filled(length: number, byte: number): Bytes {
  const block = alloc(Uint8Array, length);
  block.view.fill(byte);
  return block;
}

/** Overwrites what is free. */
export function scribble(): void {
  for (const length of [16, LENGTH, LENGTH, GROWN]) {
    const blocks = Array.from({ length: 20 }, () => filled(length, SCRIBBLE));
    for (const block of blocks) block.free();
  }
  // Somebody attaches, so that what was freed later is free now, and Python writes over it.
  python.eval("[bytes([65]) * size for size in range(8, 400, 8)] and None");
}

/** Calls a function the first time only. */
export function once(run: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    run();
  };
}

/** The errors that an operation may end with where it is ambushed. */
const TYPED = [
  FreedError,
  BlockInUseError,
  BufferError,
  TypeError,
  RangeError,
  AllocationError,
  LibraryError,
];

/** Fails unless the error is one of the library's, or a JavaScript error that tells of a bad argument. */
export function expectTyped(error: unknown): void {
  if (TYPED.some((type) => error instanceof type)) return;
  if (error instanceof PythonError && error.type === "NameError") return;
  throw new Error(`the operation threw ${error}`, { cause: error });
}

/** Fails unless these are the bytes of one moment. */
export function expectMoment(bytes: Uint8Array, what: string): void {
  const isMoment = MOMENTS.some((moment) =>
    moment.length === bytes.length &&
    moment.every((byte, index) => byte === bytes[index])
  );
  expect(isMoment, `${what} is of one moment: ${Deno.inspect(bytes)}`);
}

/** An operation on a block, which has the attack run wherever it can. What it returns are the block's bytes, if it returns bytes. */
export type Ambushed = (block: Bytes, attack: () => void) => unknown;

/** The bytes that a view shows, whatever properties it has; a detached one has none. */
function bytesShown(view: unknown): Uint8Array {
  const buffer = bufferOf.call(view) as ArrayBuffer;
  if (isDetached.call(buffer)) return new Uint8Array(0);
  return new Uint8Array(copyOf.call(buffer, 0));
}

/** After one in so many ambushes the collector runs, before the block is looked at. */
const COLLECTED = 4;

let ambushes = 0;

/** Ambushes an operation by an attack, on a block with a view or without. */
export async function ambush(
  operation: Ambushed,
  attack: (block: Bytes) => void,
  { view }: { view: boolean },
): Promise<void> {
  kept = [];
  const block = patternBlock(LENGTH, { view });
  const shown = view ? block.view : undefined;
  let result: unknown;
  try {
    result = await operation(block, once(() => attack(block)));
  } catch (error) {
    expectTyped(error);
  }
  scribble();
  if (ambushes++ % COLLECTED === 0) collectGarbage();
  if (result instanceof Uint8Array) expectMoment(result, "the result");
  if (shown !== undefined) expectMoment(bytesShown(shown), "the view before");
  if (!isFreed.call(block)) {
    expectMoment(bytesInPython(block), "the block, as Python reads it");
    expectMoment(bytesShown(viewOf.call(block)), "the block's view");
    await expectResizable(block);
    free.call(block);
  } else {
    expectThrows(() => viewOf.call(block), FreedError, "a freed block's view");
    expectThrows(() => free.call(block), FreedError, "a second free");
  }
  for (const it of kept) {
    const bytes = it instanceof Uint8Array ? it : (it as Bytes).view;
    if (it instanceof Uint8Array) expectMoment(bytes, "what was transferred");
    else expectEqual(bytes, filledBytes(REPLACEMENT), "the other block");
  }
  for (const it of kept) if (!(it instanceof Uint8Array)) (it as Bytes).free();
  kept = [];
  raw.free(raw.malloc(LENGTH));
}

/** Fails if something of Python's holds the memory, but for what is lost and will be collected. */
async function expectResizable(block: Bytes): Promise<void> {
  try {
    realloc.call(block, LENGTH);
  } catch (error) {
    if (!(error instanceof BlockInUseError)) throw error;
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 10));
    python.eval("1");
    realloc.call(block, LENGTH);
  }
}

function filledBytes(byte: number): Uint8Array {
  return new Uint8Array(LENGTH).fill(byte);
}

/** Collects all garbage now. */
export function collectGarbage(): void {
  (globalThis as unknown as { gc(): void }).gc();
}
