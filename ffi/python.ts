/** The object `python`: what is known of the embedded Python, and what can be done with it. */

import { MODE } from "./boundary/status.ts";
import type { TypedArray, TypedArrayConstructor } from "./elements.ts";
import { embedded, type EmbeddedPython } from "./loading/native.ts";
import type { Borrowed } from "./objects/borrowed.ts";
import type { PythonValue } from "./objects/py_object_ref.ts";
import {
  borrow,
  type BorrowOptions,
  type BorrowSource,
} from "./running/borrow.ts";
import type { RunOptions } from "./running/options.ts";
import { runCode, runCodeAsync } from "./running/run.ts";
import type { ToJs } from "./values/read.ts";

/**
 * The Python that is embedded in this process, as {@linkcode python} offers it.
 *
 * An exception in Python code is thrown as a `PythonError`, and the interpreter goes on.
 *
 * @example
 * ```ts
 * import { type Python, python } from "@oneheap/oneheap";
 *
 * const square = (interpreter: Python, of: number) => interpreter.eval("x ** 2", { names: { x: of } });
 * console.log(square(python, 12)); // 144
 * ```
 */
export interface Python extends EmbeddedPython {
  /**
   * Run statements and wait until they have ended. Indented source is dedented.
   *
   * @throws {PythonError} If the code doesn't compile, or raises.
   * @throws {TypeError} If a name's value has no counterpart in Python.
   * @throws {RangeError} If a name is no identifier.
   */
  run(source: string, options?: RunOptions): void;
  /**
   * Evaluate an expression as the other overload does, and return its value as plain data, as {@linkcode PyObjectRef.toJs} does.
   *
   * @throws {ConversionError} If something in it has no counterpart.
   */
  eval<T = unknown>(
    source: string,
    options: RunOptions & { toJs: true | ToJs },
  ): T;
  /**
   * Evaluate an expression and return its value. Compiled code is kept for the next time.
   *
   * @throws {PythonError} If the code doesn't compile, or raises.
   * @throws {TypeError} If a name's value has no counterpart in Python.
   * @throws {RangeError} If a name is no identifier.
   */
  eval(source: string, options?: RunOptions): PythonValue;
  /**
   * Run statements on a thread of their own, with 64 MiB of stack, while JavaScript goes on.
   *
   * When the `signal` is aborted, the code raises `KeyboardInterrupt`, and no other code does. Python raises it between two of its
   * instructions: a function of C that takes long (`time.sleep`, a large multiplication of matrices) ends first. The promise is
   * rejected with a `PythonError` whose `cause` is the signal's reason, unless the code catches the exception; if the signal
   * was aborted before, with that reason itself.
   */
  runAsync(source: string, options?: RunOptions): Promise<void>;
  /** Evaluate an expression as the other overload does, and return plain data, which is converted on the run's thread. */
  evalAsync<T = unknown>(
    source: string,
    options: RunOptions & { toJs: true | ToJs },
  ): Promise<T>;
  /** Evaluate an expression as {@linkcode Python.runAsync} runs statements. */
  evalAsync(source: string, options?: RunOptions): Promise<PythonValue>;
  /**
   * The memory of a Python object as a typed array; nothing is copied. Any object with a buffer in C order will do: a NumPy
   * array, `bytearray`, `array.array`, `mmap`, `memoryview`.
   *
   * @param source A reference to the object, a pointer to it, or an expression.
   * @param type The constructor of the view. It is checked against the elements' format; by default the format decides.
   * @throws {BufferError} If no typed array, or none of that type, can show the memory; or if it is read-only.
   * @throws {PythonError} If the object has no buffer, or the expression raises.
   */
  borrow<A extends TypedArray>(
    source: BorrowSource,
    type: TypedArrayConstructor<A>,
    options?: BorrowOptions,
  ): Borrowed<A>;
  /** The same, with the type that the elements' format says. */
  borrow(source: BorrowSource, options?: BorrowOptions): Borrowed<TypedArray>;
}

/**
 * The Python that is embedded in this process. It was started when this library was imported first.
 *
 * @example
 * ```ts
 * import { alloc, python } from "@oneheap/oneheap";
 *
 * using block = alloc(Float64Array, [1, 2, 3]);
 * python.run(
 *   `
 *   numbers = memoryview(block)
 *   for index, number in enumerate(numbers):
 *       numbers[index] = number ** 2
 *   `,
 *   { names: { block } },
 * );
 * console.log(block.view); // Float64Array(3) [ 1, 4, 9 ]
 * ```
 */
export const python: Python = Object.freeze({
  ...embedded,
  run(source: string, options?: RunOptions): void {
    runCode(MODE.run, source, options);
  },
  eval<T>(source: string, options?: RunOptions): T {
    return runCode(MODE.eval, source, options) as T;
  },
  runAsync(source: string, options?: RunOptions): Promise<void> {
    return runCodeAsync(MODE.run, source, options) as Promise<void>;
  },
  evalAsync<T>(source: string, options?: RunOptions): Promise<T> {
    return runCodeAsync(MODE.eval, source, options) as Promise<T>;
  },
  borrow<A extends TypedArray>(
    source: BorrowSource,
    typeOrOptions?: TypedArrayConstructor<A> | BorrowOptions,
    options?: BorrowOptions,
  ): Borrowed<A> {
    return typeof typeOrOptions === "object"
      ? borrow<A>(source, undefined, typeOrOptions)
      : borrow(source, typeOrOptions, options);
  },
});
