/** The functions of the Rust library that come by Node-API, and the values that cross there; a test compares them with those in Rust. */

import type { Mode } from "./status.ts";

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

/** What comes back: a value, a reference to a Python object, or an array that begins with a `TAG`. */
export type NativeResult = NativeValue | readonly unknown[];

/**
 * The functions that come by Node-API, for they make `ArrayBuffer`s that know when they are let go, or take and give any
 * value. A *reference* is a tiny buffer that owns a reference to a Python object. *Names* are names and values in turn.
 */
export interface NodeApi {
  /** A tiny buffer that owns an empty slot; a block lost with it is freed when V8 collects it. None if memory is out. */
  newFinalizerToken(): ArrayBuffer | undefined;
  /** The address of a token's slot. */
  slotAddress(token: ArrayBuffer): number;
  /** A buffer over the memory of a token's block, which holds the memory from now on; none if there is none. */
  newBackingStore(token: ArrayBuffer): ArrayBuffer | undefined;
  /** Frees a block whose view is over that buffer, and detaches it: 1, or a code. */
  freeBlock(token: ArrayBuffer, buffer: ArrayBuffer): number;
  /** Resizes a block whose view is over that buffer, and detaches it: the new address, or a code. */
  reallocBlock(
    token: ArrayBuffer,
    buffer: ArrayBuffer,
    bytes: number,
    zeroed: number,
  ): number;
  /** A buffer over the word that tells whether `reportExternalMemory` is to be called. */
  reportDue(): ArrayBuffer;
  /** Reports to V8 how much memory it doesn't see. It may collect garbage. */
  reportExternalMemory(): void;
  /** Takes the function that tries how deep the stack is. */
  setStackProver(prove: () => void): void;
  /** Throws a `RangeError` unless there is enough stack left for what follows. */
  ensureStack(): void;
  /** Runs Python code and waits for it. */
  run(
    mode: Mode,
    source: string,
    scope: ArrayBuffer | undefined,
    names: readonly NativeValue[] | undefined,
  ): NativeResult;
  /** Has Python code run on a thread of its own, as a run of that number; what comes of it goes to the inbox. */
  runAsync(
    inbox: number,
    run: number,
    mode: Mode,
    source: string,
    scope: ArrayBuffer | undefined,
    names: readonly NativeValue[] | undefined,
  ): NativeResult | undefined;
  /** The address of a new inbox. */
  newCompletionQueue(): number;
  /** What `oneheap_wait` is to be called with, once. The same one until it is. */
  waitHandle(inbox: number): number;
  /** The number of the run whose outcome is to be taken next; undefined if none has ended. */
  nextCompletion(inbox: number): number | undefined;
  /** Takes what came of the run that `ended` tells. */
  takeResult(inbox: number): NativeResult;
  /** Has a run raise `KeyboardInterrupt`. */
  interruptRun(inbox: number, run: number): void;
  /** A reference to a new scope. */
  newScope(): NativeResult;
  /** What a scope has by a name; undefined if nothing. */
  getItem(scope: ArrayBuffer, name: string): NativeResult | undefined;
  /** Clears a scope, and releases its dictionary. */
  disposeScope(scope: ArrayBuffer): void;
  /** A reference that takes over one to the object at an address. */
  fromOwnedPointer(address: number): ArrayBuffer;
  /** A reference beside others to the object at an address. */
  fromBorrowedPointer(address: number): NativeResult;
  /** Where the object of a reference is. */
  address(reference: ArrayBuffer): number;
  /** Calls the object of the reference that is the receiver. */
  call(this: ArrayBuffer, ...args: NativeValue[]): NativeResult;
  /** An attribute of an object. */
  getAttr(reference: ArrayBuffer, name: string): NativeResult;
  /** An object as `str()` has it. */
  str(reference: ArrayBuffer): NativeResult;
  /** Lets go of the object of a reference. */
  decref(reference: ArrayBuffer): void;
  /** Detaches a buffer of `borrow`, and lets go of the Python object's memory, unless something else still uses that. */
  releaseBuffer(view: ArrayBufferView): void;
  /** The address of a new Python object over a token's block, which the caller owns. */
  toPython(
    token: ArrayBuffer,
    readonly: number,
    shape: readonly number[] | undefined,
  ): NativeResult;
  /** A buffer over the memory of a Python object: a reference's, that at an address, or what an expression comes to. */
  borrow(
    element: number | undefined,
    copy: number,
    what: ArrayBuffer | number | string,
    scope: ArrayBuffer | undefined,
    names: readonly NativeValue[] | undefined,
  ): NativeResult;
}
