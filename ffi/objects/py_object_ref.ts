/** References to Python objects that have no counterpart in JavaScript. */

import type { NativeValue } from "../boundary/node_api.ts";
import { unwrapResult } from "../boundary/result.ts";
import { REFERENCE_BYTES } from "../boundary/status.ts";
import { OPERATION, type Operation } from "../boundary/tape.ts";
import {
  describe,
  isObject,
  requireOptions,
  requireString,
} from "../checks.ts";
import type { TypedArray, TypedArrayConstructor } from "../elements.ts";
import { FreedError } from "../errors.ts";
import {
  apply,
  bufferByteLength,
  isArray,
  isStackEnd,
  PlainArray,
  setHas,
} from "../intrinsics.ts";
import { napi, symbols } from "../loading/native.ts";
import type { Block } from "../memory/block.ts";
import { tracker } from "../tracker.ts";
import { reportDue, reportExternalMemory } from "../memory/external_memory.ts";
import { crossesAlone, fromNative, toNative } from "../values/conversions.ts";
import { defineHandles, handleOfProxy, makeHandle } from "../values/handle.ts";
import { type Kw, type Slice, Tuple } from "../values/python_values.ts";
import { type Borrowed, borrowReference } from "./borrowed.ts";
import { readToJs, type ToJs, toJs } from "../values/read.ts";
import { operate } from "../values/write.ts";
import { DISPLAY, mediaBundleOf } from "./media_bundle.ts";

/**
 * What goes into Python and what comes back.
 *
 * | JavaScript | Python |
 * | --- | --- |
 * | `null` | `None` |
 * | `boolean` | `bool` |
 * | `number` that is a safe integer | `int` |
 * | other `number`, `-0` | `float` |
 * | `bigint` | `int`; one within 2^53 comes back as a `number` |
 * | `string` | `str` |
 * | `Uint8Array` | `bytes`, a copy |
 * | {@linkcode Block} | `oneheap.Block`, no copy |
 * | {@linkcode PyObjectRef} | any other object |
 *
 * A NumPy scalar that is a number, a boolean, a string or bytes comes back as that; other ones stay objects.
 *
 * @example
 * ```ts
 * import { python, type PythonValue } from "@oneheap/oneheap";
 *
 * const values: PythonValue[] = ["2 ** 10", "2 ** 100", "'ü'"].map((it) => python.eval(it));
 * console.log(values); // [ 1024, 1267650600228229401496703205376n, "ü" ]
 * ```
 */
export type PythonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Block<TypedArray>
  | PyObjectRef;

/**
 * What goes into Python: any nesting of values that have a counterpart there. Containers are copied, deeply, in one crossing;
 * blocks and references stay what they are.
 *
 * | JavaScript | Python |
 * | --- | --- |
 * | array; `Map`; `Set` | `list`; `dict`; `set` |
 * | plain object | `dict` with `str` keys |
 * | `Date`, `Temporal` | `datetime`, `date`, `time`, `timedelta` |
 * | {@linkcode float}, {@linkcode slice} | `float`, `slice` |
 * | other typed arrays and buffers | `oneheap.Block` over a copy |
 * | `URL` of a file | `pathlib.Path` |
 *
 * An interface of TypeScript's is no index signature, so any object is accepted here, and checked when it is used. Keywords
 * ({@linkcode Kw}) are none of these values: where a function is declared, an argument that is missing in front of them is an error.
 *
 * @example
 * ```ts
 * import { type PyArg, PyObjectRef, python } from "@oneheap/oneheap";
 *
 * const document: PyArg = { title: "x", tags: new Set(["a"]), rows: [[1, 2.5], [3, null]] };
 * using represent = python.eval("repr") as PyObjectRef;
 * console.log(represent.call(document)); // {'title': 'x', 'tags': {'a'}, 'rows': [[1, 2.5], [3, None]]}
 * ```
 */
export type PyArg =
  | null
  | boolean
  | number
  | bigint
  | string
  | (object & { readonly $keywords?: never })
  | { readonly $keywords?: never; readonly [name: string]: unknown };

/** The arguments of a call: the last may be keywords. */
export type PyArgs = readonly (PyArg | Kw<object>)[];

/** Return a key as it is written: an array is a tuple. */
function keyOf(key: PyArg | Slice): unknown {
  return isArray(key) ? new Tuple(key) : key;
}

/** Go through an iterator of Python's, and dispose it. */
let elementsOf: (
  iterator: PyObjectRef,
) => Generator<PythonValue, void, undefined>;

/** Return whether the object of a new reference can be called, which native code has told with it. */
export let isCallable: (handle: PyObjectRef) => boolean;

/** Have something be disposed with a reference. */
export let own: (handle: PyObjectRef, owned: Disposable) => void;

/** Call an object with the arguments in an array of this library's own. */
export let callWith: (handle: PyObjectRef, args: unknown[]) => PythonValue;

/** End references that were made in a region, but those that are kept, in one crossing. */
export let endReferences: (
  references: readonly PyObjectRef[],
  kept: ReadonlySet<unknown> | undefined,
  region: string,
) => void;

/** The references that were made in the region that runs; undefined outside of all. */
let region: PyObjectRef[] | undefined;

/** Have new references belong to a region. Return the one to which they belonged. */
export function enterRegion(
  next: PyObjectRef[] | undefined,
): PyObjectRef[] | undefined {
  const outer = region;
  region = next;
  return outer;
}

/** Says to the constructor that its argument is a reference's buffer, which only this module can. */
const REFERENCE = Symbol();

/**
 * A reference to a Python object that has no counterpart in JavaScript. The object lives at least as long as the reference,
 * which `using` decrefs; the object of one that is lost is decref'ed some time after it is collected.
 *
 * @example
 * ```ts
 * import { python, PyObjectRef } from "@oneheap/oneheap";
 *
 * using join = python.eval("'-'.join") as PyObjectRef;
 * using letters = python.eval("['a', 'b']") as PyObjectRef;
 * console.log(join.call(letters)); // a-b
 * console.log(`${letters}`); // ['a', 'b']
 * ```
 */
export class PyObjectRef implements Disposable {
  /** The reference's buffer; or the name of the region that it has ended with. */
  #reference: ArrayBuffer | string | undefined;
  /** What is disposed with the reference. */
  #owned: Disposable | undefined;

  static {
    const Own = PyObjectRef as unknown as new (
      reference: ArrayBuffer,
      kind: symbol,
    ) => PyObjectRef;
    defineHandles({
      make: (reference) => new Own(reference, REFERENCE),
      is: (value) =>
        typeof value === "object" && value !== null && #reference in value,
      referenceOf: (handle) => (handle as PyObjectRef).#live(),
    });
    isCallable = (handle) =>
      bufferByteLength(handle.#live()) === REFERENCE_BYTES.callable;
    own = (handle, owned) => handle.#owned = owned;
    callWith = (handle, args) => handle.#call(args);
    endReferences = (references, kept, region) => {
      const buffers = new PlainArray<ArrayBuffer>();
      for (let index = 0; index < references.length; index++) {
        const reference = references[index];
        const buffer = reference.#reference;
        if (
          typeof buffer !== "object" ||
          (kept !== undefined && setHas(kept, reference))
        ) continue;
        reference.#reference = region;
        buffers[buffers.length] = buffer;
        if (tracker !== undefined) tracker.ended(reference);
      }
      if (buffers.length > 0) napi.decrefAll(buffers);
      for (let index = 0; index < references.length; index++) {
        const reference = references[index];
        if (reference.#reference === region) reference.#disposeOwned();
      }
    };
  }

  /**
   * Take ownership of a reference to a Python object, as {@linkcode Block.toPython} returns one. Nothing checks that there is an object at
   * the pointer.
   *
   * @param pointer The object. The reference to it that the caller owned is this one's from now on.
   * @throws {TypeError} If it is no pointer.
   */
  constructor(pointer: Deno.PointerObject);
  constructor(pointer: unknown, kind?: symbol) {
    this.#reference = kind === REFERENCE
      ? pointer as ArrayBuffer
      : unwrapResult(napi.fromOwnedPointer(addressOf(pointer))) as ArrayBuffer;
    if (region !== undefined) region[region.length] = this;
    if (tracker !== undefined) {
      tracker.began(this, "reference", 0, PyObjectRef);
    }
  }

  /**
   * Make a reference of its own to an object that somebody else refers to, as `PyObject` of deno_python does: their reference
   * stays theirs. Nothing checks that there is an object at the pointer.
   *
   * @param pointer The object, which has to live until this returns.
   * @throws {TypeError} If it is no pointer.
   *
   * @example
   * ```ts
   * import { python, PyObjectRef } from "@oneheap/oneheap";
   *
   * using list = python.eval("[1, 2]") as PyObjectRef;
   * using same = PyObjectRef.from(list.pointer);
   * console.log(python.eval("a is b", { names: { a: list, b: same } })); // true
   * ```
   */
  static from(pointer: Deno.PointerObject): PyObjectRef {
    return makeHandle(
      unwrapResult(napi.fromBorrowedPointer(addressOf(pointer))) as ArrayBuffer,
    ) as PyObjectRef;
  }

  /** Whether the reference was disposed. */
  get disposed(): boolean {
    return typeof this.#reference !== "object";
  }

  /** A pointer to the object, valid as long as this reference or another one lives. */
  get pointer(): Deno.PointerObject {
    const address = napi.address(this.#live());
    return symbols.oneheap_pointer(address) as Deno.PointerObject;
  }

  /**
   * Convert the object, and what is in it, to plain data in one crossing: lists and tuples to arrays, dicts to objects, sets to sets,
   * NumPy arrays to typed arrays, aware datetimes to dates. Nothing refers to Python afterwards.
   *
   * @throws {ConversionError} If something in it has no counterpart, contains itself, or is nested too deep: `path` says where.
   * @throws {PythonError} If code of an object in it raises.
   *
   * @example
   * ```ts
   * import { PyObjectRef, python } from "@oneheap/oneheap";
   *
   * using value = python.eval("{'rows': [(1, 'a'), (2, 'b')]}") as PyObjectRef;
   * console.log(value.toJs()); // { rows: [ [ 1, "a" ], [ 2, "b" ] ] }
   * ```
   */
  toJs<T = unknown>(options?: ToJs): T {
    if (reportDue[0] !== 0) reportExternalMemory();
    const read = readToJs(options);
    return toJs(this.#live(), read) as T;
  }

  /**
   * Call the object. Arrays, plain objects, maps, sets and dates among the arguments are copied, in the same crossing; {@linkcode kw} as
   * the last argument gives keywords.
   *
   * @throws {PythonError} If the call raises.
   * @throws {ConversionError} If something in an argument has no counterpart in Python.
   *
   * @example
   * ```ts
   * import { kw, PyObjectRef, python } from "@oneheap/oneheap";
   *
   * using dumps = python.eval("__import__('json').dumps") as PyObjectRef;
   * console.log(dumps.call({ b: [1, null], a: true }, kw({ sort_keys: true }))); // {"a": true, "b": [1, null]}
   * ```
   */
  call(...args: PyArgs): PythonValue {
    return this.#call(args as unknown[]);
  }

  /** Call the object. The array is this library's own. */
  #call(args: unknown[]): PythonValue {
    return callReference(this.#live(), args);
  }

  /**
   * Call a method of the object, in one crossing.
   *
   * @throws {PythonError} If there is none of that name, or it raises.
   *
   * @example
   * ```ts
   * import { PyObjectRef, python } from "@oneheap/oneheap";
   *
   * using list = python.eval("[3, 1, 2]") as PyObjectRef;
   * list.method("sort");
   * list.method("append", 4);
   * console.log(list.toJs()); // [ 1, 2, 3, 4 ]
   * ```
   */
  method(name: string, ...args: PyArgs): PythonValue {
    requireString("name", name);
    const values = new PlainArray<unknown>();
    values[0] = name;
    for (let index = 0; index < args.length; index++) {
      values[index + 1] = args[index];
    }
    return this.#operate(OPERATION.method, values);
  }

  /**
   * The object's attribute of that name.
   *
   * @throws {PythonError} An `AttributeError` if it has none.
   */
  get(attribute: string): PythonValue {
    return this.#operate(OPERATION.getAttribute, [
      requireString("attribute", attribute),
    ]);
  }

  /**
   * Set an attribute.
   *
   * @throws {PythonError} If the object refuses it.
   */
  set(attribute: string, value: PyArg): void {
    this.#operate(OPERATION.setAttribute, [
      requireString("attribute", attribute),
      value,
    ]);
  }

  /**
   * Delete an attribute.
   *
   * @throws {PythonError} If the object has none of that name, or refuses it.
   */
  delete(attribute: string): void {
    this.#operate(OPERATION.deleteAttribute, [
      requireString("attribute", attribute),
    ]);
  }

  /** Whether the object has an attribute of that name. */
  has(attribute: string): boolean {
    return this.#operate(OPERATION.hasAttribute, [
      requireString("attribute", attribute),
    ]) as boolean;
  }

  /**
   * The object's item at a key or index, as `object[key]`. {@linkcode slice} gives a slice, an array a tuple.
   *
   * @throws {PythonError} A `KeyError` or `IndexError` if there is none.
   *
   * @example
   * ```ts
   * import { PyObjectRef, python, slice } from "@oneheap/oneheap";
   *
   * using list = python.eval("['a', 'b', 'c']") as PyObjectRef;
   * console.log(list.item(-1)); // c
   * using part = list.item(slice(0, 2)) as PyObjectRef;
   * console.log(part.toJs()); // [ "a", "b" ]
   * ```
   */
  item(key: PyArg | Slice): PythonValue {
    return this.#operate(OPERATION.getItem, [keyOf(key)]);
  }

  /**
   * Set an item.
   *
   * @throws {PythonError} If the object refuses it.
   */
  setItem(key: PyArg | Slice, value: PyArg): void {
    this.#operate(OPERATION.setItem, [keyOf(key), value]);
  }

  /**
   * Delete an item.
   *
   * @throws {PythonError} If there is none, or the object refuses it.
   */
  deleteItem(key: PyArg | Slice): void {
    this.#operate(OPERATION.deleteItem, [keyOf(key)]);
  }

  /** Whether a value is in the object, as `value in object`. */
  contains(value: PyArg): boolean {
    return this.#operate(OPERATION.contains, [value]) as boolean;
  }

  /**
   * How many items the object has, as `len()` says.
   *
   * @throws {PythonError} If it has no length.
   */
  get length(): number {
    return this.#operate(OPERATION.length, []) as number;
  }

  /** The name of the object's type, with its module unless that is `builtins`. */
  get type(): string {
    return this.#operate(OPERATION.type, []) as string;
  }

  /** Whether the object can be called. */
  get callable(): boolean {
    return this.#operate(OPERATION.isCallable, []) as boolean;
  }

  /** Whether it is that very object. */
  is(other: PyArg): boolean {
    return this.#operate(OPERATION.is, [other]) as boolean;
  }

  /** Whether the object is an instance of a type, which is given by a reference or by its name as {@linkcode type} has it. */
  isInstance(type: string | PyObjectRef): boolean {
    return this.#operate(OPERATION.isInstance, [type]) as boolean;
  }

  /** Whether the object is equal to a value, as `==` says. */
  equals(other: PyArg): boolean {
    return this.#operate(OPERATION.equals, [other]) as boolean;
  }

  /**
   * -1, 0 or 1, as the object is less than, equal to, or greater than a value.
   *
   * @throws {PythonError} If they can't be compared.
   */
  compare(other: PyArg): -1 | 0 | 1 {
    return this.#operate(OPERATION.compare, [other]) as -1 | 0 | 1;
  }

  /**
   * Iterate over the object as Python does. What isn't a value of its own comes as a reference, which is yours to dispose.
   *
   * @example
   * ```ts
   * import { PyObjectRef, python } from "@oneheap/oneheap";
   *
   * using squares = python.eval("(n * n for n in range(4))") as PyObjectRef;
   * console.log([...squares]); // [ 0, 1, 4, 9 ]
   * ```
   */
  [Symbol.iterator](): Generator<PythonValue, void, undefined> {
    return elementsOf(this.#operate(OPERATION.iterate, []) as PyObjectRef);
  }

  static {
    elementsOf = function* (iterator) {
      using _iterator = iterator;
      while (true) {
        const element = iterator.#operate(OPERATION.next, []);
        if (element === undefined) return;
        yield element;
      }
    };
  }

  /**
   * Use the object as Python's `with` does: `body` gets what it is entered as, and the object is left when `body` has ended, or failed,
   * or, where it returns a promise, when that has settled. To Python an error of JavaScript's is a `RuntimeError` with its message; if the
   * object suppresses it, the result is undefined.
   *
   * @example
   * ```ts
   * import { PyObjectRef, python } from "@oneheap/oneheap";
   *
   * using opened = python.eval("__import__('io').StringIO('text')") as PyObjectRef;
   * console.log(opened.with((file) => (file as PyObjectRef).method("read"))); // text
   * console.log(opened.get("closed")); // true
   * ```
   */
  with<Result>(body: (entered: PythonValue) => Result): Result {
    if (typeof body !== "function") {
      throw new TypeError(
        `The body must be a function; ${describe(body)} was given`,
      );
    }
    const entered = this.#operate(OPERATION.enter, []);
    let result: Result;
    try {
      result = body(entered);
    } catch (error) {
      if (this.#leave(error)) return undefined as Result;
      throw error;
    }
    if (result instanceof Promise) return this.#leaveLater(result) as Result;
    this.#operate(OPERATION.leave, [null]);
    return result;
  }

  /** Leave what {@linkcode with} entered, for an error. Return whether it is suppressed. */
  #leave(error: unknown): boolean {
    let message: string;
    try {
      message = `${error}`;
    } catch {
      message = "an error that can't be shown";
    }
    return this.#operate(OPERATION.leave, [message]) as boolean;
  }

  async #leaveLater(promise: Promise<unknown>): Promise<unknown> {
    let result: unknown;
    try {
      result = await promise;
    } catch (error) {
      if (this.#leave(error)) return undefined;
      throw error;
    }
    this.#operate(OPERATION.leave, [null]);
    return result;
  }

  /**
   * The memory of the object as a typed array; nothing is copied. {@linkcode Python.borrow} says more.
   *
   * @param type The constructor of the view. It is checked against the elements' format; by default the format decides.
   * @param options With `copy`, what can't be shown where it is, is copied.
   * @throws {BufferError} If no typed array, or none of that type, can show the memory; or if it is read-only.
   * @throws {PythonError} If the object has no buffer.
   *
   * @example
   * ```ts
   * import { PyObjectRef, python } from "@oneheap/oneheap";
   *
   * using bytes = python.eval("bytearray(b'abc')") as PyObjectRef;
   * using borrowed = bytes.view(Uint8Array);
   * borrowed.view[0] += 1;
   * console.log(`${bytes}`); // bytearray(b'bbc')
   * ```
   */
  view<A extends TypedArray = TypedArray>(
    type?: TypedArrayConstructor<A>,
    options: { copy?: boolean } = {},
  ): Borrowed<A> {
    if (reportDue[0] !== 0) reportExternalMemory();
    const { copy } = requireOptions(options);
    return borrowReference(this.#live(), type, copy === true);
  }

  /** Do something with the object, in one crossing. */
  #operate(operation: Operation, values: readonly unknown[]): PythonValue {
    if (reportDue[0] !== 0) reportExternalMemory();
    const result = operate(this.#live(), operation, values);
    return result === undefined
      ? undefined as unknown as PythonValue
      : fromNative(result) as PythonValue;
  }

  /**
   * How JavaScript's operators use the object: as text where they want that. For `+`, `<` and the like, which would compare or join texts
   * silently, it throws.
   *
   * @throws {TypeError} If a number or any primitive is wanted.
   */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === "string") return this.toString();
    throw new TypeError(
      "A PyObjectRef is no primitive value: +, < and == would not do what Python does. " +
        'Use equals(), compare(), method("__add__", …), or toJs()',
    );
  }

  /** What `JSON.stringify` makes of the object: the same as {@linkcode toJs}. (`structuredClone` doesn't ask, and fails.) */
  toJSON(): unknown {
    return this.toJs();
  }

  /** The object as Python's `str()` has it. */
  toString(): string {
    return fromNative(napi.str(this.#live())) as string;
  }

  /** How the console shows it: with the object's `str()`. */
  [Symbol.for("Deno.customInspect")](): string {
    if (this.disposed) return "PyObjectRef (disposed)";
    try {
      return `PyObjectRef ${this}`;
    } catch {
      return "PyObjectRef (its str() raises)";
    }
  }

  /** How a notebook shows it: by what its `_repr_html_`, `_repr_png_` and the like give, as a figure of matplotlib's picture, or as text. */
  [DISPLAY](): Record<string, unknown> {
    const reference = this.#reference;
    return typeof reference === "object"
      ? mediaBundleOf(reference)
      : { "text/plain": "PyObjectRef (disposed)" };
  }

  /** Release the object. Disposing twice does nothing. */
  [Symbol.dispose](): void {
    const reference = this.#reference;
    if (typeof reference !== "object") return;
    this.#disposeOwned();
    // First, for releasing it may run a finaliser that comes here again.
    this.#reference = undefined;
    try {
      napi.decref(reference);
    } catch (error) {
      this.#reference = reference;
      throw error;
    }
    if (tracker !== undefined) tracker.ended(this);
  }

  #disposeOwned(): void {
    this.#owned?.[Symbol.dispose]();
    this.#owned = undefined;
  }

  #live(): ArrayBuffer {
    const reference = this.#reference;
    if (typeof reference === "object") return reference;
    throw new FreedError(
      reference === undefined
        ? "This reference to a Python object was disposed"
        : `This reference to a Python object ended with ${reference}, in which it was made. Return it from there, or make it outside`,
    );
  }
}

/**
 * Call the object of a reference with the arguments in an array of this library's own. `check` is called with arguments that cross together,
 * and may refuse them.
 */
export function callReference(
  reference: ArrayBuffer,
  args: unknown[],
  check?: (args: readonly unknown[]) => void,
): PythonValue {
  if (reportDue[0] !== 0) reportExternalMemory();
  for (let index = 0; index < args.length; index++) {
    const value = args[index];
    if (crossesAlone(value)) continue;
    const handle = isObject(value) ? handleOfProxy(value) : undefined;
    if (handle === undefined) {
      check?.(args);
      const result = operate(reference, OPERATION.call, args);
      return fromNative(result!) as PythonValue;
    }
    args[index] = handle;
  }
  const values = args as NativeValue[];
  for (let index = 0; index < values.length; index++) {
    values[index] = toNative(values[index])!;
  }
  return fromNative(apply(napi.call, reference, values)) as PythonValue;
}

/** Return the address of a pointer. */
export function addressOf(pointer: unknown): number {
  if (typeof pointer === "object" && pointer !== null) {
    try {
      return symbols.oneheap_address(pointer as Deno.PointerObject);
    } catch (error) {
      if (isStackEnd(error)) throw error;
      // Deno takes nothing but its own pointer objects.
    }
  }
  throw new TypeError(
    `The pointer must be a Deno.PointerObject; ${describe(pointer)} was given`,
  );
}
