/** Values that say more than JavaScript's own do: a float, a slice, keyword arguments. */

import { describe } from "../checks.ts";
import { entriesOf, freeze } from "../intrinsics.ts";

/** The number of a float; undefined for other values. */
export let floatOf: (value: object) => number | undefined;

/** The three parts of a slice; undefined for other values. */
export let sliceOf: (value: object) => readonly unknown[] | undefined;

/** The names and values of keyword arguments; undefined for other values. */
export let keywordsOf: (
  value: unknown,
) => readonly [string, unknown][] | undefined;

/**
 * A number that is a `float` to Python also where it is whole. {@linkcode float} makes it.
 *
 * @example
 * ```ts
 * import { float, type PyFloat, PyObjectRef, python } from "@oneheap/oneheap";
 *
 * const two: PyFloat = float(2);
 * using represent = python.eval("repr") as PyObjectRef;
 * console.log(represent.call(2), represent.call(two)); // 2 2.0
 * ```
 */
export class PyFloat {
  readonly #number: number;

  static {
    floatOf = (value) => #number in value ? value.#number : undefined;
  }

  /** Make the float. */
  constructor(number: number) {
    if (typeof number !== "number") {
      throw new TypeError(
        `A float must be a number; ${describe(number)} was given`,
      );
    }
    this.#number = number;
    freeze(this);
  }
}

/**
 * Return a number that is a `float` to Python: a whole number is an `int` otherwise.
 *
 * @example
 * ```ts
 * import { float, PyObjectRef, python } from "@oneheap/oneheap";
 *
 * using type = python.eval("lambda value: type(value).__name__") as PyObjectRef;
 * console.log(type.call(1), type.call(float(1))); // int float
 * ```
 */
export function float(value: number): PyFloat {
  return new PyFloat(value);
}

/**
 * A `slice` of Python's. {@linkcode slice} makes it.
 *
 * @example
 * ```ts
 * import { PyObjectRef, python, type Slice, slice } from "@oneheap/oneheap";
 *
 * const firstTwo: Slice = slice(2);
 * using list = python.eval("['a', 'b', 'c']") as PyObjectRef;
 * using part = list.item(firstTwo) as PyObjectRef;
 * console.log(`${part}`); // ['a', 'b']
 * ```
 */
export class Slice {
  readonly #parts: readonly unknown[];

  static {
    sliceOf = (value) => #parts in value ? value.#parts : undefined;
  }

  /** Make the slice of its three parts; `null` is none. */
  constructor(start: unknown, stop: unknown, step: unknown) {
    this.#parts = [start, stop, step];
    freeze(this);
  }
}

/** The elements of a tuple; undefined for other values. */
export let tupleOf: (value: object) => readonly unknown[] | undefined;

/** An array that is a tuple to Python: a key of several parts. */
export class Tuple {
  readonly #elements: readonly unknown[];

  static {
    tupleOf = (value) => #elements in value ? value.#elements : undefined;
  }

  /** Make the tuple of these elements. */
  constructor(elements: readonly unknown[]) {
    this.#elements = elements;
  }
}

/**
 * Return a `slice` of Python's, for {@linkcode PyObjectRef.item}: with one argument up to there, as Python's own.
 *
 * @example
 * ```ts
 * import { PyObjectRef, python, slice } from "@oneheap/oneheap";
 *
 * using letters = python.eval("'abcdef'.__getitem__") as PyObjectRef;
 * console.log(letters.call(slice(1, null, 2))); // bdf
 * ```
 */
export function slice(
  start?: number | bigint | null,
  stop?: number | bigint | null,
  step?: number | bigint | null,
): Slice {
  return stop === undefined && step === undefined
    ? new Slice(null, start ?? null, null)
    : new Slice(start ?? null, stop ?? null, step ?? null);
}

/**
 * Keyword arguments of a call. {@linkcode kw} makes them.
 *
 * @example
 * ```ts
 * import { kw, type Kw, PyObjectRef, python } from "@oneheap/oneheap";
 *
 * const descending: Kw = kw({ reverse: true });
 * using sorted = python.eval("sorted") as PyObjectRef;
 * using result = sorted.call([2, 3, 1], descending) as PyObjectRef;
 * console.log(result.toJs()); // [ 3, 2, 1 ]
 * ```
 */
export class Kw<T extends object = Record<string, unknown>> {
  readonly #entries: [string, unknown][];
  /** The type of the values, for functions that are declared. No object has such a property; it tells keywords from arguments. */
  declare readonly $keywords?: T;

  static {
    keywordsOf = (value) =>
      typeof value === "object" && value !== null && #entries in value
        ? value.#entries
        : undefined;
  }

  /** Take the own enumerable properties. */
  constructor(values: T) {
    if (typeof values !== "object" || values === null) {
      throw new TypeError(
        `The keywords must be an object of names and values; ${
          describe(values)
        } was given`,
      );
    }
    this.#entries = entriesOf(values);
    freeze(this);
  }
}

/**
 * Return keyword arguments: the last argument of any call. A property that is `undefined` is left out.
 *
 * @example
 * ```ts
 * import { kw, PyObjectRef, python } from "@oneheap/oneheap";
 *
 * using round = python.eval("round") as PyObjectRef;
 * console.log(round.call(2.345, kw({ ndigits: 1 }))); // 2.3
 * ```
 */
export function kw<T extends object = Record<string, unknown>>(
  values: NoInfer<T>,
): Kw<T> {
  return new Kw<T>(values);
}
