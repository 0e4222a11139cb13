/** Transfers of buffers away from blocks and borrowed memory, and what becomes of them. */

import { expectView } from "../checks.ts";
import { BufferHandle } from "../handles.ts";
import { Memory } from "../model.ts";
import { expect } from "../outcome.ts";
import { isDetached, sizeOf } from "../primordials.ts";
import { type Choice, type Operation, remove, type World } from "../world.ts";

/** There are at most so many buffers. */
const MAX_BUFFERS = 6;

type Transfer = readonly [name: string, (buffer: ArrayBuffer) => ArrayBuffer];

/** Ways to transfer a buffer whole. */
const WAYS: readonly Transfer[] = [
  ["transfer", (buffer) => buffer.transfer()],
  ["transferToFixedLength", (buffer) => buffer.transferToFixedLength()],
  [
    "structuredClone",
    (buffer) => structuredClone(buffer, { transfer: [buffer] }),
  ],
];

function anyTransfer({ random }: World): Transfer {
  return WAYS[random.once(6) ? 2 : random.below(2)];
}

const transferBlock: Operation = (world) => {
  const handle = world.pick(world.blocks);
  if (handle === undefined || handle.isFreed) return;
  if (world.buffers.length >= MAX_BUFFERS) return;
  const [name, transfer] = anyTransfer(world);
  return {
    what: `${name} of block ${world.blocks.indexOf(handle)}`,
    call: () => undefined,
    settle() {
      expectView(handle);
      const from = handle.buffer!;
      const buffer = transfer(from);
      expect(isDetached(from), "a detached buffer");
      const memory = handle.memory!;
      // V8 has no backing store for a buffer of no bytes.
      if (memory.size > 0) {
        world.buffers.push(new BufferHandle(buffer, memory, memory));
      }
      handle.end();
    },
  };
};

const transferBorrowed: Operation = (world) => {
  const handle = world.pick(world.borrowed);
  if (handle === undefined || handle.isDisposed) return;
  if (handle.buffer === undefined) return;
  if (world.buffers.length >= MAX_BUFFERS) return;
  const [name, transfer] = anyTransfer(world);
  return {
    what: `${name} of borrowed memory`,
    call: () => undefined,
    settle() {
      // Code that ran meanwhile may have ended it.
      const from = handle.buffer;
      if (from === undefined || isDetached(from)) return;
      const buffer = transfer(from);
      const { memory, holds } = handle;
      if (memory.size > 0) {
        world.buffers.push(new BufferHandle(buffer, memory, holds ?? memory));
      } else world.hasGarbage = true;
      handle.end();
      remove(world.borrowed, handle);
    },
  };
};

/** Transfers a buffer once more, makes it another size, which copies it, or detaches it. */
const transferOn: Operation = (world) => {
  const handle = world.pick(world.buffers);
  if (handle === undefined) return;
  const { random } = world;
  const way = random.below(4);
  return {
    what: ["transfer a buffer on", "resize a buffer", "end a buffer"][way] ??
      "end a buffer",
    call: () => undefined,
    settle() {
      remove(world.buffers, handle);
      const { buffer, memory, holds } = handle;
      // A hold on a Python object is released with the next call that attaches.
      if (holds !== memory) world.hasGarbage = true;
      if (way === 0) {
        const next = anyTransfer(world)[1](buffer);
        world.buffers.push(new BufferHandle(next, memory, holds));
        holds.release();
        return;
      }
      const size = way === 1 ? sizeOf(buffer) + 1 + random.below(9) : 0;
      const next = buffer.transfer(size);
      holds.release();
      if (size === 0) return;
      const contents = new Uint8Array(size);
      contents.set(memory.contents);
      const copy = new Memory(contents, undefined);
      world.buffers.push(new BufferHandle(next, copy, copy));
    },
  };
};

const writeBuffer: Operation = (world) => {
  const handle = world.pick(world.buffers);
  if (handle === undefined) return;
  return {
    what: "write to a buffer",
    call: () => undefined,
    settle() {
      const { memory, buffer } = handle;
      const bytes = world.random.bytes(memory.size).map((byte) => byte | 0x80);
      new Uint8Array(buffer).set(bytes);
      memory.write(0, bytes);
    },
  };
};

/** Transfers of buffers. */
export const TRANSFERS: readonly Choice[] = [
  { weight: 4, plan: transferBlock },
  { weight: 4, plan: transferBorrowed },
  { weight: 7, plan: transferOn },
  { weight: 3, plan: writeBuffer },
];
