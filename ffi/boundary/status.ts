/** The numbers that stand for something on both sides; a test compares them with those in Rust. */

/** The status that a function returns in place of an address or of 1. */
export const STATUS = {
  outOfMemory: 0,
  invalid: -1,
  noPython: -2,
  misaligned: -3,
  subinterpreter: -4,
  blockInUse: -5,
  noThread: -6,
  tooLarge: -7,
  freed: -8,
  stackEnd: -9,
  inCallback: -10,
  busy: -11,
} as const;

/** What an array that comes by Node-API begins with. */
export const TAG = {
  /** An exception of Python's: its type, its message, and an internal reference to what holds it, or null. */
  exception: 0,
  /** A status and, if memory is out, how many bytes were requested. */
  status: 1,
  /** A block that comes back: its identity, and a reference to the Python object. */
  block: 2,
  /** A buffer of a Python object: an `ArrayBuffer`, its element type, whether it is a copy, its format, and its shape. */
  buffer: 3,
  /** A buffer that can't be shown: why, its format, and its shape. */
  bufferError: 4,
  /** A value that was converted as a whole: a tape, and what belongs to it. */
  converted: 5,
  /** A value that has no counterpart: why, where it is, and what to do. */
  conversion: 6,
} as const;

/** How long the buffer of a reference is: that says whether its object can be called. */
export const REFERENCE_BYTES = {
  plain: 1,
  callable: 2,
} as const;

/** Why a value has no counterpart. */
export const CONVERSION_REASON = {
  type: 0,
  cycle: 1,
  depth: 2,
  key: 3,
  range: 4,
  changed: 5,
} as const;

/** Why a buffer can't be shown. */
export const BUFFER_ERROR_REASON = {
  format: 1,
  element: 2,
  strides: 3,
  readOnly: 4,
  alignment: 5,
} as const;

/** What kind of Python code it is: statements, or one expression. */
export const MODE = { run: 0, eval: 1 } as const;

/** A kind of Python code. */
export type Mode = typeof MODE[keyof typeof MODE];

/** The functions of FFI that `callWithin` calls, by number. */
export const MEMORY_FUNCTION = {
  rawMalloc: 0,
  rawCalloc: 1,
  rawRealloc: 2,
  rawFree: 3,
  blockAlloc: 4,
  blockRealloc: 5,
  blockFree: 6,
} as const;

/** The number of one of them. */
export type MemoryFunction =
  typeof MEMORY_FUNCTION[keyof typeof MEMORY_FUNCTION];
