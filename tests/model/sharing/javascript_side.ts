/** What JavaScript does with its blocks and arrays. */

import {
  alloc,
  AllocationError,
  attach,
  type Block,
  BlockInUseError,
  free,
  FreedError,
  PyObjectRef,
  realloc,
  type TypedArray,
} from "../../../mod.ts";
import { BackingStore, type Buffer, Exporter, Memory } from "./model.ts";
import { anySize, TYPES } from "./sizes.ts";
import {
  addressOf,
  ArrayHandle,
  BlockHandle,
  BorrowedHandle,
  bytesOf,
  expect,
  expectThrows,
  type Handle,
  ReferenceHandle,
  type World,
} from "./world.ts";

/** More than there is. */
const TOO_MUCH = 2 ** 49;

/** Something that can be done; it tells what it did, or nothing if there is nothing to do it with. */
export type Operation = (
  world: World,
) => string | undefined | Promise<string | undefined>;

/** Allocates a block: zeroed and without a view, or with contents. */
export const allocate: Operation = (world) => {
  const { random } = world;
  if (random.once(3)) {
    const contents = random.bytes(anySize(random));
    const block = alloc(Uint8Array, contents);
    const handle = new BlockHandle(block, new Memory("block", contents));
    handle.bytes();
    world.add(handle);
    return `alloc ${contents.length} bytes with contents`;
  }
  const type = random.pick(TYPES)!;
  const bytes = anySize(random);
  const block = alloc(type, bytes / type.BYTES_PER_ELEMENT);
  const memory = new Memory("block", new Uint8Array(bytes));
  world.add(new BlockHandle(block, memory));
  return `alloc ${bytes} bytes of ${type.name}`;
};

/** Writes into a block, an array or borrowed memory. */
export const write: Operation = (world) => {
  const target = anyArray(world);
  if (target === undefined) return;
  const { bytes, offset, memory } = target;
  const { start, end } = world.random.part(bytes.length);
  const value = world.random.below(256);
  bytes.fill(value, start, end);
  memory.contents.fill(value, offset + start, offset + end);
  return `write ${value} to ${start}-${end} of a ${target.what}`;
};

/** Takes a part of a view. */
export const takePart: Operation = (world) => {
  const target = anyArray(world);
  if (target === undefined) return;
  const { start, end } = world.random.part(target.bytes.length);
  const { bytes, buffer, offset, first, what } = target;
  const array = bytes.subarray(start, end);
  world.add(new ArrayHandle(array, buffer, offset - first + start));
  return `take ${start}-${end} of a ${what}`;
};

/** An attached array: its bytes, where they are in the memory, and where its buffer begins there. */
export interface Target {
  readonly handle: BlockHandle | ArrayHandle | BorrowedHandle;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly buffer: Buffer;
  readonly memory: Memory;
  readonly offset: number;
  readonly first: number;
  readonly what: string;
}

/** Any attached array. */
export function anyArray(world: World): Target | undefined {
  const handle = world.random.pick(world.handles.filter(isAttached));
  if (handle === undefined) return;
  const what = handle.constructor.name;
  const bytes = bytesIn(handle);
  const buffer = handle.buffer!;
  const { start: first, memory } = buffer.store!;
  const offset = first + (handle instanceof ArrayHandle ? handle.offset : 0);
  return { handle, bytes, buffer, memory, offset, first, what };
}

function isAttached(handle: Handle): handle is Target["handle"] {
  return handle instanceof BlockHandle ||
    ((handle instanceof ArrayHandle || handle instanceof BorrowedHandle) &&
      !handle.buffer.isDetached);
}

function bytesIn(handle: Target["handle"]): Uint8Array<ArrayBuffer> {
  if (handle instanceof BlockHandle) return handle.bytes();
  if (handle instanceof ArrayHandle) return handle.array;
  return bytesOf(handle.borrowed.view);
}

/** Resizes a block; while Python holds it that must fail, and change nothing. */
export const resize: Operation = (world) => {
  const { random } = world;
  const handle = world.pick(BlockHandle);
  if (handle === undefined) return;
  const { block, memory, buffer } = handle;
  const bytes = anySize(random);
  const length = bytes / block.type.BYTES_PER_ELEMENT;
  const act = () =>
    random.once(2) ? block.realloc(length) : realloc(block, length);
  const did = `realloc ${memory.contents.length} to ${bytes} bytes`;
  const holders = world.model.exporters(memory);
  if (holders > 0) {
    expectBorrowed(block, holders, act);
    return `${did}, refused with ${holders} holders`;
  }
  const old = buffer && block.view;
  expect(act() === block, "realloc gives the same block");
  expect(!old || old.buffer.detached, "realloc detaches the view");
  if (buffer !== undefined) buffer.store = undefined;
  handle.buffer = undefined;
  resizeInModel(world, handle, bytes);
  return did;
};

function resizeInModel(world: World, handle: BlockHandle, bytes: number) {
  const { memory } = handle;
  const contents = new Uint8Array(bytes);
  contents.set(memory.contents.subarray(0, bytes));
  const index = world.handles.indexOf(handle);
  world.handles.splice(index, 1);
  const isOthersToo = world.model.living().has(memory);
  world.handles.splice(index, 0, handle);
  if (isOthersToo) handle.memory = new Memory("block", contents);
  else memory.contents = contents;
}

/** Fails unless resizing fails for so many holders, with nothing changed. */
function expectBorrowed(
  block: Block<TypedArray>,
  holders: number,
  act: () => unknown,
): void {
  const { address, length } = block;
  expectThrows(
    act,
    (it) => it instanceof BlockInUseError && it.holders === holders,
    `a BlockInUseError with ${holders} holders`,
  );
  expect(
    block.address === address && block.length === length,
    "a realloc that is refused changes nothing",
  );
}

/** Asks for more memory than there is: the block stays, without its view. */
export const resizeTooFar: Operation = (world) => {
  const handle = world.pick(BlockHandle);
  if (handle === undefined) return;
  const { block, memory, buffer } = handle;
  const { address } = block;
  const act = () => block.realloc(TOO_MUCH);
  const holders = world.model.exporters(memory);
  if (holders > 0) {
    expectBorrowed(block, holders, act);
    return `realloc to too much, refused with ${holders} holders`;
  }
  expectThrows(
    act,
    (error) => error instanceof AllocationError,
    "an AllocationError",
  );
  if (buffer !== undefined) buffer.store = undefined;
  handle.buffer = undefined;
  expect(block.address === address, "the address stays");
  return "realloc to too much";
};

/** Frees a block, in one of the ways that there are. */
export const release: Operation = (world) => {
  const handle = world.pick(BlockHandle);
  if (handle === undefined) return;
  const { block } = handle;
  const view = handle.buffer && block.view;
  const [did, act] = world.random.pick(
    [
      ["block.free()", () => block.free()],
      ["free(block)", () => free(block)],
      ["dispose the block", () => block[Symbol.dispose]()],
    ] as const,
  )!;
  act();
  if (handle.buffer !== undefined) handle.buffer.store = undefined;
  world.remove(handle);
  expectFreed(block);
  expect(!view || view.buffer.detached, "free detaches the view");
  return did;
};

/** Fails unless the block is freed, and says so. */
export function expectFreed(block: Block<TypedArray>): void {
  expect(block.freed && block.length === 0, "the block is freed");
  const isFreed = (error: Error) => error instanceof FreedError;
  expectThrows(() => block.free(), isFreed, "a FreedError of free");
  expectThrows(() => block.view, isFreed, "a FreedError of view");
  expectThrows(() => block.toPython(), isFreed, "a FreedError of toPython");
  block[Symbol.dispose]();
}

/** Transfers the buffer of a block, an array or borrowed memory away. */
export const transfer: Operation = (world) => {
  const target = anyArray(world);
  if (target === undefined) return;
  const { handle, bytes, offset, first, what } = target;
  const { buffer, byteOffset, length } = bytes;
  const address = addressOf(bytes);
  const isEmpty = buffer.byteLength === 0;
  const isClone = world.random.once(2);
  const array = isClone
    ? structuredClone(bytes, { transfer: [buffer] })
    : new Uint8Array(buffer.transfer(), byteOffset, length);
  const owner = transferInModel(world, target);
  // `ArrayBuffer.transfer` makes a new empty buffer of an empty one, and releases that.
  if (isEmpty && !isClone) {
    owner.store = nothing();
    world.run("pass");
  }
  world.add(new ArrayHandle(array, owner, offset - first));
  const isInPlace = isEmpty || addressOf(array) === address;
  expect(isInPlace, "the memory stays where it is");
  if (handle instanceof BlockHandle) expectFreed(handle.block);
  return `transfer a ${what}${isClone ? " by structuredClone" : ""}`;
};

/** What a buffer of V8's own has that is empty. */
function nothing(): BackingStore {
  return new BackingStore(new Memory("copy", new Uint8Array(0)));
}

/** What has the memory of an array from now on. A block, whose view it was or was a part of, has nothing more to do with it. */
export function transferInModel(world: World, { buffer }: Target): Buffer {
  const owner = world.pick(BlockHandle, (it) => it.buffer === buffer);
  if (owner !== undefined) world.remove(owner);
  return buffer.transfer();
}

/** Lets go of an array: detaches its buffer. */
export const detachArray: Operation = (world) => {
  const handle = world.pick(ArrayHandle);
  if (handle === undefined) return;
  world.remove(handle);
  const { array, buffer } = handle;
  if (buffer.isDetached) return "forget a detached array";
  const isLeased = buffer.store?.lease !== undefined;
  array.buffer.transfer(0);
  buffer.store = undefined;
  // Python releases a buffer at the next call, or when the maintenance thread does.
  if (isLeased) world.run("pass");
  const owner = world.pick(BlockHandle, (it) => it.buffer === buffer);
  if (owner === undefined) return "detach an array";
  world.remove(owner);
  expectFreed(owner.block);
  return "detach a part of a block's view";
};

/** Makes a Python object of a block, of any shape, writable or not. */
export const toPython: Operation = (world) => {
  const { random } = world;
  const handle = world.pick(BlockHandle);
  if (handle === undefined) return;
  const { block, memory } = handle;
  const { length } = block;
  const readonly = random.once(4);
  const shape = random.pick([undefined, [length], [1, length], [length / 2, 2]])
    ?.map(Math.floor);
  if (shape && shape.reduce((one, other) => one * other) !== length) {
    expectThrows(
      () => block.toPython({ shape }),
      (error) => error instanceof RangeError,
      "a RangeError for the shape",
    );
    return `toPython with a shape that doesn't fit`;
  }
  const reference = new PyObjectRef(block.toPython({ shape, readonly }));
  const thing = new Exporter(memory, block.type.name, readonly);
  world.add(new ReferenceHandle(reference, thing));
  return `toPython${readonly ? ", read-only" : ""}`;
};

/** Attaches this thread for a while, or detaches it again. */
export const attachOrDetach: Operation = (world) => {
  if (world.attachment !== undefined) {
    world.letGo();
    return "detach";
  }
  world.attachment = attach();
  return "attach";
};
