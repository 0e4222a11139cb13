/**
 * The native functions that run within the frames of who called the library, while call sites are recorded: those that allocate
 * Python's memory, free it, or run Python code.
 */

import type { NodeApi } from "../boundary/node_api.ts";
import { MEMORY_FUNCTION, type MemoryFunction } from "../boundary/status.ts";
import { PythonError } from "../errors.ts";
import type { Symbols } from "../loading/native.ts";
import { alloc, Block } from "../memory/block.ts";
import { raw } from "../memory/raw.ts";
import { Borrowed } from "../objects/borrowed.ts";
import { callReference, PyObjectRef } from "../objects/py_object_ref.ts";
import { runRegion } from "../objects/region.ts";
import { borrow } from "../running/borrow.ts";
import { callOwn } from "../running/own_function.ts";
import { runCode, runCodeAsync } from "../running/run.ts";
import { PythonScope } from "../running/scope.ts";
import { operate } from "../values/write.ts";
import type { Below, Caller } from "./capture.ts";

/** How a native function is traced. */
export interface Traced extends Below {
  /** How many bytes it allocates, of its arguments; without it, it allocates what isn't known before. */
  readonly bytes?: (args: readonly number[]) => number;
  /** Its number for `callWithin`, if it goes by FFI. */
  readonly function?: MemoryFunction;
  /** Whether it frees: where only some allocations are recorded, it isn't traced. */
  readonly frees?: true;
}

const block = Block.prototype;
const reference = PyObjectRef.prototype;
const scope = PythonScope.prototype;
// A class is no function to TypeScript that could be a caller.
const scopeConstructor = PythonScope as unknown as Caller;

/** The functions that go by FFI, and may not run Python code: while they are traced, they are called by one of Node-API, which may. */
export const TRACED_SYMBOLS: {
  readonly [Name in keyof Symbols]?: Traced;
} = {
  oneheap_raw_malloc: {
    above: raw.malloc,
    bytes: ([size]) => size,
    function: MEMORY_FUNCTION.rawMalloc,
  },
  oneheap_raw_calloc: {
    above: raw.calloc,
    bytes: ([count, size]) => count * size,
    function: MEMORY_FUNCTION.rawCalloc,
  },
  oneheap_raw_realloc: {
    above: raw.realloc,
    bytes: ([, size]) => size,
    function: MEMORY_FUNCTION.rawRealloc,
  },
  oneheap_raw_free: {
    above: raw.free,
    frees: true,
    function: MEMORY_FUNCTION.rawFree,
  },
  oneheap_block_alloc: {
    above: alloc,
    bytes: ([, size]) => size,
    function: MEMORY_FUNCTION.blockAlloc,
  },
  oneheap_block_realloc: {
    above: block.realloc,
    bytes: ([, size]) => size,
    function: MEMORY_FUNCTION.blockRealloc,
  },
  oneheap_block_free: {
    above: block.free,
    frees: true,
    function: MEMORY_FUNCTION.blockFree,
  },
};

/** The functions that go by Node-API. */
export const TRACED_FUNCTIONS: {
  readonly [Name in keyof NodeApi]?: Traced;
} = {
  freeBlock: { above: block.free, frees: true },
  reallocBlock: { above: block.realloc, bytes: ([, , size]) => size },
  run: { above: runCode, between: 1 },
  runAsync: { above: runCodeAsync, between: 1 },
  newScope: { above: scopeConstructor },
  getItem: { above: scope.get },
  disposeScope: { above: scope[Symbol.dispose] },
  fromBorrowedPointer: { above: PyObjectRef.from },
  toJs: { above: reference.toJs },
  newFunction: { above: callOwn },
  ownFunction: { above: callOwn },
  call: { above: callReference, between: 2 },
  operate: { above: operate, between: 2 },
  str: { above: reference.toString },
  decref: { above: reference[Symbol.dispose] },
  decrefAll: { above: runRegion },
  releaseException: { above: PythonError.prototype[Symbol.dispose] },
  releaseBuffer: { above: Borrowed.prototype[Symbol.dispose] },
  toPython: { above: block.toPython },
  borrow: { above: borrow, between: 1 },
};
