/** The real things of a history beside those of the model, and the comparison of the two. */

import { Buffer as Bytes } from "node:buffer";
import {
  attach,
  type Block,
  type Borrowed,
  type PyArg,
  type PyObjectRef,
  python,
  PythonError,
  type PythonScope,
  stats,
  type TypedArray,
} from "../../../mod.ts";
import {
  BackingStore,
  Buffer,
  contents,
  type Expected,
  Exporter,
  type Exporting,
  type Exposed,
  type Memory,
  MemoryView,
  Model,
  PythonArray,
  type PythonThing,
  type Thing,
} from "./model.ts";
import { Random } from "./random.ts";
import type { Surroundings } from "./fixture.ts";

/** How many variables Python has: the elements of the list `v`. */
export const VARIABLES = 6;

/**
 * Whether the last holder of an object frees it. Without the GIL, the thread that made it does, the next time that it runs Python
 * code, or Python's collector; and 3.13 keeps functions for good there.
 */
export const HAS_GIL: boolean = python.eval(
  "getattr(__import__('sys'), '_is_gil_enabled', lambda: True)()",
) as boolean;

/** A block that JavaScript has. */
export class BlockHandle {
  /** Its view's, once it is made. */
  buffer: Buffer | undefined;

  constructor(
    readonly block: Block<TypedArray>,
    public memory: Memory,
  ) {}

  things(): Thing[] {
    return [this.buffer ?? this.memory];
  }

  /** The block's bytes; the first use makes its view. */
  bytes(): Uint8Array<ArrayBuffer> {
    this.buffer ??= new Buffer(new BackingStore(this.memory));
    return bytesOf(this.block.view);
  }
}

/** A typed array that JavaScript has: over a part of a view, or over what was transferred. */
export class ArrayHandle {
  constructor(
    readonly array: Uint8Array<ArrayBuffer>,
    readonly buffer: Buffer,
    readonly offset: number,
  ) {}

  things(): Thing[] {
    return [this.buffer];
  }
}

/** A reference to a Python object. */
export class ReferenceHandle {
  constructor(
    readonly reference: PyObjectRef,
    readonly thing: PythonThing,
  ) {}

  things(): Thing[] {
    return [this.thing];
  }
}

/** Borrowed memory. */
export class BorrowedHandle {
  constructor(
    readonly borrowed: Borrowed<TypedArray>,
    readonly buffer: Buffer,
  ) {}

  things(): Thing[] {
    return [this.buffer];
  }
}

/** Something that goes on elsewhere and holds things until it is finished: a read, code on another thread, a Worker. */
export class PendingHandle {
  constructor(
    readonly kind: string,
    readonly things: () => Thing[],
    readonly finish: () => Promise<void>,
  ) {}
}

export type Handle =
  | BlockHandle
  | ArrayHandle
  | ReferenceHandle
  | BorrowedHandle
  | PendingHandle;

type HandleClass<H extends Handle> = abstract new (...args: never[]) => H;

/** The bytes of a typed array. */
export function bytesOf(array: TypedArray): Uint8Array<ArrayBuffer> {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Where a typed array lies in memory. */
export function addressOf(array: TypedArray): number {
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(array)));
}

/** Fails unless the condition holds. */
export function expect(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`expected: ${what}`);
}

/** Fails unless the function throws an error that the check accepts. */
export function expectThrows(
  run: () => unknown,
  accepts: (error: Error) => boolean,
  what: string,
): void {
  try {
    run();
  } catch (error) {
    const isAccepted = accepts(error as Error);
    // It holds what the code used that raised.
    if (error instanceof PythonError) error[Symbol.dispose]();
    if (isAccepted) return;
    throw new Error(`expected ${what}, got ${error}`, { cause: error });
  }
  throw new Error(`expected ${what}, got no error`);
}

/** One history's things. */
export class World {
  readonly random: Random;
  readonly scope: PythonScope;
  readonly handles: Handle[] = [];
  readonly variables: (PythonThing | undefined)[] = [];
  readonly model: Model = new Model(() => this.#held());
  /** What was done, for the report of a failure. */
  readonly log: string[] = [];
  /** While this is held, the thread stays attached. */
  attachment: Disposable | undefined;
  readonly #before = stats();

  constructor(seed: number, readonly surroundings: Surroundings) {
    this.random = new Random(seed);
    this.scope = surroundings.scope;
  }

  *#held(): Iterable<Thing> {
    for (const handle of this.handles) yield* handle.things();
    for (const variable of this.variables) {
      if (variable !== undefined) yield variable;
    }
  }

  /** One of the handles of a class. */
  pick<H extends Handle>(
    kind: HandleClass<H>,
    fits: (handle: H) => boolean = () => true,
  ): H | undefined {
    return this.random.pick(
      this.handles.filter((it): it is H => it instanceof kind && fits(it)),
    );
  }

  add(handle: Handle): void {
    this.handles.push(handle);
  }

  remove(handle: Handle): void {
    this.handles.splice(this.handles.indexOf(handle), 1);
  }

  /** Whether something of that kind goes on. */
  isPending(kind: string): boolean {
    return this.handles.some((it) =>
      it instanceof PendingHandle && it.kind === kind
    );
  }

  /** A variable of Python's to be written to. */
  anyPlace(): number {
    return this.random.below(VARIABLES);
  }

  /** A variable that has a thing of the kind. */
  place<T extends PythonThing>(
    is: (thing: PythonThing) => thing is T,
  ): { at: number; thing: T } | undefined {
    const places = this.variables.flatMap((thing, at) =>
      thing !== undefined && is(thing) ? [{ at, thing }] : []
    );
    return this.random.pick(places);
  }

  /** A variable that has anything. */
  anything(): { at: number; thing: PythonThing } | undefined {
    return this.place(isThing);
  }

  /** Runs statements in the history's scope. */
  run(
    source: string,
    names?: Readonly<Record<string, PyArg>>,
  ): void {
    python.run(source, { scope: this.scope, names });
  }

  /** Detaches, for what follows waits for others. */
  letGo(): void {
    this.attachment?.[Symbol.dispose]();
    this.attachment = undefined;
  }

  /** What lives, in the form of what should. */
  actual(): Expected {
    // Attached: Python's own thread is not in the midst of releasing something.
    using _attached = attach();
    const { blocks, bytes } = stats();
    const counted = this.surroundings.hook.read();
    return {
      blocks: blocks - this.#before.blocks,
      bytes: bytes - this.#before.bytes,
      countedBlocks: counted.blocks,
      countedBytes: counted.bytes,
    };
  }

  /** Fails unless exactly what should live does. */
  checkCounts(): void {
    const [expected, actual] = [this.model.expected(), this.actual()];
    expect(
      areEqual(expected, actual),
      `${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`,
    );
  }

  /** Waits until exactly what should live does, collecting garbage meanwhile; fails after a while, or when too little lives. */
  async untilCounts(): Promise<void> {
    const expected = this.model.expected();
    let actual = this.actual();
    for (let attempt = 0; attempt < 100; attempt++) {
      if (areEqual(expected, actual)) return;
      if (actual.countedBytes < expected.countedBytes) break;
      await new Promise((resolve) => setTimeout(resolve, attempt && 5));
      if (attempt > 0) collectGarbage();
      actual = this.actual();
    }
    this.checkCounts();
  }

  /** Fails unless the handles show what they should. */
  checkHandles(): void {
    for (const handle of this.handles) {
      if (handle instanceof BlockHandle) checkBlock(handle);
      if (handle instanceof ArrayHandle) checkArray(handle);
      if (handle instanceof BorrowedHandle) checkBorrowed(handle);
    }
  }

  /** Fails unless Python sees in a variable what it should. */
  checkVariable(at: number): void {
    const thing = this.variables[at];
    if (thing === undefined || !isExporting(thing)) return;
    const same = python.eval("bytes(v[at]) == given", {
      scope: this.scope,
      names: { at, given: contents(thing) as Uint8Array<ArrayBuffer> },
    });
    expect(same === true, `v[${at}] has other contents`);
  }
}

/** Collects all of V8's garbage; the tests run with `--expose-gc`. */
export function collectGarbage(): void {
  (globalThis as unknown as { gc(): void }).gc();
}

function areEqual(one: Expected, other: Expected): boolean {
  return one.blocks === other.blocks && one.bytes === other.bytes &&
    one.countedBlocks === other.countedBlocks &&
    one.countedBytes === other.countedBytes;
}

function isThing(_thing: PythonThing): _thing is PythonThing {
  return true;
}

/** Whether a thing has a buffer now. */
export function isExporting(thing: PythonThing): thing is Exporting {
  return thing instanceof Exporter || thing instanceof PythonArray ||
    (thing instanceof MemoryView && !thing.isReleased);
}

function checkBlock({ block, memory, buffer }: BlockHandle): void {
  expect(!block.freed, "the block isn't freed");
  expect(
    block.byteLength === memory.contents.length,
    `the block has ${memory.contents.length} bytes, not ${block.byteLength}`,
  );
  if (buffer === undefined) return;
  expectBytes(bytesOf(block.view), memory.contents, "the block");
}

function checkArray({ array, buffer, offset }: ArrayHandle): void {
  const { store } = buffer;
  expect(
    array.buffer.detached === buffer.isDetached,
    buffer.isDetached ? "the array is detached" : "the array isn't detached",
  );
  if (store === undefined) return;
  const should = contents(store).subarray(offset, offset + array.length);
  expectBytes(array, should, "the array");
}

function checkBorrowed({ borrowed, buffer }: BorrowedHandle): void {
  expect(
    borrowed.view.buffer.detached === buffer.isDetached,
    "the borrowed view is as its buffer",
  );
  if (buffer.store === undefined) return;
  expectBytes(bytesOf(borrowed.view), contents(buffer.store), "the borrowed");
}

function expectBytes(
  is: Uint8Array,
  should: Exposed | Uint8Array,
  who: string,
) {
  const bytes = should instanceof Uint8Array ? should : contents(should);
  expect(Bytes.compare(is, bytes) === 0, `${who} has its contents`);
}
