/**
 * The numbers on tapes, by which nested values cross; a test compares them with those in Rust.
 *
 * A tape has three lanes (bytes, integers, doubles), the text of its longer strings, and the objects that it refers to.
 * `rust/oneheap-deno/src/values/tape/mod.rs` says what each tag is followed by.
 */

/** What a value begins with, in the lane of bytes. */
export const TAPE = {
  none: 0,
  false: 1,
  true: 2,
  integer: 3,
  number: 4,
  text: 5,
  list: 6,
  shaped: 7,
  open: 8,
  end: 9,
  int64: 10,
  big: 11,
  bytes: 12,
  map: 13,
  set: 14,
  tuple: 15,
  object: 16,
  numbers: 17,
  integers: 18,
  float: 19,
  made: 20,
  array: 21,
  long: 22,
} as const;

/** From here on a tag is a string of Latin-1 whose length is the rest. */
export const INLINE = 0x80;

/** The classes of values that are made of another value. */
export const MADE = {
  date: 0,
  instant: 1,
  zonedDateTime: 2,
  plainDateTime: 3,
  plainDate: 4,
  plainTime: 5,
  duration: 6,
  path: 7,
  slice: 8,
} as const;

/** The integers that a tape of JavaScript's begins with: how much is in each lane, and what it is for. */
export const HEADER = 8;

/** What is done with a Python object. */
export const OPERATION = {
  call: 0,
  method: 1,
  getAttribute: 2,
  setAttribute: 3,
  deleteAttribute: 4,
  hasAttribute: 5,
  getItem: 6,
  setItem: 7,
  deleteItem: 8,
  contains: 9,
  length: 10,
  type: 11,
  isCallable: 12,
  is: 13,
  isInstance: 14,
  equals: 15,
  compare: 16,
  iterate: 17,
  next: 18,
  enter: 19,
  leave: 20,
} as const;

/** An operation. */
export type Operation = typeof OPERATION[keyof typeof OPERATION];
