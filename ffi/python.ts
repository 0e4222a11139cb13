/** The object `python`: what is known of the embedded Python, and what can be done with it. */

import { MODE } from "./boundary/status.ts";
import type { TypedArray, TypedArrayConstructor } from "./elements.ts";
import "./objects/held_exception.ts";
import "./running/notebook.ts";
import { embedded, type EmbeddedPython } from "./loading/native.ts";
import type { Borrowed } from "./objects/borrowed.ts";
import {
  proxyOf,
  type PyProxyMembers,
  requireHandle,
} from "./objects/proxy.ts";
import type { PyModules } from "./objects/py_modules.ts";
import type { PyObjectRef, PythonValue } from "./objects/py_object_ref.ts";
import { runRegion } from "./objects/region.ts";
import type { PyAny } from "./py_any.ts";
import {
  borrow,
  type BorrowOptions,
  type BorrowSource,
} from "./running/borrow.ts";
import type { RunOptions } from "./running/options.ts";
import { importFile, importModule, newModule } from "./running/modules.ts";
import { requirePackages } from "./running/packages.ts";
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
  /**
   * Import a module, and return it as a {@linkcode PyProxy}. It has the type that {@linkcode PyModules} has for it.
   *
   * @param name Its name, as after Python's `import`: `"numpy"`, `"matplotlib.pyplot"`.
   * @throws {PythonError} A `ModuleNotFoundError` if there is none, or what its code raises.
   *
   * @example
   * ```ts
   * import { kw, python } from "@oneheap/oneheap";
   *
   * const json = python.import("json");
   * console.log(json.dumps({ b: [1, null] }, kw({ separators: [",", ":"] }))); // {"b":[1,null]}
   * ```
   */
  import<Name extends keyof PyModules | (string & Record<never, never>)>(
    name: Name,
  ): Name extends keyof PyModules ? PyModules[Name] : PyAny;
  /**
   * Run statements as a module of its own, and return it: what they define are its attributes. It is in Python's `sys.modules` until
   * the proxy is disposed, or lost; its functions keep its variables.
   *
   * @param name The module's name, by which code imports it. Without it, `oneheap_scope_` and a number.
   * @throws {PythonError} If the source doesn't compile, or raises.
   * @throws {RangeError} If there is a module of that name, or Python would find one; or if it is no identifier.
   *
   * @example
   * ```ts
   * import { python } from "@oneheap/oneheap";
   *
   * using shapes = python.module(`
   *   def area(width, height=1):
   *       return width * height
   * `);
   * console.log(shapes.area(3, 4)); // 12
   * ```
   */
  module(source: string, name?: string): PyAny;
  /**
   * Import a file of Python's, and return its module. It is run once for each file, and has the file's name, with a number if another module has
   * that.
   *
   * @param file Its path, or a URL: `new URL("./shapes.py", import.meta.url)` is beside the program.
   * @throws {PythonError} A `FileNotFoundError` if there is none, or what its code raises.
   * @throws {TypeError} If it is a URL of another kind than `file:`.
   *
   * @example
   * ```ts
   * import { python } from "@oneheap/oneheap";
   *
   * const file = Deno.makeTempFileSync({ suffix: ".py" });
   * Deno.writeTextFileSync(file, "def area(width, height): return width * height");
   * console.log(python.importFile(file).area(3, 4)); // 12
   * ```
   */
  importFile(file: string | URL): PyAny;
  /**
   * Have packages of Python's: those of a virtual environment in the cache, which is made the first time for exactly these requirements,
   * by `uv` where it is on the `PATH`, else by `venv` and `pip`. Its packages come before those of the environment that was found. A second
   * call adds to the first. It waits until all is installed, and shows the progress on standard error; once installed, it needs no network.
   *
   * @param requirements As pip has them: `numpy>=2`, `pandas[excel]`, `mine @ file:///home/me/mine`.
   * @throws {PackageError} If they can't be installed, with what the installer said; or if another version is imported already.
   * @throws {TypeError} If something is no requirement.
   *
   * @example
   * ```ts ignore
   * import { python } from "@oneheap/oneheap";
   *
   * python.require("numpy>=2");
   * const np = python.import("numpy");
   * console.log(np.arange(3).sum()); // 3
   * ```
   */
  require(...requirements: string[]): void;
  /** Python's `builtins`: `len`, `sorted`, `dict`, exceptions and all. Each access makes a proxy. */
  readonly builtins: PyAny;
  /**
   * Return a proxy that stands for a reference: they are one, and end together.
   *
   * @throws {TypeError} If it is no reference.
   */
  proxy<T = PyAny>(reference: PyObjectRef | PyProxyMembers): T;
  /**
   * Return the reference that a proxy stands for: they are one, and end together.
   *
   * @throws {TypeError} If it is no proxy.
   */
  ref(proxy: PyProxyMembers): PyObjectRef;
  /**
   * Run a function, and then end the references and proxies that were made meanwhile, in one crossing: what a loop makes is gone before the
   * next turn. What it returns is kept, in arrays, plain objects, maps and sets too. What was stored elsewhere ends: using it
   * is a `FreedError` that names the region. Blocks and borrowed memory aren't touched.
   *
   * @throws {TypeError} If the function returns a promise.
   *
   * @example
   * ```ts
   * import { python } from "@oneheap/oneheap";
   *
   * const { sorted, reversed, list } = python.builtins;
   * const descending = python.region(() => list(reversed(sorted([2, 3, 1]))));
   * console.log(descending.$js()); // [ 3, 2, 1 ]
   * ```
   */
  region<Result>(body: () => Result): Result;
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
export const python: Python = Object.freeze(withBuiltins({
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
  import(name: string): PyAny {
    return importModule(name);
  },
  module(source: string, name?: string): PyAny {
    return newModule(source, name);
  },
  importFile(file: string | URL): PyAny {
    return importFile(file);
  },
  require(...requirements: string[]): void {
    requirePackages(requirements);
  },
  proxy<T>(reference: PyObjectRef | PyProxyMembers): T {
    return proxyOf(reference);
  },
  ref(proxy: PyProxyMembers): PyObjectRef {
    return requireHandle(proxy);
  },
  region<Result>(body: () => Result): Result {
    return runRegion(body);
  },
}));

/** Add the accessor of the builtins. It isn't listed: who shows or copies the object would have it make a proxy. */
function withBuiltins(object: Omit<Python, "builtins">): Python {
  return Object.defineProperty(object, "builtins", {
    get: () => importModule("builtins"),
  }) as Python;
}
