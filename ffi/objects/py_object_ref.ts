/** References to Python objects that have no counterpart in JavaScript. */

import type { NativeValue } from "../boundary/node_api.ts";
import { unwrapResult } from "../boundary/result.ts";
import { describe, requireString } from "../checks.ts";
import type { TypedArray } from "../elements.ts";
import { FreedError } from "../errors.ts";
import { apply, isStackEnd } from "../intrinsics.ts";
import { napi, symbols } from "../loading/native.ts";
import type { Block } from "../memory/block.ts";
import { reportDue, reportExternalMemory } from "../memory/external_memory.ts";
import { fromNative, toNative } from "../values/conversions.ts";
import { defineHandles, makeHandle } from "../values/handle.ts";

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
  #reference: ArrayBuffer | undefined;

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
    return this.#reference === undefined;
  }

  /** A pointer to the object, valid as long as this reference or another one lives. */
  get pointer(): Deno.PointerObject {
    const address = napi.address(this.#live());
    return symbols.oneheap_pointer(address) as Deno.PointerObject;
  }

  /**
   * Call the object with positional arguments.
   *
   * @throws {PythonError} If the call raises.
   * @throws {TypeError} If an argument has no counterpart in Python.
   */
  call(...args: PythonValue[]): PythonValue {
    if (reportDue[0] !== 0) reportExternalMemory();
    const reference = this.#live();
    const values = args as NativeValue[];
    for (let index = 0; index < args.length; index++) {
      values[index] = toNative(args[index]);
    }
    return fromNative(
      apply(napi.call, reference, values),
    ) as PythonValue;
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
    ) as PythonValue;
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

  /** Release the object. Disposing twice does nothing. */
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
