/**
 * Writing values of JavaScript's on a tape, for Python's side to build its objects of.
 *
 * A message is written, crosses, and is done with. Code of a program's can run while it is written (getters, Proxies) and while it
 * crosses, and may write others meanwhile: these have tapes of their own, and what is written on here is put away for them.
 */

import type { NativeResult, NativeValue } from "../boundary/node_api.ts";
import { unwrapResult } from "../boundary/result.ts";
import {
  HEADER,
  INLINE,
  MADE,
  type Operation,
  TAPE,
} from "../boundary/tape.ts";
import { describe } from "../checks.ts";
import type { TypedArray, TypedArrayConstructor } from "../elements.ts";
import { ConversionError, type ConversionReason } from "../errors.ts";
import {
  asIntN,
  bigintText,
  charCodeAt,
  dataViewBuffer,
  dataViewByteLength,
  dataViewByteOffset,
  dateTime,
  getPrototypeOf,
  isAnyArrayBuffer,
  isArray,
  isDate,
  isMap,
  isPointer,
  isSet,
  isView,
  keysOf,
  mapForEach,
  mapGet,
  mapSize,
  PlainArray,
  setElements,
  setForEach,
  setSize,
  typedArrayName,
  viewBuffer,
  viewByteLength,
  viewByteOffset,
} from "../intrinsics.ts";
import {
  FIRST_LANE_BYTES,
  MAX_CONTAINERS,
  MAX_DEPTH,
  MAX_ELEMENTS,
  MAX_INLINE_BYTES,
  MAX_INLINE_UNITS,
  MAX_KEPT_LANE_BYTES,
  MAX_STRING_UNITS,
  SMALL_MESSAGE_BYTES,
} from "../limits.ts";
import { napi } from "../loading/native.ts";
import { alloc, type Block, isBlock, tokenOf } from "../memory/block.ts";
import {
  handleOfProxy,
  isHandle,
  PROXY_PROTOTYPE,
  referenceOf,
} from "./handle.ts";
import { type KeyNode, KeyTree, NO_NODE } from "./keys.ts";
import { floatOf, keywordsOf, sliceOf, tupleOf } from "./python_values.ts";
import type { ReadOptions } from "./read.ts";
import { madeOf } from "./times.ts";

/** The lanes of a tape. */
interface Tape {
  bytes: Uint8Array;
  integers: Int32Array;
  doubles: Float64Array;
  /** The lane of doubles as 64 bits. */
  words: BigInt64Array;
  /** Whether native code knows these lanes. */
  isRegistered: boolean;
}

/** What is written on, put away while another message is written. */
interface Writing {
  readonly bytes: Uint8Array;
  readonly integers: Int32Array;
  readonly doubles: Float64Array;
  readonly words: BigInt64Array;
  readonly atByte: number;
  readonly atInteger: number;
  readonly atDouble: number;
  readonly text: string;
  readonly objects: unknown[] | undefined;
  readonly blocks: Block<TypedArray>[] | undefined;
  readonly containers: number;
  readonly hasShapes: boolean;
}

/** What is thrown for a value that has no counterpart, until its path is known. */
class Unconvertible {
  /** The steps to it, the innermost first. */
  readonly steps: PlainArray<string> = new PlainArray();
  /** The containers on the way. */
  readonly containers: PlainArray<object> = new PlainArray();

  constructor(readonly reason: ConversionReason, readonly what: string) {}
}

const tapes: Tape[] = [];
/** The messages that are put away. */
const putAway: Writing[] = [];
/** How many tapes are in use. */
let used = 0;

const keys = new KeyTree();

/** The lanes that are written on, and where. */
let bytes: Uint8Array = new Uint8Array(0);
let integers: Int32Array = new Int32Array(0);
let doubles: Float64Array = new Float64Array(0);
let words: BigInt64Array = new BigInt64Array(0);
let atByte = 0, atInteger = 0, atDouble = 0;
/** The longer strings, one after the other. */
let text = "";
/** What the tape refers to: references, blocks, and large arrays of bytes, as they are. */
let objects: unknown[] | undefined;
/** Blocks that were made for this message. */
let blocks: Block<TypedArray>[] | undefined;
let containers = 0;
/** Whether objects go by their shapes, which the thread knows that reads the tape. */
let hasShapes = true;

const ObjectPrototype = Object.prototype;
const EMPTY = {};

/** Space that is left in the lane of bytes at each value: a tag and a string of a small message. */
const SPARE_BYTES = 256;

/** Begin a message. Each is ended by {@linkcode end}. */
function begin(withShapes: boolean): void {
  if (used > 0) putAwayWriting();
  const tape = tapes[used] ??= newTape();
  used++;
  ({ bytes, integers, doubles, words } = tape);
  atByte = atDouble = containers = 0;
  atInteger = HEADER;
  text = "";
  objects = blocks = undefined;
  hasShapes = withShapes;
  if (withShapes && keys.clearIfFull()) napi.clearKeys();
}

function newTape(): Tape {
  const doubles = new Float64Array(FIRST_LANE_BYTES / 8);
  return {
    bytes: new Uint8Array(FIRST_LANE_BYTES),
    integers: new Int32Array(FIRST_LANE_BYTES / 4),
    doubles,
    words: new BigInt64Array(doubles.buffer),
    isRegistered: false,
  };
}

function putAwayWriting(): void {
  putAway[used - 1] = {
    bytes,
    integers,
    doubles,
    words,
    atByte,
    atInteger,
    atDouble,
    text,
    objects,
    blocks,
    containers,
    hasShapes,
  };
}

/** End the message that was begun last, crossed or not. */
function end(): void {
  const made = blocks;
  text = "";
  objects = blocks = undefined;
  if (
    bytes.length > MAX_KEPT_LANE_BYTES ||
    doubles.length > MAX_KEPT_LANE_BYTES / 8
  ) {
    tapes[used - 1] = newTape();
  }
  if (--used > 0) takeUpWriting(putAway[used - 1]);
  // Python's objects hold the memory now, if they were made.
  if (made !== undefined) {
    for (let index = 0; index < made.length; index++) made[index].free();
  }
}

function takeUpWriting(writing: Writing): void {
  ({
    bytes,
    integers,
    doubles,
    words,
    atByte,
    atInteger,
    atDouble,
    text,
    objects,
    blocks,
    containers,
    hasShapes,
  } = writing);
}

/** Finish the tape, and have native code know it. Return its number. */
function seal(purpose: number, count: number, keywords: number): number {
  const number = used - 1;
  const tape = tapes[number];
  integers[0] = atByte;
  integers[1] = atInteger;
  integers[2] = atDouble;
  integers[3] = purpose;
  integers[4] = count;
  integers[5] = keywords;
  integers[6] = text.length;
  integers[7] = objects === undefined ? 0 : objects.length;
  if (!tape.isRegistered) {
    tape.bytes = bytes;
    tape.integers = integers;
    tape.doubles = doubles;
    tape.words = words;
    napi.registerTape(number, bytes, integers, doubles);
    tape.isRegistered = true;
  }
  if (keys.untold.length > 0 && hasShapes) {
    const { untold } = keys;
    keys.untold = new PlainArray();
    const refused = napi.addKeys(untold);
    if (refused !== undefined) unwrapResult(refused);
  }
  return number;
}

/**
 * Return what the tape refers to as it crosses; throw a `FreedError` for what is freed. No code of a program's runs from here on: what was
 * written before may have freed a block, whose token another one has by now.
 */
function nativeObjects(): readonly NativeValue[] | undefined {
  if (objects === undefined) return undefined;
  const natives = new PlainArray<NativeValue>();
  for (let index = 0; index < objects.length; index++) {
    natives[index] = nativeOf(objects[index]);
  }
  return natives;
}

function nativeOf(object: unknown): NativeValue {
  if (isHandle(object)) return referenceOf(object as object);
  return isBlock(object) ? tokenOf(object) : object as Uint8Array;
}

/**
 * Do something with a Python object, in one crossing. The last value may be keywords. Where there are options for it, the result is
 * converted as a whole.
 */
export function operate(
  reference: ArrayBuffer,
  operation: Operation,
  values: readonly unknown[],
  toJs?: ReadOptions,
): NativeResult | undefined {
  begin(true);
  try {
    let count = values.length;
    const keywords = count > 0 ? keywordsOf(values[count - 1]) : undefined;
    if (keywords !== undefined) count--;
    for (let index = 0; index < count; index++) {
      writeRoot(values[index], index);
    }
    const pairs = keywords === undefined ? 0 : writeKeywords(keywords);
    const tape = seal(operation, count, pairs);
    return napi.operate(
      reference,
      tape,
      text === "" ? undefined : text,
      nativeObjects(),
      toJs?.number,
    );
  } finally {
    end();
  }
}

/** Write names and values; return how many there are. */
function writeKeywords(entries: readonly [string, unknown][]): number {
  let count = 0;
  for (let index = 0; index < entries.length; index++) {
    const name = entries[index][0];
    const value = entries[index][1];
    if (value === undefined) continue;
    writeText(name);
    writeRoot(value, name);
    count++;
  }
  return count;
}

/** Nested values among others, as they cross: the tape, its text, and its objects. */
export type Nested = (
  tape: number | undefined,
  text: string | undefined,
  objects: readonly NativeValue[] | undefined,
) => NativeResult | undefined;

/**
 * Write the values that `write` writes by {@linkcode writeNested}, and have them cross. Where `isDetached`, another thread reads the
 * tape.
 */
export function crossWith(
  isDetached: boolean,
  write: () => void,
  cross: Nested,
): NativeResult | undefined {
  begin(!isDetached);
  try {
    write();
    const tape = seal(0, 0, 0);
    return cross(tape, text === "" ? undefined : text, nativeObjects());
  } finally {
    end();
  }
}

/** Write a value within {@linkcode crossWith}. `name` is what the error calls it. */
export function writeNested(value: unknown, name: string): void {
  writeRoot(value, name);
}

/** Write a whole value; throw a `ConversionError` with the path for what has no counterpart. */
function writeRoot(value: unknown, name: string | number): void {
  try {
    writeValue(value, keys.root, 0);
  } catch (error) {
    if (!(error instanceof Unconvertible)) throw error;
    throw conversionError(error, name);
  }
}

/** The steps that the path of a value nested too deep shows. */
const SHOWN_STEPS = 20;

function conversionError(
  { steps, containers: way, reason, what }: Unconvertible,
  name: string | number,
): ConversionError {
  const place = typeof name === "number"
    ? name === 0 ? "" : ` (argument ${name + 1})`
    : ` (${name})`;
  if (reason !== "depth") {
    return new ConversionError(pathOf(steps), reason, `${what}${place}`);
  }
  // From the outside; a container that is there twice is in itself.
  for (let index = way.length - 1; index >= 0; index--) {
    for (let inner = index - 1; inner >= 0; inner--) {
      if (way[inner] !== way[index]) continue;
      const path = pathOf(steps, way.length - inner - 1);
      const cycle = "the value contains itself. Break the cycle";
      return new ConversionError(path, "cycle", `${cycle}${place}`);
    }
  }
  const path = pathOf(steps, SHOWN_STEPS);
  return new ConversionError(path, "depth", `${what}${place}`);
}

/** The path of the outermost steps. */
function pathOf(steps: PlainArray<string>, count = steps.length): string {
  let path = "$";
  const end = steps.length > count ? steps.length - count : 0;
  for (let index = steps.length - 1; index >= end; index--) {
    path += steps[index];
  }
  return path;
}

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

function keyStep(key: string): string {
  return IDENTIFIER.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** Say where an error is; others pass as they are. */
function located(error: unknown, container: object, step: string): unknown {
  if (error instanceof Unconvertible) {
    error.steps[error.steps.length] = step;
    error.containers[error.containers.length] = container;
  }
  return error;
}

function growBytes(additional: number): void {
  const grown = new Uint8Array(
    Math.max(2 * bytes.length, atByte + additional + SPARE_BYTES),
  );
  setElements(grown, bytes);
  bytes = grown;
  tapes[used - 1].isRegistered = false;
}

function growIntegers(): void {
  const grown = new Int32Array(2 * integers.length);
  setElements(grown, integers);
  integers = grown;
  tapes[used - 1].isRegistered = false;
}

function growDoubles(additional: number): void {
  const grown = new Float64Array(
    Math.max(2 * doubles.length, atDouble + additional),
  );
  setElements(grown, doubles);
  doubles = grown;
  words = new BigInt64Array(grown.buffer);
  tapes[used - 1].isRegistered = false;
}

function writeInteger(integer: number): void {
  if (atInteger === integers.length) growIntegers();
  integers[atInteger++] = integer;
}

function writeDouble(double: number): void {
  if (atDouble === doubles.length) growDoubles(1);
  doubles[atDouble++] = double;
}

/** Write a string. */
function writeText(string: string): void {
  const { length } = string;
  if (atByte + SPARE_BYTES > bytes.length) growBytes(0);
  if (
    length <= MAX_INLINE_UNITS ||
    (atByte < SMALL_MESSAGE_BYTES && length < INLINE)
  ) {
    bytes[atByte] = INLINE | length;
    let at = atByte + 1;
    let widest = 0;
    for (let index = 0; index < length; index++) {
      const unit = charCodeAt(string, index);
      bytes[at++] = unit;
      widest |= unit;
    }
    if (widest < 0x100) {
      atByte = at;
      return;
    }
  }
  if (text.length + length > MAX_STRING_UNITS) throw tooLarge();
  bytes[atByte++] = TAPE.text;
  writeInteger(length);
  text += string;
}

function tooLarge(): Unconvertible {
  return new Unconvertible(
    "range",
    "the value is too large to be converted at once. Convert its parts, or share arrays as blocks",
  );
}

/** Write a value. `place` is the node of the key that it is behind. */
function writeValue(value: unknown, place: KeyNode, depth: number): void {
  if (atByte + SPARE_BYTES > bytes.length) growBytes(0);
  switch (typeof value) {
    case "string":
      writeText(value);
      return;
    case "number":
      bytes[atByte++] = TAPE.number;
      if (atDouble === doubles.length) growDoubles(1);
      doubles[atDouble++] = value;
      return;
    case "boolean":
      bytes[atByte++] = value ? TAPE.true : TAPE.false;
      return;
    case "object":
      if (value === null) {
        bytes[atByte++] = TAPE.none;
        return;
      }
      if (++containers > MAX_CONTAINERS) throw tooLarge();
      if (isArray(value)) writeArray(value, place, depth);
      else writeObject(value, place, depth);
      return;
    case "bigint":
      writeBigInt(value);
      return;
    case "function": {
      const handle = handleOfProxy(value);
      if (handle !== undefined) return writeReferred(handle);
    }
  }
  throw withoutCounterpart(value);
}

function withoutCounterpart(value: unknown): Unconvertible {
  switch (typeof value) {
    case "undefined":
      return new Unconvertible(
        "type",
        "undefined has no counterpart in Python. Give null for None",
      );
    case "function":
      return new Unconvertible(
        "type",
        `a function (${
          describe(value)
        }) has no counterpart in Python, which can't call JavaScript`,
      );
    case "symbol":
      return new Unconvertible(
        "type",
        `${describe(value)} has no counterpart in Python. Give a string`,
      );
  }
  if (keywordsOf(value) !== undefined) {
    return new Unconvertible(
      "type",
      "keyword arguments are the last argument of a call. Give them once, as kw({ … }) behind all others",
    );
  }
  return new Unconvertible(
    "type",
    `${
      describe(value)
    } has no counterpart in Python. Give a plain object, as { ...value }, or what it stands for`,
  );
}

function writeBigInt(value: bigint): void {
  const narrow = asIntN(64, value);
  if (narrow === value) {
    bytes[atByte++] = TAPE.int64;
    if (atDouble === doubles.length) growDoubles(1);
    words[atDouble++] = narrow;
    return;
  }
  bytes[atByte++] = TAPE.big;
  writeText(bigintText(value, 16));
}

function tooDeep(): Unconvertible {
  return new Unconvertible(
    "depth",
    `the value is nested deeper than ${MAX_DEPTH} levels. Convert its parts`,
  );
}

function writeArray(
  array: readonly unknown[],
  place: KeyNode,
  depth: number,
): void {
  if (depth >= MAX_DEPTH) throw tooDeep();
  const { length } = array;
  // A Proxy of an array may say anything.
  if (length >>> 0 !== length || length > MAX_ELEMENTS) throw tooLarge();
  if (length > 0 && typeof array[0] === "number") {
    return writeNumbers(array, length, place, depth);
  }
  bytes[atByte++] = TAPE.list;
  writeInteger(length);
  writeElements(array, 0, length, place, depth);
}

/** Write the elements from `start` on, up to the length that is written already. */
function writeElements(
  array: readonly unknown[],
  start: number,
  length: number,
  place: KeyNode,
  depth: number,
): void {
  let index = start;
  try {
    for (; index < length; index++) writeValue(array[index], place, depth + 1);
  } catch (error) {
    throw located(error, array, `[${index}]`);
  }
}

/** Write an array that begins with a number: the numbers alone, if there is nothing else. */
function writeNumbers(
  array: readonly unknown[],
  length: number,
  place: KeyNode,
  depth: number,
): void {
  const tag = atByte;
  bytes[atByte++] = TAPE.numbers;
  writeInteger(length);
  if (atDouble + length > doubles.length) growDoubles(length);
  const lane = doubles;
  let at = atDouble;
  let index = 0;
  for (; index < length; index++) {
    const element = array[index];
    if (typeof element !== "number" || at >= lane.length) {
      return writeRest(array, length, index, element, tag, place, depth);
    }
    lane[at++] = element;
    if (doubles !== lane) {
      return writeRest(array, length, index + 1, NOTHING, tag, place, depth);
    }
  }
  atDouble = at;
}

const NOTHING = Symbol();

/** Write an array of which some elements at the beginning are numbers, in their lane, and `element`, if it is one, comes next. */
function writeRest(
  array: readonly unknown[],
  length: number,
  numbers: number,
  element: unknown,
  tag: number,
  place: KeyNode,
  depth: number,
): void {
  bytes[tag] = TAPE.list;
  if (atByte + numbers + SPARE_BYTES > bytes.length) growBytes(numbers);
  for (let index = 0; index < numbers; index++) bytes[atByte++] = TAPE.number;
  atDouble += numbers;
  if (element === NOTHING) {
    return writeElements(array, numbers, length, place, depth);
  }
  try {
    writeValue(element, place, depth + 1);
  } catch (error) {
    throw located(error, array, `[${numbers}]`);
  }
  writeElements(array, numbers + 1, length, place, depth);
}

function writeObject(value: object, place: KeyNode, depth: number): void {
  const prototype = getPrototypeOf(value);
  if (prototype !== ObjectPrototype && prototype !== null) {
    return writeOther(value, prototype, place, depth);
  }
  if (prototype === null && isPointer(value)) throw withoutCounterpart(value);
  if (depth >= MAX_DEPTH) throw tooDeep();
  for (const _ in EMPTY) {
    // Somebody has put a property on every object: only own ones count.
    return writeProperties(value, keysOf(value), depth);
  }
  if (!hasShapes) return writeProperties(value, keysOf(value), depth);
  const properties = value as Record<string, unknown>;
  const tag = atByte;
  bytes[atByte++] = TAPE.shaped;
  const slot = atInteger;
  writeInteger(0);
  let node = keys.root;
  let next = place.nested;
  let isOpen = false;
  let key = "";
  try {
    for (key in properties) {
      const property = properties[key];
      if (property === undefined) continue;
      if (next.key !== key) {
        const found = isOpen ? undefined : keys.find(node, key);
        if (found === undefined) {
          if (!isOpen) {
            isOpen = true;
            bytes[tag] = TAPE.open;
            integers[slot] = node.number;
            next = NO_NODE;
          }
          writeText(key);
          writeValue(property, keys.root, depth + 1);
          continue;
        }
        next = found;
        if (node === keys.root) place.nested = next;
        else node.last = next;
      }
      node = next;
      writeValue(property, node, depth + 1);
      next = node.last;
    }
  } catch (error) {
    throw located(error, value, keyStep(key));
  }
  if (isOpen) bytes[atByte++] = TAPE.end;
  else integers[slot] = node.number;
}

/** Write an object with its keys. */
function writeProperties(
  value: object,
  names: readonly string[],
  depth: number,
): void {
  bytes[atByte++] = TAPE.open;
  writeInteger(0);
  let key = "";
  try {
    for (let index = 0; index < names.length; index++) {
      key = names[index];
      const property = (value as Record<string, unknown>)[key];
      if (property === undefined) continue;
      writeText(key);
      writeValue(property, keys.root, depth + 1);
    }
  } catch (error) {
    throw located(error, value, keyStep(key));
  }
  if (atByte + SPARE_BYTES > bytes.length) growBytes(0);
  bytes[atByte++] = TAPE.end;
}

/** Write what is no plain object and no array. */
function writeOther(
  value: object,
  prototype: object,
  place: KeyNode,
  depth: number,
): void {
  if (isHandle(value) || isBlock(value)) return writeReferred(value);
  if (prototype === PROXY_PROTOTYPE) {
    const handle = handleOfProxy(value);
    if (handle !== undefined) return writeReferred(handle);
  }
  const number = floatOf(value);
  if (number !== undefined) {
    bytes[atByte++] = TAPE.float;
    return writeDouble(number);
  }
  const parts = sliceOf(value);
  if (parts !== undefined) return writeSlice(parts, place, depth);
  const elements = tupleOf(value);
  if (elements !== undefined) return writeTuple(elements, place, depth);
  if (isView(value) || isAnyArrayBuffer(value)) return writeMemory(value);
  if (isDate(value)) return writeDate(dateTime(value));
  if (isMap(value)) return writeMap(value, depth);
  if (isSet(value)) return writeSet(value, depth);
  const made = madeOf(value, prototype);
  if (made === undefined) throw withoutCounterpart(value);
  if (typeof made === "string") throw new Unconvertible("type", made);
  bytes[atByte++] = TAPE.made;
  writeInteger(made.kind);
  writeText(made.text);
}

function writeReferred(object: object): void {
  objects ??= new PlainArray<unknown>();
  bytes[atByte++] = TAPE.object;
  writeInteger(objects.length);
  objects[objects.length] = object;
}

function writeSlice(
  parts: readonly unknown[],
  place: KeyNode,
  depth: number,
): void {
  bytes[atByte++] = TAPE.made;
  writeInteger(MADE.slice);
  writeTuple(parts, place, depth);
}

function writeTuple(
  elements: readonly unknown[],
  place: KeyNode,
  depth: number,
): void {
  bytes[atByte++] = TAPE.tuple;
  writeInteger(elements.length);
  writeElements(elements, 0, elements.length, place, depth);
}

/** Write typed arrays and buffers: bytes as such, others as a block with a copy. */
function writeMemory(value: ArrayBufferView | ArrayBufferLike): void {
  const name = typedArrayName(value);
  if (name === "Uint8Array") return writeBytes(value as Uint8Array);
  const block = name === undefined
    ? alloc(Uint8Array, bytesOf(value))
    : alloc(constructorOf(value, name), value as unknown as ArrayLike<never>);
  blocks ??= new PlainArray<Block<TypedArray>>();
  blocks[blocks.length] = block;
  writeReferred(block);
}

/** The constructor of a typed array's type, whatever its own `constructor` is. */
function constructorOf(
  value: object,
  name: string,
): TypedArrayConstructor<TypedArray> {
  const constructor = mapGet(CONSTRUCTORS_BY_NAME, name);
  if (constructor === undefined) throw withoutCounterpart(value);
  return constructor;
}

const CONSTRUCTORS_BY_NAME: ReadonlyMap<
  string,
  TypedArrayConstructor<TypedArray>
> = new Map(
  [
    Int8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float16Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  ].map((constructor) => [constructor.name, constructor]),
);

/** The bytes of a buffer or a `DataView`. */
function bytesOf(value: ArrayBufferView | ArrayBufferLike): Uint8Array {
  if (!isView(value)) return new Uint8Array(value);
  const view = value as DataView;
  return new Uint8Array(
    dataViewBuffer(view),
    dataViewByteOffset(view),
    dataViewByteLength(view),
  );
}

function writeBytes(array: Uint8Array): void {
  const length = viewByteLength(array);
  if (length > MAX_INLINE_BYTES) return writeReferred(array);
  bytes[atByte++] = TAPE.bytes;
  writeInteger(length);
  if (atByte + length + SPARE_BYTES > bytes.length) growBytes(length);
  if (length === 0) return;
  // A view of our own: the array's class may be one of a program's.
  const own = new Uint8Array(viewBuffer(array), viewByteOffset(array), length);
  setElements(bytes, own, atByte);
  atByte += length;
}

function writeDate(milliseconds: number): void {
  if (milliseconds !== milliseconds) {
    throw new Unconvertible("range", "an invalid Date has no counterpart");
  }
  bytes[atByte++] = TAPE.made;
  writeInteger(MADE.date);
  bytes[atByte++] = TAPE.number;
  writeDouble(milliseconds);
}

function writeMap(map: ReadonlyMap<unknown, unknown>, depth: number): void {
  if (depth >= MAX_DEPTH) throw tooDeep();
  const size = mapSize(map);
  bytes[atByte++] = TAPE.map;
  writeInteger(size);
  let index = 0;
  mapForEach(map, (value, key) => {
    if (index === size) throw changed();
    try {
      writeValue(key, keys.root, depth + 1);
    } catch (error) {
      throw located(error, map, `.keys()[${index}]`);
    }
    try {
      writeValue(value, keys.root, depth + 1);
    } catch (error) {
      throw located(error, map, `.values()[${index}]`);
    }
    index++;
  });
  if (index !== size) throw changed();
}

function writeSet(set: ReadonlySet<unknown>, depth: number): void {
  if (depth >= MAX_DEPTH) throw tooDeep();
  const size = setSize(set);
  bytes[atByte++] = TAPE.set;
  writeInteger(size);
  let index = 0;
  setForEach(set, (member) => {
    if (index === size) throw changed();
    try {
      writeValue(member, keys.root, depth + 1);
    } catch (error) {
      throw located(error, set, `.values()[${index}]`);
    }
    index++;
  });
  if (index !== size) throw changed();
}

function changed(): Unconvertible {
  return new Unconvertible(
    "changed",
    "the value changed while it was read. Convert a copy",
  );
}
