/** What JavaScript has of the library's, each with what the model knows of it. */

import type {
  Arena,
  Block,
  Borrowed,
  PyObjectRef,
  PythonScope,
  TypedArray,
  TypedArrayConstructor,
} from "../../../mod.ts";
import type { Memory, Thing } from "./model.ts";
import { endError } from "./outcome.ts";

/** A block. */
export class BlockHandle {
  /** The block's view, once it is made. */
  view: TypedArray | undefined;
  /** The view's buffer, by V8's own word. */
  buffer: ArrayBuffer | undefined;
  /** Whether it or its view has properties that say what isn't so. */
  isDecorated = false;

  /** It has the memory until it is freed or its view's buffer is transferred. */
  constructor(
    readonly block: Block<TypedArray>,
    readonly type: TypedArrayConstructor<TypedArray>,
    public memory: Memory | undefined,
  ) {
    memory?.retain();
  }

  get isFreed(): boolean {
    return this.memory === undefined;
  }

  get length(): number {
    return this.memory === undefined
      ? 0
      : this.memory.size / this.type.BYTES_PER_ELEMENT;
  }

  /** It doesn't hold its memory any more, unless that goes to another holder. */
  end(): Memory | undefined {
    const { memory } = this;
    memory?.release();
    this.memory = this.view = undefined;
    return memory;
  }
}

/** A buffer that was transferred away from a block or from borrowed memory. */
export class BufferHandle {
  /** `holds` is what has to be released at its end. */
  constructor(
    readonly buffer: ArrayBuffer,
    readonly memory: Memory,
    readonly holds: Memory | Thing,
  ) {
    holds.retain();
  }
}

/** An operation is in progress that may have Python objects released, and with them memory. Answers what ends that. */
export function releasing(things: Iterable<Thing>): () => void {
  const memories: Memory[] = [];
  for (const { memory } of things) {
    if (memory === undefined) continue;
    memory.maybeReleased++;
    memories.push(memory);
  }
  return () => {
    for (const memory of memories) memory.maybeReleased--;
  };
}

/** A scope. */
export class ScopeHandle {
  isDisposed = false;
  /** Operations in progress that dispose it. */
  ending = 0;
  /** Operations in progress that change its variables: no other does meanwhile. */
  busy = 0;
  readonly variables: Map<string, Thing> = new Map();

  constructor(readonly scope: PythonScope) {}

  /** An operation that changes variables is in progress. Answers what ends it. */
  change(): () => void {
    this.busy++;
    const released = releasing(this.variables.values());
    return () => {
      this.busy--;
      released();
    };
  }

  /** Sets a variable, or deletes it. */
  set(name: string, thing: Thing | undefined): void {
    const old = this.variables.get(name);
    thing?.retain();
    if (thing === undefined) this.variables.delete(name);
    else this.variables.set(name, thing);
    old?.release();
  }

  end(): void {
    this.isDisposed = true;
    for (const thing of this.variables.values()) thing.release();
    this.variables.clear();
  }
}

/** A reference to a Python object. */
export class ReferenceHandle {
  isDisposed = false;
  /** Operations in progress that dispose it. */
  ending = 0;
  /** Operations in progress that use its pointer: nobody disposes it meanwhile. */
  pinned = 0;

  constructor(readonly reference: PyObjectRef, readonly thing: Thing) {
    thing.retain();
  }

  end(): void {
    this.isDisposed = true;
    this.thing.release();
  }
}

/** Borrowed memory. */
export class BorrowedHandle {
  isDisposed = false;
  /** Operations in progress that dispose it. */
  ending = 0;
  /** The view's buffer; none once it was transferred. */
  buffer: ArrayBuffer | undefined;

  constructor(
    readonly borrowed: Borrowed<TypedArray>,
    readonly view: TypedArray,
    readonly memory: Memory,
    readonly holds: Thing | undefined,
  ) {
    this.buffer = view.buffer;
    holds?.retain();
  }

  end(): void {
    this.isDisposed = true;
    this.buffer = undefined;
    this.holds?.release();
  }
}

/** A typed array of an arena. */
export interface ArenaArray {
  readonly array: TypedArray;
  readonly buffer: ArrayBuffer;
  readonly contents: Uint8Array<ArrayBuffer>;
}

/** An arena. */
export class ArenaHandle {
  isDisposed = false;
  arrays: ArenaArray[] = [];

  constructor(readonly arena: Arena) {}
}

/** An attachment. */
export class AttachmentHandle {
  isDisposed = false;

  constructor(
    readonly attachment: Disposable,
    readonly isAttach: boolean,
    /** How many callbacks from Python were in progress when it was made. */
    readonly callbackDepth: number,
  ) {}
}

/** Code that runs on a thread of its own. */
export class RunHandle {
  isSettled = false;
  error: unknown;
  value: unknown;
  readonly settled: Promise<void>;

  constructor(
    readonly promise: Promise<unknown>,
    readonly what: string,
    /** Lets the code end. */
    readonly finish: () => void,
    /** Compares what came of it with the model. */
    readonly check: (run: RunHandle) => void,
  ) {
    this.settled = promise.then((value) => {
      this.value = value;
      this.isSettled = true;
    }, (error) => {
      this.error = error;
      endError(error);
      this.isSettled = true;
    });
  }
}

/** Memory of `raw`. */
export interface RawHandle {
  address: number;
  size: number;
  /** Whether an operation on it is planned or in progress: there is no other meanwhile. */
  isBusy: boolean;
}
