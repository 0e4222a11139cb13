/**
 * Reading values of Python's from a tape.
 *
 * Objects of a shape that is met often are made by a function with an object literal, which V8 makes at once with all its properties.
 */

import process from "node:process";
import type { NativeResult } from "../boundary/node_api.ts";
import { unwrapResult } from "../boundary/result.ts";
import { INLINE, MADE, TAPE } from "../boundary/tape.ts";
import { TAG } from "../boundary/status.ts";
import { describe, requireOptions } from "../checks.ts";
import { CONSTRUCTORS } from "../elements.ts";
import {
  defineProperty,
  isArray,
  mapSet,
  setAdd,
  sliceElements,
  substring,
} from "../intrinsics.ts";
import {
  FIRST_LANE_BYTES,
  MAX_DEPTH,
  MAX_REQUESTED_DEPTH,
  SHAPE_USES,
} from "../limits.ts";
import { napi } from "../loading/native.ts";
import { exportedBlocks } from "../memory/block.ts";
import { makeHandle } from "./handle.ts";
import { temporalOf } from "./times.ts";

/**
 * How Python's objects are converted to plain data.
 *
 * @example
 * ```ts
 * import { PyObjectRef, python, type ToJs } from "@oneheap/oneheap";
 *
 * const options: ToJs = { dict: "map", set: "array" };
 * using value = python.eval("{1: {2}}") as PyObjectRef;
 * console.log(value.toJs(options)); // Map(1) { 1 => [ 2 ] }
 * ```
 */
export interface ToJs {
  /** What a dict becomes: a plain object, for which its keys must be strings, or a `Map`. By default an object. */
  dict?: "object" | "map";
  /** What an int becomes: a number, and beyond 2^53 a bigint ("auto", the default); always a number, or an error; always a bigint. */
  int?: "auto" | "number" | "bigint";
  /** What a set becomes: a `Set`, which is the default, or an array. */
  set?: "set" | "array";
  /** Whether times become objects of `Temporal`. Else an aware datetime becomes a `Date`, and others ISO text. */
  temporal?: boolean;
  /**
   * What an object without counterpart becomes: a `ConversionError` ("throw", the default), a `PyObjectRef` ("ref"), its `str()`
   * ("string"), or what a function makes of a reference to it and its path.
   */
  other?:
    | "throw"
    | "ref"
    | "string"
    | ((ref: object, path: string) => unknown);
  /** How deep the data may be nested: 1,000 by default, and at most 10,000. */
  depth?: number;
}

/** The options as they cross, and the function among them. */
export interface ReadOptions {
  readonly number: number;
  readonly convert: ((ref: object, path: string) => unknown) | undefined;
}

const DICTS = ["object", "map"] as const;
const SETS = ["set", "array"] as const;
const INTS = ["auto", "number", "bigint"] as const;
const OTHERS = ["throw", "ref", "string"] as const;

/** The options without any of them given. */
export const DEFAULT_OPTIONS: ReadOptions = {
  number: MAX_DEPTH << 7,
  convert: undefined,
};

/** Read the options, each once. */
export function readToJs(options: true | ToJs | undefined): ReadOptions {
  if (options === undefined || options === true) return DEFAULT_OPTIONS;
  if (typeof options !== "object") {
    throw new TypeError(
      `toJs must be true or an object of options; ${
        describe(options)
      } was given`,
    );
  }
  const { dict, int, set, temporal, other, depth } = requireOptions(options);
  const convert = typeof other === "function" ? other : undefined;
  const number = choice("dict", dict, DICTS) |
    (choice("set", set, SETS) << 1) |
    ((temporal ? 1 : 0) << 2) |
    (choice("int", int, INTS) << 3) |
    ((convert !== undefined ? 3 : choice("other", other, OTHERS)) << 5) |
    (requireDepth(depth) << 7);
  return { number, convert };
}

function choice(
  what: string,
  value: unknown,
  choices: readonly string[],
): number {
  if (value === undefined) return 0;
  const index = choices.indexOf(value as string);
  if (index >= 0) return index;
  throw new TypeError(
    `The option ${what} must be ${
      choices.map((it) => `"${it}"`).join(" or ")
    }; ${describe(value)} was given`,
  );
}

function requireDepth(depth: number | undefined): number {
  if (depth === undefined) return MAX_DEPTH;
  if (Number.isInteger(depth) && depth >= 1 && depth <= MAX_REQUESTED_DEPTH) {
    return depth;
  }
  throw new RangeError(
    `The option depth must be a whole number from 1 to ${MAX_REQUESTED_DEPTH}; ${
      describe(depth)
    } was given`,
  );
}

// What JavaScript's own are before a program can change them.
const NativeDate = Date;
const NativeFunction = Function;
const { stringify } = JSON;

/** An object of a shape, made of the values that come next. */
type Maker = () => Record<string, unknown>;

/** A shape: its keys, how often it was met, and what makes its objects. */
interface Shape {
  readonly keys: readonly string[];
  uses: number;
  make: Maker | undefined;
}

/** The shapes that Python's side knows by numbers. */
class Shapes {
  readonly #parents: number[] = [0];
  readonly #keys: string[] = [""];
  readonly #shapes: (Shape | undefined)[] = [];

  /** How many nodes there are. */
  get length(): number {
    return this.#parents.length;
  }

  /** Add nodes: alternating the number of a node, and the key behind it. */
  add(nodes: readonly unknown[]): void {
    for (let index = 0; index < nodes.length; index += 2) {
      this.#parents.push(nodes[index] as number);
      this.#keys.push(nodes[index + 1] as string);
    }
  }

  /** Return the shape of a node. */
  get(node: number): Shape {
    return this.#shapes[node] ??= this.#shapeOf(node);
  }

  #shapeOf(node: number): Shape {
    const keys: string[] = [];
    for (let at = node; at !== 0; at = this.#parents[at]) {
      keys.push(this.#keys[at]);
    }
    return { keys: keys.reverse(), uses: 0, make: undefined };
  }
}

/** The shapes of this thread. */
let ownShapes = new Shapes();

/** The lanes to which native code copies tapes that fit. */
let output: Lanes | undefined;

/** The lanes of a tape. */
interface Lanes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly integers: Int32Array;
  readonly doubles: Float64Array;
}

/** What is read, and up to where. */
let bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
let integers: Int32Array = new Int32Array(0);
let doubles: Float64Array = new Float64Array(0);
let atByte = 0, atInteger = 0, atDouble = 0, atText = 0, atString = 0;
let text = "", rest = "";
let strings: readonly string[] = [];
let shapes = ownShapes;
let objects: readonly unknown[] = [];
let convert: ReadOptions["convert"];

/** Convert a Python object as a whole. */
export function toJs(reference: ArrayBuffer, options: ReadOptions): unknown {
  if (output === undefined) registerOutput();
  return readConverted(napi.toJs(reference, options.number), options);
}

function registerOutput(): void {
  output = {
    bytes: new Uint8Array(FIRST_LANE_BYTES),
    integers: new Int32Array(FIRST_LANE_BYTES / 4),
    doubles: new Float64Array(FIRST_LANE_BYTES / 8),
  };
  napi.registerOutput(output.bytes, output.integers, output.doubles);
}

/** Have results that are converted on this thread copied to registered lanes. */
export function prepareToRead(): void {
  if (output === undefined) registerOutput();
}

/** Return the value of a tape that native code has returned; throw a failure. `cause` is why the code was interrupted, if it was. */
export function readConverted(
  result: NativeResult,
  options: ReadOptions,
  cause?: unknown,
): unknown {
  if (typeof result === "string") {
    ({ bytes, integers, doubles } = output!);
    atByte =
      atInteger =
      atDouble =
      atText =
        0;
    text = result;
    rest = "";
    shapes = ownShapes;
    // Nothing of a program's runs while such a tape is read.
    return readValue();
  }
  if (!isArray(result) || result[0] !== TAG.converted) {
    return unwrapResult(result, cause);
  }
  return readApart(result, options);
}

/** Read a tape with lanes of its own. A function of the program's may read others meanwhile. */
function readApart(
  result: readonly unknown[],
  options: ReadOptions,
): unknown {
  const nodes = result[8] as readonly unknown[] | null;
  const base = result[7] as number;
  let known = ownShapes;
  if (base < 0) known = new Shapes();
  else if (nodes !== null && base !== known.length) {
    // Native code has begun anew.
    known = ownShapes = new Shapes();
  }
  if (nodes !== null) known.add(nodes);
  const outer = {
    bytes,
    integers,
    doubles,
    atByte,
    atInteger,
    atDouble,
    atText,
    atString,
    text,
    rest,
    strings,
    shapes,
    objects,
    convert,
  };
  try {
    bytes = new Uint8Array(result[1] as ArrayBuffer);
    integers = new Int32Array(result[2] as ArrayBuffer);
    doubles = new Float64Array(result[3] as ArrayBuffer);
    text = result[4] as string;
    rest = result[5] as string;
    strings = result[6] === null
      ? []
      : deserialize(new Uint8Array(result[6] as ArrayBuffer));
    shapes = known;
    objects = result[9] as readonly unknown[];
    convert = options.convert;
    atByte =
      atInteger =
      atDouble =
      atText =
      atString =
        0;
    return readValue();
  } finally {
    ({
      bytes,
      integers,
      doubles,
      atByte,
      atInteger,
      atDouble,
      atText,
      atString,
      text,
      rest,
      strings,
      shapes,
      objects,
      convert,
    } = outer);
  }
}

/** `deserialize` of Node's `v8`, which is loaded at the first use. */
let deserializeStrings: ((data: Uint8Array) => unknown) | undefined;

function deserialize(data: Uint8Array): readonly string[] {
  deserializeStrings ??= process.getBuiltinModule("node:v8").deserialize;
  return deserializeStrings(data) as readonly string[];
}

/** Take the next characters of the text. Its second part begins where the first is used up. */
function takeText(length: number): string {
  if (atText + length > text.length) {
    text = rest;
    rest = "";
    atText = 0;
  }
  const start = atText;
  atText += length;
  return substring(text, start, atText);
}

/** Read the value that comes next. */
function readValue(): unknown {
  const tag = bytes[atByte++];
  if (tag >= INLINE) return takeText(tag & 0x7f);
  switch (tag) {
    case TAPE.none:
      return null;
    case TAPE.false:
      return false;
    case TAPE.true:
      return true;
    case TAPE.integer:
      return integers[atInteger++];
    case TAPE.number:
      return doubles[atDouble++];
    case TAPE.text:
      return takeText(integers[atInteger++]);
    case TAPE.long:
      return strings[atString++];
    case TAPE.shaped: {
      const shape = shapes.get(integers[atInteger++]);
      return shape.make === undefined ? readShaped(shape) : shape.make();
    }
    case TAPE.list: {
      const length = integers[atInteger++];
      const array: unknown[] = new Array(length);
      for (let index = 0; index < length; index++) array[index] = readValue();
      return array;
    }
    case TAPE.numbers: {
      const length = integers[atInteger++];
      const array: number[] = new Array(length);
      for (let index = 0; index < length; index++) {
        array[index] = doubles[atDouble++];
      }
      return array;
    }
    case TAPE.integers: {
      const length = integers[atInteger++];
      const array: number[] = new Array(length);
      for (let index = 0; index < length; index++) {
        array[index] = integers[atInteger++];
      }
      return array;
    }
  }
  return readRare(tag);
}

/** The lane of doubles as 64 bits, once it is needed. */
let words: BigInt64Array = new BigInt64Array(0);

function readWord(): bigint {
  if (words.buffer !== doubles.buffer) {
    words = new BigInt64Array(doubles.buffer);
  }
  return words[atDouble++];
}

function readRare(tag: number): unknown {
  switch (tag) {
    case TAPE.open:
      return readOpen();
    case TAPE.int64:
      return readWord();
    case TAPE.big: {
      const digits = readValue() as string;
      return digits[0] === "-" ? -BigInt(digits.slice(1)) : BigInt(digits);
    }
    case TAPE.bytes: {
      const length = integers[atInteger++];
      const start = atByte;
      atByte += length;
      return sliceElements(bytes, start, atByte);
    }
    case TAPE.map: {
      const size = integers[atInteger++];
      const map = new Map<unknown, unknown>();
      for (let index = 0; index < size; index++) {
        const key = readValue();
        mapSet(map, key, readValue());
      }
      return map;
    }
    case TAPE.set: {
      const size = integers[atInteger++];
      const set = new Set<unknown>();
      for (let index = 0; index < size; index++) setAdd(set, readValue());
      return set;
    }
    case TAPE.made: {
      const kind = integers[atInteger++];
      const value = readValue();
      return kind === MADE.date
        ? new NativeDate(value as number)
        : temporalOf(kind, value as string);
    }
    case TAPE.array: {
      const type = CONSTRUCTORS[integers[atInteger++]];
      const length = integers[atInteger++];
      const start = (atByte + 7) & ~7;
      atByte = start + length;
      return new type(sliceElements(bytes, start, atByte).buffer);
    }
    case TAPE.object:
      return readObject(objects[integers[atInteger++]]);
  }
  throw new Error(`a tape of native code has the tag ${tag}`);
}

/** A reference, a block that comes back, or what the function of the options makes of a reference. */
function readObject(referred: unknown): unknown {
  if (!isArray(referred)) return makeHandle(referred as ArrayBuffer);
  if (typeof referred[0] === "string") {
    return convert!(makeHandle(referred[1] as ArrayBuffer), referred[0]);
  }
  const block = exportedBlocks.lookup(referred[1] as number);
  if (block === undefined) return makeHandle(referred[2] as ArrayBuffer);
  napi.decref(referred[2] as ArrayBuffer);
  return block;
}

/** Set a property of an object's own, `__proto__` too. */
function setProperty(
  object: Record<string, unknown>,
  key: string,
  value: unknown,
): void {
  if (key !== "__proto__") {
    object[key] = value;
    return;
  }
  defineProperty(object, key, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

/** Read an object with the keys of a shape. */
function readShaped(shape: Shape): Record<string, unknown> {
  const { keys } = shape;
  if (++shape.uses > SHAPE_USES && canCompile) {
    const make = compile(keys);
    if (make !== undefined) {
      shape.make = make;
      return make();
    }
  }
  const object: Record<string, unknown> = {};
  for (let index = 0; index < keys.length; index++) {
    setProperty(object, keys[index], readValue());
  }
  return object;
}

/** Whether functions can be made of text; `--disallow-code-generation-from-strings` forbids it. */
let canCompile = true;

/** Make a function that reads an object with these keys. */
function compile(keys: readonly string[]): Maker | undefined {
  const properties = keys.map((key) => `[${stringify(key)}]: read()`);
  const source = `return () => ({ ${
    properties.map((it, index) =>
      keys[index] === "__proto__" ? it : it.replace(/^\[(.*)\]: /s, "$1: ")
    ).join(", ")
  } });`;
  try {
    return new NativeFunction("read", source)(readValue) as Maker;
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
    canCompile = false;
    return undefined;
  }
}

function readOpen(): Record<string, unknown> {
  const { keys } = shapes.get(integers[atInteger++]);
  const object: Record<string, unknown> = {};
  for (let index = 0; index < keys.length; index++) {
    setProperty(object, keys[index], readValue());
  }
  while (bytes[atByte] !== TAPE.end) {
    const key = readValue() as string;
    setProperty(object, key, readValue());
  }
  atByte++;
  return object;
}
