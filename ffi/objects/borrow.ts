/** Memory of Python objects, shown to JavaScript where it is. */

import { BufferError, type BufferErrorReason, FreedError } from "../errors.ts";
import { freeze } from "../intrinsics.ts";
import { napi } from "../loading/native.ts";
import { reportDue, reportExternalMemory } from "../memory/external_memory.ts";
import {
  addressOf,
  isReference,
  type PyObjectRef,
  referenceOf,
} from "./py_object_ref.ts";
import { unwrapResult } from "../boundary/result.ts";
import {
  encodeNames,
  readNames,
  readScope,
  type RunOptions,
} from "../running/options.ts";
import { dictionaryOf } from "../running/scope.ts";
import { BUFFER_ERROR_REASON, TAG } from "../boundary/symbols.ts";
import {
  CONSTRUCTORS,
  describe,
  elementType,
  requireOptions,
  type TypedArray,
  type TypedArrayConstructor,
} from "../elements.ts";

/**
 * What {@linkcode Python.borrow} can be told.
 *
 * @example
 * ```ts
 * import { type BorrowOptions, python } from "@oneheap/oneheap";
 *
 * const copied: BorrowOptions = { copy: true };
 * using bytes = python.borrow("b'constant'", copied);
 * console.log(bytes.view.length, bytes.copied); // 8 true
 * ```
 */
export interface BorrowOptions extends Pick<RunOptions, "scope" | "names"> {
  /**
   * Copies what can't be shown where it is: memory that is read-only, not in C order, or not aligned. Without it, that is a
   * `BufferError`.
   */
  copy?: boolean;
}

/** What the constructor is called with. `private` is a word of TypeScript's alone. */
const OWN = Symbol();

/** Gives `borrow` the constructor, which is nobody else's to call. */
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
 * JavaScript lets go of it. `using` lets go and detaches the view; if a pending operation still uses it, that lets go when it
 * is done. A view that is lost lets go some time after it is collected.
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
  /** The elements' format, in the words of Python's `struct`. */
  readonly format: string;
  /** Whether the view is over a copy, since `copy` was allowed and needed. */
  readonly copied: boolean;
  #view: A | undefined;

  static {
    create = (view, shape, format, copied) =>
      new Borrowed(view, shape, format, copied, OWN);
  }

  private constructor(
    view: A,
    shape: readonly number[],
    format: string,
    copied: boolean,
    own: symbol,
  ) {
    if (own !== OWN) {
      throw new TypeError("Borrowed memory is made by python.borrow");
    }
    this.shape = shape;
    this.format = format;
    this.copied = copied;
    this.#view = view;
  }

  /** The typed array over all elements. Transferring its buffer gives the hold on the Python object's memory away with it. */
  get view(): A {
    if (this.#view !== undefined) return this.#view;
    throw new FreedError("This borrowed memory was given back");
  }

  /** Whether the memory was given back. */
  get disposed(): boolean {
    return this.#view === undefined;
  }

  /** Gives the memory back and detaches the view. Disposing twice does nothing. */
  [Symbol.dispose](): void {
    const view = this.#view;
    if (view === undefined) return;
    napi.releaseBuffer(view);
    this.#view = undefined;
  }
}

/**
 * What memory can be borrowed from: a reference to a Python object, a pointer to one (deno_python's `PyObject.handle`), or an
 * expression.
 *
 * @example
 * ```ts
 * import { type BorrowSource, python } from "@oneheap/oneheap";
 *
 * const lengthOf = (source: BorrowSource) => {
 *   using borrowed = python.borrow(source);
 *   return borrowed.view.length;
 * };
 * console.log(lengthOf("bytearray(8)")); // 8
 * ```
 */
export type BorrowSource = PyObjectRef | Deno.PointerObject | string;

/** Borrows the memory of a Python object, shown as `type` or as its format tells. */
export function borrow<A extends TypedArray>(
  source: BorrowSource,
  type: TypedArrayConstructor<A> | undefined,
  options: BorrowOptions = {},
): Borrowed<A> {
  const element = type && elementType(type).number;
  if (reportDue[0] !== 0) reportExternalMemory();
  const { copy, scope, names } = requireOptions(options);
  const entries = readNames(names);
  const readFrom = readScope(scope);
  const what = encodeSource(source);
  const outcome = unwrapResult(
    napi.borrow(
      element,
      copy ? 1 : 0,
      what,
      readFrom && dictionaryOf(readFrom),
      encodeNames(entries),
    ),
  );
  const answer = outcome as unknown[];
  if (answer[0] === TAG.bufferError) throw refusal(answer, type);
  const Shown = CONSTRUCTORS[answer[2] as number] as TypedArrayConstructor<A>;
  return create(
    new Shown(answer[1] as ArrayBuffer),
    shapeOf(answer, 5),
    answer[4] as string,
    answer[3] as boolean,
  );
}

/** The shape at the end of an array from native code. By index: a pattern would run the iterator of arrays, which user code can change. */
function shapeOf(answer: unknown[], start: number): readonly number[] {
  const shape: number[] = [];
  for (let index = start; index < answer.length; index++) {
    shape[index - start] = answer[index] as number;
  }
  return freeze(shape);
}

/** The source as it crosses. */
function encodeSource(source: BorrowSource): string | ArrayBuffer | number {
  if (typeof source === "string") return source;
  if (isReference(source)) return referenceOf(source);
  return addressOf(source);
}

/** The error for a buffer that can't be shown: why, its format and its shape come after the tag. */
function refusal(
  answer: unknown[],
  type: { readonly name: string } | undefined,
): BufferError {
  const reason = REASONS[answer[1] as number];
  const format = answer[2] as string;
  const extents = shapeOf(answer, 3);
  const what = `The buffer of format ${describe(format)} and shape [${
    extents.join(", ")
  }]`;
  return new BufferError(
    `${what} ${EXPLANATIONS[reason](type?.name)}`,
    reason,
    format,
    extents,
  );
}

/** The reasons by their numbers in Rust. */
const REASONS = Object.fromEntries(
  Object.entries(BUFFER_ERROR_REASON).map((
    [reason, number],
  ) => [number, reason]),
) as Record<number, BufferErrorReason>;

/** What is in the way, and what to do. */
const EXPLANATIONS: Record<BufferErrorReason, (type?: string) => string> = {
  format: () =>
    "has elements that no typed array can show: they must be plain numbers of up to 8 bytes in this machine's byte order. " +
    "Convert it in Python (numpy: astype)",
  element: (type) =>
    `can't be shown as a ${type}. Ask for the type that its format says, or for none`,
  strides: () =>
    "doesn't have its elements one after the other in C order. Make it contiguous in Python (numpy.ascontiguousarray), or pass { copy: true }",
  readOnly: () =>
    "is read-only, and a typed array could be written to. Pass { copy: true }",
  alignment: () =>
    "doesn't begin at a multiple of its elements' size. Copy it in Python, or pass { copy: true }",
};
