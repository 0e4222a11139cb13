/**
 * Opens the Rust library and starts Python, once per process, when it is imported.
 *
 * All of it is synchronous, but for unpacking a packaged library: a Worker that waits here loses the messages that are
 * posted to it meanwhile.
 */

import process from "node:process";
import { LibraryError } from "./errors.ts";
import { locateLibrary, locatePackagedLibrary } from "./location.ts";
import { environment } from "./permissions.ts";
import { type Loader, PLATFORM } from "./platform.ts";
import {
  executableOf,
  findPython,
  type FoundPython,
  unsupported,
} from "./python.ts";
import { ABI, ABI_SYMBOL, CODE, type NodeApi, SYMBOLS } from "./symbols.ts";

/** The functions of the Rust library. */
export type Symbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/**
 * What is known of the Python that is embedded in this process.
 *
 * @example
 * ```ts
 * import { type EmbeddedPython, python } from "@oneheap/oneheap";
 *
 * const describe = ({ version, prefix }: EmbeddedPython) => `Python ${version} of ${prefix}`;
 * console.log(describe(python));
 * ```
 */
export interface EmbeddedPython {
  /** Its version, as `3.13.0`. */
  readonly version: string;
  /** The path of its shared library. */
  readonly library: string;
  /** Its `sys.executable`. */
  readonly executable: string;
  /** Its `sys.prefix`: the virtual environment's folder, if it was found by one. */
  readonly prefix: string;
}

const path = locateLibrary() ?? await locatePackagedLibrary();

/** The functions of the Rust library. */
export const symbols: Symbols = openStarted(path) ?? openAndStart(path);

/** What is known of the Python that is embedded in this process. */
export const embedded: EmbeddedPython = describePython(symbols);

/** The functions that come by Node-API. */
export const napi: NodeApi = openNodeApi(path);
napi.stackProver(proveStack);

/** The library as another thread of this process opened it: nothing has to be found, and nothing started. */
function openStarted(library: string): Symbols | undefined {
  let opened;
  try {
    opened = Deno.dlopen(library, ABI_SYMBOL);
  } catch {
    // Its symbols are not bound until libpython is here. Whatever else is wrong comes up again when it is opened then.
    return undefined;
  }
  try {
    if (opened.symbols.oneheap_abi() !== ABI) return undefined;
    const { symbols } = Deno.dlopen(library, SYMBOLS);
    return symbols.oneheap_python(null, 0) > 0 ? symbols : undefined;
  } finally {
    opened.close();
  }
}

/** Opens libpython, then the library, whose symbols are bound to it, and starts Python. */
function openAndStart(library: string): Symbols {
  const found = findPython();
  const loader = attempt(
    found.library,
    library,
    () => PLATFORM.openLoader(found.library),
  );
  let python: FoundPython;
  try {
    python = agree(loader, found);
    attempt(python.library, library, () => loader.openGlobally(python.library));
    attempt(library, python.library, () => loader.pin(library));
  } finally {
    loader.close();
  }
  const symbols = openChecked(library, python.library);
  start(symbols, python);
  return symbols;
}

/**
 * Two libpythons in one process crash it, so one that is here already is taken, unless another was asked for by name.
 * The one that was found is here by now too, and comes last.
 */
function agree(loader: Loader, found: FoundPython): FoundPython {
  const [first, ...others] = loader.loaded().filter(PLATFORM.isPythonLibrary);
  if (others.length === 0) {
    const isPath = first === undefined || found.library.startsWith("/");
    const library = isPath ? found.library : first;
    return { library, executable: found.executable || executableOf(library) };
  }
  if (environment("ONEHEAP_PYTHON") !== undefined) {
    throw new LibraryError(
      `Another Python is in this process already, and two would crash it. Set ONEHEAP_PYTHON to ${first} or unset it.`,
      [{
        subject: found.library,
        reason: `asked for by ONEHEAP_PYTHON, while ${first} is loaded`,
      }],
    );
  }
  const reason = unsupported(first);
  if (reason === undefined) {
    return { library: first, executable: executableOf(first) };
  }
  throw new LibraryError(
    "Another Python is in this process already, and it can't be used:",
    [{ subject: first, reason }],
  );
}

/** Opens the library once it is known to speak this boundary. */
function openChecked(library: string, pythonLibrary: string): Symbols {
  const opened = attempt(
    library,
    pythonLibrary,
    () => Deno.dlopen(library, ABI_SYMBOL),
  );
  const abi = opened.symbols.oneheap_abi();
  opened.close();
  if (abi !== ABI) {
    throw new LibraryError(
      `${library} was built for another version of oneheap: it speaks boundary ${abi}, this version needs ${ABI}. ` +
        "Build it again (deno task build), or unset ONEHEAP_LIBRARY.",
      [{ subject: library, reason: `its boundary is ${abi}, not ${ABI}` }],
    );
  }
  return attempt(library, pythonLibrary, () => Deno.dlopen(library, SYMBOLS))
    .symbols;
}

/** Does one step of opening; what goes wrong in it becomes a `LibraryError` that says what to do. */
function attempt<Result>(
  file: string,
  other: string,
  step: () => Result,
): Result {
  try {
    return step();
  } catch (error) {
    const reason = (error as Error).message;
    const tried = [{ subject: file, reason }];
    if (error instanceof Deno.errors.NotCapable) {
      throw new LibraryError(
        `The permission "ffi" is missing for ${file}. Run with --allow-ffi, or with --allow-ffi=${file},${other}.`,
        tried,
        error,
      );
    }
    throw new LibraryError(explain(file, other, reason), tried, error);
  }
}

/** What is wrong with a file that could not be opened, as far as the system's words tell. */
function explain(file: string, other: string, reason: string): string {
  if (/symbol:? oneheap_/.test(reason)) {
    return `${file} is no library of oneheap's, or of another version. Unset ONEHEAP_LIBRARY or build it again (deno task build).`;
  }
  if (/undefined symbol: _?Py/.test(reason)) {
    return `${file} needs functions of Python that ${other} doesn't have.`;
  }
  if (/failed to map segment/.test(reason)) {
    return `${file} lies where nothing may be executed. Set ONEHEAP_CACHE, or ONEHEAP_LIBRARY, to another folder.`;
  }
  if (!reason.includes(`${file}: cannot open`)) {
    return `${file} can't be opened as a library.`;
  }
  if (PLATFORM.isPythonLibrary(file)) {
    return `${file} is not there. Set ONEHEAP_PYTHON to a Python executable or to its shared library.`;
  }
  return `The Rust library is not at ${file}. Build it (deno task build), or set ONEHEAP_LIBRARY to where it is.`;
}

function start(symbols: Symbols, { library, executable }: FoundPython): void {
  const paths = new TextEncoder().encode(`${library}\0${executable}\0`);
  const code = symbols.oneheap_start(paths, paths.length);
  if (code === 1) return;
  const why = code === CODE.subinterpreter
    ? "this thread is attached to a subinterpreter of it"
    : "it is ending or has ended in this process, or no thread could be made for it";
  throw new LibraryError(`Python (${library}) can't be used: ${why}.`, [{
    subject: library,
    reason: why,
  }]);
}

function describePython(symbols: Symbols): EmbeddedPython {
  const description = new Uint8Array(symbols.oneheap_python(null, 0));
  symbols.oneheap_python(description, description.length);
  const [version, library, executable, prefix] = new TextDecoder().decode(
    description,
  ).split("\0");
  return { version, library, executable, prefix };
}

function openNodeApi(library: string): NodeApi {
  const module = { exports: {} };
  attempt(library, embedded.library, () => process.dlopen(module, library));
  return module.exports as NodeApi;
}

/** Calls itself until native code has seen that the stack is deep enough, or it ends. `stack.rs` says why. */
function proveStack(): void {
  try {
    descend();
  } catch {
    // The end of the stack. How far it was is known now.
  }
}

function descend(): void {
  if (symbols.oneheap_stack_descend() === 1) descend();
}
