/** Memory of Python objects, shown to JavaScript where it is. */

import type { NativeResult } from "../boundary/node_api.ts";
import { unwrapResult } from "../boundary/result.ts";
import { BUFFER_ERROR_REASON, TAG } from "../boundary/status.ts";
import { describe } from "../checks.ts";
import {
  CONSTRUCTORS,
  elementType,
  type TypedArray,
  type TypedArrayConstructor,
} from "../elements.ts";
import { BufferError, type BufferErrorReason, FreedError } from "../errors.ts";
import { freeze } from "../intrinsics.ts";
import { napi } from "../loading/native.ts";
import { tracker } from "../tracker.ts";

/** The key of the constructor: `private` is TypeScript's alone. */
const CONSTRUCTOR_KEY = Symbol();

/** Call the constructor, which nobody else can. */
let create: <A extends TypedArray>(
  view: A,
  shape: readonly number[],
  format: string,
  copied: boolean,
) => Borrowed<A>;

/**
 * Memory of a Python object as a typed array. {@linkcode Python.borrow} makes it.
 *
 * The view holds the object's buffer: the object can't free, move or resize the memory (`bytearray` raises `BufferError`) until
 * JavaScript releases it. `using` releases the buffer and detaches the view; if a pending operation still uses the view, the buffer is
 * released when that is done. The buffer of a view that is lost is released some time after the view is collected.
 *
 * @example
 * ```ts
 * import { python, PythonScope } from "@oneheap/oneheap";
 *
 * using scope = new PythonScope();
 * python.run("import array; numbers = array.array('d', [1, 2, 3])", { scope });
 * using numbers = python.borrow("numbers", Float64Array, { scope });
 * numbers.view[0] = 1.5;
 * console.log(python.eval("numbers[0]", { scope })); // 1.5
 * ```
 */
export class Borrowed<A extends TypedArray> implements Disposable {
  /** How many elements there are in each dimension, in C order; none for a buffer of no dimensions, which has one element. */
  readonly shape: readonly number[];
  /** The elements' format, in the syntax of Python's `struct`. */
  readonly format: string;
  /** Whether the view is over a copy, since `copy` was allowed and needed. */
  readonly copied: boolean;
  #view: A | undefined;

  static {
    create = (view, shape, format, copied) => {
      const borrowed = new Borrowed(
        view,
        shape,
        format,
        copied,
        CONSTRUCTOR_KEY,
      );
      if (tracker !== undefined) {
        tracker.began(borrowed, "borrowed", view.byteLength);
      }
      return borrowed;
    };
  }

  private constructor(
    view: A,
    shape: readonly number[],
    format: string,
    copied: boolean,
    key: symbol,
  ) {
    if (key !== CONSTRUCTOR_KEY) {
      throw new TypeError("Borrowed memory is made by python.borrow");
    }
    this.shape = shape;
    this.format = format;
    this.copied = copied;
    this.#view = view;
  }

  /** The typed array over all elements. Transferring its buffer transfers the hold on the Python object's memory with it. */
  get view(): A {
    if (this.#view !== undefined) return this.#view;
    throw new FreedError("This borrowed memory was released");
  }

  /** Whether the memory was released. */
  get disposed(): boolean {
    return this.#view === undefined;
  }

  /** Release the memory and detach the view. Disposing twice does nothing. */
  [Symbol.dispose](): void {
    const view = this.#view;
    if (view === undefined) return;
    napi.releaseBuffer(view);
    this.#view = undefined;
    if (tracker !== undefined) tracker.ended(this);
  }
}

/** Borrow the memory of a reference's object. */
export function borrowReference<A extends TypedArray>(
  reference: ArrayBuffer,
  type: TypedArrayConstructor<A> | undefined,
  copy: boolean,
): Borrowed<A> {
  const element = type && elementType(type).number;
  const borrowed = napi.borrow(
    element,
    copy ? 1 : 0,
    reference,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  );
  return borrowedOf(unwrapResult(borrowed), type);
}

/** Return the memory that native code has borrowed; throw a `BufferError` where no typed array of that `type` can show it. */
export function borrowedOf<A extends TypedArray>(
  result: NativeResult,
  type: TypedArrayConstructor<A> | undefined,
): Borrowed<A> {
  const parts = result as unknown[];
  if (parts[0] === TAG.bufferError) throw bufferErrorOf(parts, type);
  const Shown = CONSTRUCTORS[parts[2] as number] as TypedArrayConstructor<A>;
  return create(
    new Shown(parts[1] as ArrayBuffer),
    shapeOf(parts, 5),
    parts[4] as string,
    parts[3] as boolean,
  );
}

/** Return the shape at the end of an array from native code. By index: a pattern would run the iterator of arrays, which user code can change. */
function shapeOf(parts: unknown[], start: number): readonly number[] {
  const shape: number[] = [];
  for (let index = start; index < parts.length; index++) {
    shape[index - start] = parts[index] as number;
  }
  return freeze(shape);
}

/** Return the error for a buffer that can't be shown: why, its format and its shape come after the tag. */
function bufferErrorOf(
  parts: unknown[],
  type: { readonly name: string } | undefined,
): BufferError {
  const reason = REASONS[parts[1] as number];
  const format = parts[2] as string;
  const extents = shapeOf(parts, 3);
  const what = `The buffer of format ${describe(format)} and shape [${
    extents.join(", ")
  }]`;
  return new BufferError(
    `${what} ${EXPLANATIONS[reason](type?.name, format)}`,
    reason,
    format,
    extents,
  );
}

/** What to do with elements of a format that no typed array can show. */
function wayAround(format: string): string {
  if (/^T\{/.test(format)) {
    return "Borrow its fields one by one (numpy: array['field']), made contiguous or with { copy: true }";
  }
  if (/^[<>@=!]?Z[fd]$/.test(format)) {
    return `Borrow its view('${
      format.endsWith("f") ? "f4" : "f8"
    }'), where each element is two: the real part, then the imaginary part`;
  }
  if (/^[>!<][?a-zA-Z]$/.test(format)) {
    return "Convert it to this machine's byte order (numpy: array.astype(array.dtype.newbyteorder('=')))";
  }
  if (/^\d*[swO]$/.test(format)) {
    return "Take its elements as values, by toJs: eval(…, { toJs: true })";
  }
  return "Convert it in Python (numpy: astype)";
}

/** The reasons by their numbers in Rust. */
const REASONS = Object.fromEntries(
  Object.entries(BUFFER_ERROR_REASON).map((
    [reason, number],
  ) => [number, reason]),
) as Record<number, BufferErrorReason>;

/** What is in the way, and what to do. */
const EXPLANATIONS: Record<
  BufferErrorReason,
  (type: string | undefined, format: string) => string
> = {
  format: (_, format) =>
    "has elements that no typed array can show: they must be plain numbers of up to 8 bytes in this machine's byte order. " +
    wayAround(format),
  element: (type) =>
    `can't be shown as a ${type}. Ask for the type that its format says, or for none`,
  strides: () =>
    "doesn't have its elements one after the other in C order. Make it contiguous in Python (numpy.ascontiguousarray), or pass { copy: true }",
  readOnly: () =>
    "is read-only, and a typed array could be written to. Pass { copy: true }",
  alignment: () =>
    "doesn't begin at a multiple of its elements' size. Copy it in Python, or pass { copy: true }",
};
