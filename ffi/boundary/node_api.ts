/** The functions of the Rust library that come by Node-API, and the values that cross there; a test compares them with those in Rust. */

import type { MemoryFunction, Mode } from "./status.ts";

/**
 * What crosses by Node-API as the argument of Python code: a value, or the buffer of a block (its token's) or
 * for a Python object (a reference).
 */
export type NativeValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | ArrayBuffer;

/** Alternating names and values; an undefined value is the next one of the tape that comes with them. */
export type NativeNames = readonly (NativeValue | undefined)[];

/** Nodes of a tree of keys: alternating the number of a parent, and the key behind it. */
export type KeyNodes = readonly (number | string)[];

/** What comes back: a value, a reference to a Python object, or an array that begins with a `TAG`. */
export type NativeResult = NativeValue | readonly unknown[];

/** A function that is called within frames. */
export type Work = (...args: never[]) => unknown;

/**
 * The functions that come by Node-API: they make `ArrayBuffer`s with finalizers, take or return any value, or may run Python code.
 * A *reference* is a tiny buffer that owns a reference to a Python object. *Tapes* have nested values.
 */
export interface NodeApi {
  /** Return a tiny buffer that owns an empty slot; a block lost with it is freed when V8 collects it. Undefined if memory is out. */
  newFinalizerToken(): ArrayBuffer | undefined;
  /** Return the address of a token's slot. */
  slotAddress(token: ArrayBuffer): number;
  /** Return a buffer over the memory of a token's block, which holds the memory from now on; undefined if there is none. */
  newBackingStore(token: ArrayBuffer): ArrayBuffer | undefined;
  /** Free a block whose view is over that buffer, and detach the buffer. Return 1, or a status. */
  freeBlock(token: ArrayBuffer, buffer: ArrayBuffer): number;
  /** Resize a block whose view is over that buffer, and detach the buffer. Return the new address, or a status. */
  reallocBlock(
    token: ArrayBuffer,
    buffer: ArrayBuffer,
    bytes: number,
    zeroed: number,
  ): number;
  /** Return a buffer over the word that says whether `reportExternalMemory` is to be called. */
  reportDue(): ArrayBuffer;
  /** Report to V8 how much memory it doesn't see. It may collect garbage. */
  reportExternalMemory(): void;
  /** Set the function that tries how deep the stack is. */
  setStackProver(prove: () => void): void;
  /** Throw a `RangeError` unless there is enough stack left for what follows. */
  ensureStack(): void;
  /** Run Python code and wait for its result. */
  run(
    mode: Mode,
    source: string,
    scope?: ArrayBuffer,
    names?: NativeNames,
    tape?: number,
    text?: string,
    objects?: readonly NativeValue[],
    toJs?: number,
  ): NativeResult;
  /**
   * Return an internal reference to the value of an expression that is a function, compiled in a scope or, without one, in a fresh one.
   */
  newFunction(source: string, scope: ArrayBuffer | undefined): NativeResult;
  /** Return an internal reference to a function of this library's own in Python. */
  ownFunction(name: string): NativeResult;
  /** Run Python code on a thread of its own, as the run of that number; its result goes to the completion queue. */
  runAsync(
    queue: number,
    run: number,
    mode: Mode,
    source: string,
    scope: ArrayBuffer | undefined,
    names: NativeNames | undefined,
    tape: number | undefined,
    text: string | undefined,
    objects: readonly NativeValue[] | undefined,
    toJs: number | undefined,
  ): NativeResult | undefined;
  /** Return the address of a new completion queue. */
  newCompletionQueue(): number;
  /** Return what `oneheap_wait` is to be called with, once. It is the same until then. */
  waitHandle(queue: number): number;
  /** Return the number of the run whose result is to be taken next; undefined if none has ended. */
  nextCompletion(queue: number): number | undefined;
  /** Take the result of the run that `nextCompletion` returns. */
  takeResult(queue: number): NativeResult;
  /** Have a run raise `KeyboardInterrupt`. */
  interruptRun(queue: number, run: number): void;
  /** Return a reference to a new scope's module; undefined if Python has one of that name. */
  newScope(name: string | undefined): NativeResult | undefined;
  /** Return the value of a scope's variable; undefined if there is none. */
  getItem(scope: ArrayBuffer, name: string): NativeResult | undefined;
  /** Take a scope's module out of `sys.modules`, clear its variables, and decref it. */
  disposeScope(scope: ArrayBuffer): void;
  /** Return a reference that takes ownership of one to the object at an address. */
  fromOwnedPointer(address: number): ArrayBuffer;
  /** Return a new reference to the object at an address. */
  fromBorrowedPointer(address: number): NativeResult;
  /** Return the address of a reference's object. */
  address(reference: ArrayBuffer): number;
  /** Have the tape of that number in these lanes from now on. They are kept until the program ends, or others take their place. */
  registerTape(
    tape: number,
    bytes: Uint8Array,
    integers: Int32Array,
    doubles: Float64Array,
  ): void;
  /** Copy tapes for JavaScript to these lanes, if they fit. */
  registerOutput(
    bytes: Uint8Array,
    integers: Int32Array,
    doubles: Float64Array,
  ): void;
  /** Add keys to the tree of shapes: alternating the number of a node, and the key behind it. */
  addKeys(nodes: KeyNodes): NativeResult | undefined;
  /** Forget the tree of shapes. */
  clearKeys(): void;
  /** Convert an object as a whole: return the text of a tape in the registered lanes, or an array with one of its own. */
  toJs(reference: ArrayBuffer, options: number): NativeResult;
  /** Call the object of the reference that is the receiver. */
  call(this: ArrayBuffer, ...args: NativeValue[]): NativeResult;
  /**
   * Do what the tape's header says with an object and the tape's values. Return its result, converted as a whole where there are
   * options for that; undefined if there is none.
   */
  operate(
    reference: ArrayBuffer,
    tape: number,
    text: string | undefined,
    objects: readonly NativeValue[] | undefined,
    toJs: number | undefined,
  ): NativeResult | undefined;
  /** Return an object as `str()` has it. */
  str(reference: ArrayBuffer): NativeResult;
  /** Decref the object of a reference. */
  decref(reference: ArrayBuffer): void;
  /** Decref the objects of many references, in their order. */
  decrefAll(references: readonly ArrayBuffer[]): NativeResult | undefined;
  /** Release an exception that was held, and what the run that it has ended has left. */
  releaseException(reference: ArrayBuffer): void;
  /** Detach a buffer of `borrow`, and release the Python object's buffer, unless something else still uses the memory. */
  releaseBuffer(view: ArrayBufferView): void;
  /** Return the address of a new Python object over a token's block, which the caller owns. */
  toPython(
    token: ArrayBuffer,
    readonly: number,
    shape: readonly number[] | undefined,
  ): NativeResult;
  /** Return a buffer over the memory of a Python object: a reference's, that at an address, or the value of an expression. */
  borrow(
    element: number | undefined,
    copy: number,
    source: ArrayBuffer | number | string,
    scope: ArrayBuffer | undefined,
    names: NativeNames | undefined,
    tape: number | undefined,
    text: string | undefined,
    objects: readonly NativeValue[] | undefined,
  ): NativeResult;
  /** Return a tiny buffer that stands for the memory of a token's block; undefined if no Python object holds it, or memory is out. */
  watchBlock(token: ArrayBuffer): ArrayBuffer | undefined;
  /** Return whether a Python object holds the memory still. */
  isHeldByPython(watch: ArrayBuffer): boolean;
  /**
   * Return the address of the call stack with those frames: for each, the innermost first, its file, its function and its line, each
   * closed by a NUL.
   */
  callStack(text: string): NativeResult;
  /** Return the text that a call stack was made of. */
  callStackText(stack: number): string;
  /** Call a function within the frames of a call stack, attached. Each allocation in there stands for `weight` of them. */
  within(
    stack: number,
    weight: number,
    receiver: unknown,
    work: Work,
    ...args: readonly unknown[]
  ): unknown;
  /** Call one of `MEMORY_FUNCTION` within the frames of a call stack, attached, with no frame of JavaScript in between. */
  callWithin(
    stack: number,
    weight: number,
    memoryFunction: MemoryFunction,
    ...args: readonly number[]
  ): number;
  /** Begin (1) or end (0) to enter allocations in the ledger: all, or those within a call stack alone (1). */
  setRecording(isSampling: number, begins: number): void;
  /** Return what is alive and what was allocated, as the bytes of doubles. */
  readLedger(): Uint8Array;
  /** Return a reference to what `tracemalloc` has, added up; null where it isn't started. */
  readTraces(): NativeResult;
}
