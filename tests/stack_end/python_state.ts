/** What the cases ask Python for, and what they look at there. */

import {
  alloc,
  type Block,
  PyObjectRef,
  python,
  PythonScope,
  raw,
  type TypedArray,
} from "../../mod.ts";
import { expect, expectEqual } from "./expect.ts";

const SOURCE = `
import sys, tracemalloc

runs = 0

def ran(result=None):
    global runs
    runs += 1
    return result

class Thing:
    alive = 0
    def __init__(self, value=None):
        Thing.alive += 1
        self.value = value
    def __del__(self):
        Thing.alive -= 1
    def __call__(self, *arguments):
        ran()
        return len(arguments)
    def __str__(self):
        return "a thing"
    @property
    def counted(self):
        return ran(7)

def fail(*arguments):
    ran()
    raise ValueError("on purpose")

def traced():
    return tracemalloc.get_traced_memory()[0]

def refcount(thing):
    # Without the references of the call's own.
    return sys.getrefcount(thing) - 1
`;

/** The scope in which the cases' code runs. */
export const scope = new PythonScope();
python.run(SOURCE, { scope });

const { symbols } = Deno.dlopen(python.library, {
  PyGILState_Check: { parameters: [], result: "i32" },
});

/** Whether this thread is attached to Python. */
export function isAttached(): boolean {
  return symbols.PyGILState_Check() === 1;
}

/** How often code of the cases has run. */
export function runs(): number {
  return python.eval("runs", { scope }) as number;
}

/** How many objects of the cases' class are alive. */
export function thingsAlive(): number {
  return python.eval("Thing.alive", { scope }) as number;
}

/** A new object of the cases' class. */
export function makeThing(): PyObjectRef {
  return python.eval("Thing(1)", { scope }) as PyObjectRef;
}

/** How many references there are to an object, beside the one of the asking call. */
export function referencesTo(object: PyObjectRef): number {
  return python.eval("refcount(it)", {
    scope,
    names: { it: object },
  }) as number;
}

/** A function of the cases' scope. */
export function functionOf(name: string): PyObjectRef {
  return scope.get(name) as PyObjectRef;
}

/** Frees that wait for an attached thread are done in portions, so many of them at most. */
const MAX_PORTIONS = 100;

/** How many blocks of memory Python has; 0 where its allocator doesn't count. */
export function blocksInPython(): number {
  for (let portion = 0; portion < MAX_PORTIONS; portion++) {
    raw.free(raw.malloc(16));
  }
  return python.eval("sys.getallocatedblocks()", { scope }) as number;
}

/** The bytes of a block as Python reads them. */
export function bytesInPython(block: Block<TypedArray>): Uint8Array {
  return python.eval("bytes(block)", { names: { block } }) as Uint8Array;
}

/** Bytes that are no block's by chance. */
export function pattern(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + 1) & 0xff);
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
  const contents = block.view.slice();
  block.realloc(length + 8);
  expectContents(block, new Uint8Array([...contents, ...new Uint8Array(8)]));
  block.free();
}
