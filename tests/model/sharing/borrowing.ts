/** What JavaScript borrows from Python, and gives back. */

import {
  BufferError,
  python,
  type TypedArray,
  type TypedArrayConstructor,
} from "../../../mod.ts";
import type { Operation } from "./javascript_side.ts";
import {
  BackingStore,
  Buffer,
  contents,
  type Exporting,
  Lease,
  Memory,
} from "./model.ts";
import { raised } from "./python_side.ts";
import { TYPES } from "./sizes.ts";
import {
  addressOf,
  BlockHandle,
  BorrowedHandle,
  expect,
  expectThrows,
  isExporting,
  ReferenceHandle,
  type World,
} from "./world.ts";

/** Borrows the memory of a variable, or of what a reference or a pointer refers to. */
export const borrow: Operation = (world) => {
  const found = world.random.once(2) ? ofVariable(world) : ofReference(world);
  if (found === undefined) return;
  const { thing, source, options, what } = found;
  if (!isExporting(thing)) {
    expectThrows(
      () => python.borrow(source, options),
      (error) => raised("TypeError")(error) || raised("ValueError")(error),
      "a TypeError, or a ValueError of a memoryview that was released",
    );
    return `borrow ${what}, which has no buffer`;
  }
  const type = typeToAskFor(world, thing);
  if (thing.readonly && world.random.once(2)) {
    expectRefused("readOnly", () => python.borrow(source, type!, options));
    return `borrow ${what}, refused as read-only`;
  }
  const isCopied = thing.readonly;
  const copy = isCopied || world.random.once(4);
  const borrowed = python.borrow(source, type!, { ...options, copy });
  expect(borrowed.copied === isCopied, "it is copied only if it must be");
  expect(borrowed.view.byteLength === thing.length, "all of it is borrowed");
  expectShownInPlace(world, thing, borrowed.view, isCopied);
  const store = isCopied
    ? new BackingStore(new Memory("copy", contents(thing).slice()))
    : new BackingStore(thing.memory, new Lease(thing));
  world.add(new BorrowedHandle(borrowed, new Buffer(store)));
  return `borrow ${what}${isCopied ? ", a copy" : ""}`;
};

function ofVariable({ random, variables, scope }: World) {
  const at = random.below(variables.length + 1);
  const thing = variables[at];
  if (thing === undefined) return;
  const options = { scope, names: { at } };
  return { thing, source: "v[at]", options, what: `v[${at}]` };
}

function ofReference(world: World) {
  const handle = world.pick(ReferenceHandle);
  if (handle === undefined) return;
  const { reference, thing } = handle;
  const source = world.random.once(2) ? reference : reference.pointer;
  return { thing, source, options: {}, what: "a reference" };
}

/** None, or the one that fits. */
function typeToAskFor(
  { random }: World,
  { elements }: Exporting,
): TypedArrayConstructor<TypedArray> | undefined {
  if (random.once(2)) return undefined;
  return TYPES.find(({ name }) => name === elements);
}

/** Fails unless the array lies where the block does. */
function expectShownInPlace(
  world: World,
  { memory, start, length }: Exporting,
  view: TypedArray,
  isCopy: boolean,
): void {
  const owner = world.handles.find((it): it is BlockHandle =>
    it instanceof BlockHandle && it.memory === memory
  );
  if (owner === undefined || length === 0) return;
  const isInPlace = addressOf(view) === owner.block.address + start;
  expect(isInPlace === !isCopy, "it is shown in place unless it is copied");
}

/** Asks for memory as elements that it doesn't have. */
export const borrowWrongly: Operation = (world) => {
  const place = world.place(isExporting);
  if (place === undefined) return;
  const { at } = place;
  const options = { scope: world.scope, names: { at } };
  expectRefused(
    "element",
    () => python.borrow("v[at]", Uint32Array, options),
  );
  return `borrow v[${at}] as what it isn't`;
};

function expectRefused(
  reason: BufferError["reason"],
  act: () => unknown,
): void {
  expectThrows(
    act,
    (error) => error instanceof BufferError && error.reason === reason,
    `a BufferError for its ${reason}`,
  );
}

/** Gives borrowed memory back. */
export const giveBack: Operation = (world) => {
  const handle = world.pick(BorrowedHandle);
  if (handle === undefined) return;
  const { borrowed, buffer } = handle;
  const { view } = borrowed;
  borrowed[Symbol.dispose]();
  borrowed[Symbol.dispose]();
  buffer.store = undefined;
  world.remove(handle);
  expect(view.buffer.detached && borrowed.disposed, "it is detached");
  return "give borrowed memory back";
};
