/** Python's values in JavaScript: what has a counterpart becomes that, everything else a reference to the Python object. */

import { type Block, isBlock, tokenOf } from "../memory/block.ts";
import { FreedError } from "../errors.ts";
import { reportDue, reportExternalMemory } from "../memory/external_memory.ts";
import {
  apply,
  isArray,
  isProxy,
  isStackEnd,
  isView,
  typedArrayName,
} from "../intrinsics.ts";
import { napi, symbols } from "../loading/native.ts";
import { lookup } from "../memory/exported_blocks.ts";
import { unwrapResult } from "../boundary/result.ts";
import type { NativeResult, NativeValue } from "../boundary/symbols.ts";
import { describe, type TypedArray } from "../elements.ts";

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

/** Makes a `PyObjectRef` of a reference's buffer. */
let create: (reference: ArrayBuffer) => PyObjectRef;

/** The buffer of a `PyObjectRef`; a `FreedError` if it was disposed. */
export let referenceOf: (object: PyObjectRef) => ArrayBuffer;

/** Whether a value is a `PyObjectRef`, whatever its prototype says. */
export let isReference: (value: unknown) => value is PyObjectRef;

/** Says to the constructor that its argument is a reference's buffer, which only this module can. */
const REFERENCE = Symbol();

/**
 * A reference to a Python object that has no counterpart in JavaScript. The object lives at least as long as the reference,
 * which `using` lets go of; one that is lost is let go of some time after it is collected.
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
  #reference: ArrayBuffer | undefined;

  static {
    const Own = PyObjectRef as unknown as new (
      reference: ArrayBuffer,
      kind: symbol,
    ) => PyObjectRef;
    create = (reference) => new Own(reference, REFERENCE);
    referenceOf = (object) => object.#live();
    isReference = (value): value is PyObjectRef =>
      typeof value === "object" && value !== null && #reference in value;
  }

  /**
   * Takes over a reference to a Python object, as {@linkcode Block.toPython} gives one. Nothing checks that there is an object at
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
  }

  /**
   * Makes a reference of its own to an object that somebody else refers to, as `PyObject` of deno_python does: their reference
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
    return create(
      unwrapResult(napi.fromBorrowedPointer(addressOf(pointer))) as ArrayBuffer,
    );
  }

  /** Whether the reference was disposed. */
  get disposed(): boolean {
    return this.#reference === undefined;
  }

  /** A pointer to the object, valid as long as this reference or another one lives. */
  get pointer(): Deno.PointerObject {
    const address = napi.address(this.#live());
    return symbols.oneheap_pointer(address) as Deno.PointerObject;
  }

  /**
   * Calls the object with positional arguments.
   *
   * @throws {PythonError} If the call raises.
   * @throws {TypeError} If an argument has no counterpart in Python.
   */
  call(...args: PythonValue[]): PythonValue {
    if (reportDue[0] !== 0) reportExternalMemory();
    const reference = this.#live();
    const crossings = args as NativeValue[];
    for (let index = 0; index < args.length; index++) {
      crossings[index] = toNative(args[index]);
    }
    return fromNative(apply(napi.call, reference, crossings));
  }

  /**
   * The object's attribute of that name.
   *
   * @throws {PythonError} An `AttributeError` if it has none.
   */
  get(attribute: string): PythonValue {
    if (reportDue[0] !== 0) reportExternalMemory();
    return fromNative(
      napi.getAttr(this.#live(), requireString("attribute", attribute)),
    );
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

  /** Releases the object. Disposing twice does nothing. */
  [Symbol.dispose](): void {
    const reference = this.#reference;
    if (reference === undefined) return;
    // First, for releasing it may run a finaliser that comes here again.
    this.#reference = undefined;
    try {
      napi.decref(reference);
    } catch (error) {
      this.#reference = reference;
      throw error;
    }
  }

  #live(): ArrayBuffer {
    if (this.#reference !== undefined) return this.#reference;
    throw new FreedError("This reference to a Python object was disposed");
  }
}

/** The address of a pointer that somebody gave. */
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

/** A string that somebody gave. */
export function requireString(what: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw new TypeError(
    `The ${what} must be a string; ${describe(value)} was given`,
  );
}

/**
 * A value as it crosses to Python; a `TypeError` for what has no counterpart there. Only then does code of a program's run: what kind
 * of object it is, is asked of private fields and of JavaScript's own functions.
 */
export function toNative(value: PythonValue): NativeValue {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
    case "bigint":
      return value;
    case "object":
      if (value === null) return value;
      if (isReference(value)) return referenceOf(value);
      if (isBlock(value)) return tokenOf(value);
      if (typedArrayName(value) === "Uint8Array") return value as Uint8Array;
  }
  // A Proxy that was revoked is no array to ask for.
  const isElements = isView(value) || (!isProxy(value) && isArray(value));
  throw new TypeError(
    "A value for Python must be null, a boolean, a number, a bigint, a string, a Uint8Array, a Block or a PyObjectRef; " +
      `${describe(value)} was given` +
      (isElements ? ". Give alloc(type, elements)" : "") +
      (value === undefined ? ". Give null for None" : ""),
  );
}

/** What came back, as JavaScript has it; a failure is thrown. */
export function fromNative(
  outcome: NativeResult,
  cause?: unknown,
): PythonValue {
  if (typeof outcome !== "object" || outcome === null) return outcome;
  if (isArray(outcome)) return block(unwrapResult(outcome, cause) as unknown[]);
  if (isView(outcome)) return outcome as Uint8Array;
  return create(outcome as ArrayBuffer);
}

/** A block that returns, or its memory alone. By index: a pattern would run the iterator of arrays, which user code can change. */
function block(outcome: readonly unknown[]): PythonValue {
  const identity = outcome[1] as number;
  const reference = outcome[2];
  const block = lookup(identity);
  if (block === undefined) return fromNative(reference as NativeResult);
  napi.decref(reference as ArrayBuffer);
  return block;
}
