/**
 * Opens the Rust library and starts Python, once per process, when it is imported.
 *
 * All of it is synchronous, but for unpacking a packaged library: a Worker that waits here loses the messages that are
 * posted to it meanwhile.
 */

import process from "node:process";
import type { NodeApi } from "../boundary/node_api.ts";
import { STATUS } from "../boundary/status.ts";
import { ABI, ABI_SYMBOL, SYMBOLS } from "../boundary/symbols.ts";
import { LibraryError } from "../errors.ts";
import {
  locateBuiltLibrary,
  locateLibrary,
  locatePackagedLibrary,
} from "./find_library.ts";
import {
  executableOf,
  type Finding,
  findPython,
  SETTING,
  unsupported,
} from "./find_python.ts";
import { granted } from "./permissions.ts";
import { type Loader, PLATFORM } from "./platform/host.ts";
import { parseRefusal, refusalError } from "./refused_configuration.ts";
import { type Unusable, warningOf } from "./unusable.ts";

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

/** Whether this is a Worker: on the main thread, Python hardly ever runs yet. */
const IN_WORKER = Deno.mainModule === undefined;

/** What `oneheap_start` returns to the one call that started Python. */
const STARTED = 1;

const running = openRunning();
const path = running?.path ?? locateLibrary() ?? await locatePackagedLibrary();

/** The functions of the Rust library. */
export const symbols: Symbols = running?.symbols ?? openStarted(path) ??
  openAndStart(path);

/** What is known of the Python that is embedded in this process. */
export const embedded: EmbeddedPython = describePython(symbols);

/** The functions that come by Node-API. */
export const napi: NodeApi = openNodeApi(path);
napi.setStackProver(proveStack);

/**
 * The library that another thread of this process has started Python with, found without the environment: Python code
 * that runs beside may change that while it is read, which can crash the process.
 */
function openRunning(): { path: string; symbols: Symbols } | undefined {
  const built = locateBuiltLibrary();
  const started = built === undefined ? undefined : openStarted(built);
  if (started !== undefined) return { path: built!, symbols: started };
  // For a name that is no path, Deno needs the permission for any library.
  const name = PLATFORM.openedLibraryName;
  if (!IN_WORKER || name === undefined || !granted({ name: "ffi" })) return;
  const symbols = openStarted(name);
  const path = symbols && readText(symbols.oneheap_python).split("\0")[4];
  return symbols && path ? { path, symbols } : undefined;
}

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
    const whole = Deno.dlopen(library, SYMBOLS);
    if (whole.symbols.oneheap_python(null, 0) > 0) return whole.symbols;
    whole.close();
    return undefined;
  } finally {
    opened.close();
  }
}

/** Open libpython, then the library, whose symbols are bound to it, and start Python. */
function openAndStart(library: string): Symbols {
  const found = findPython();
  const loader = attempt(
    found.library,
    library,
    () => PLATFORM.openLoader(found.library),
  );
  let python: Finding;
  try {
    python = agree(loader, found);
    attempt(python.library, library, () => loader.openGlobally(python.library));
    attempt(library, python.library, () => loader.pin(library));
  } finally {
    loader.close();
  }
  const symbols = openChecked(library, python.library);
  // Of the threads that come here at the same time one starts Python, and speaks for all.
  if (startPython(symbols, python)) warn(python.unusable, symbols);
  return symbols;
}

/** Say what goes before the Python that runs, and wasn't taken. */
function warn(unusable: readonly Unusable[], symbols: Symbols): void {
  if (unusable.length === 0) return;
  const { version, executable, library } = describePython(symbols);
  const taken = `Python ${version} (${executable || library})`;
  for (const it of unusable) console.warn(warningOf(it, taken));
}

/**
 * Two libpythons in one process crash it, so one that is here already is taken, unless another was requested by name.
 * The one that was found is here by now too, and comes last.
 */
function agree(loader: Loader, found: Finding): Finding {
  const [first, ...others] = loader.loaded().filter(PLATFORM.isPythonLibrary);
  if (others.length === 0) {
    const isPath = first === undefined || found.library.startsWith("/");
    const library = isPath ? found.library : first;
    const executable = found.executable || executableOf(library);
    return { ...found, library, executable };
  }
  if (found.name === SETTING) {
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
    return takenOver(first, found);
  }
  throw new LibraryError(
    "Another Python is in this process already, and it can't be used:",
    [{ subject: first, reason }],
  );
}

/** The Python that is in the process already, in place of the one that was found. */
function takenOver(library: string, { name, unusable }: Finding): Finding {
  const passedOver: Unusable[] = name === undefined ? [] : [{
    name,
    reason:
      `${library} is in this process already, and two Pythons would crash it`,
    remedy: "Import oneheap before what opens that, or have both open the same",
  }];
  return {
    library,
    executable: executableOf(library),
    name: undefined,
    unusable: [...unusable, ...passedOver],
  };
}

/** Open the library once it is known to speak this boundary. */
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

/** Do one step of opening; what goes wrong in it becomes a `LibraryError` that says what to do. */
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

/** Return what is wrong with a file that could not be opened, as far as the system's message says. */
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

/** Start Python unless it runs. Whether this thread did it. */
function startPython(symbols: Symbols, python: Finding): boolean {
  const { library, executable, unusable } = python;
  const paths = new TextEncoder().encode(`${library}\0${executable}\0`);
  const status = symbols.oneheap_start(paths, paths.length);
  if (status > 0) return status === STARTED;
  const refusal = readText(symbols.oneheap_start_error);
  if (refusal !== "") {
    const tried = unusable.map(({ name, reason }) => ({
      subject: name,
      reason,
    }));
    throw refusalError(parseRefusal(refusal), library, executable, tried);
  }
  const why = status === STATUS.subinterpreter
    ? "this thread is attached to a subinterpreter of it"
    : "it is ending or has ended in this process, or no thread could be made for it";
  throw new LibraryError(`Python (${library}) can't be used: ${why}.`, [{
    subject: library,
    reason: why,
  }]);
}

function describePython(symbols: Symbols): EmbeddedPython {
  const [version, library, executable, prefix] = readText(
    symbols.oneheap_python,
  ).split("\0");
  return { version, library, executable, prefix };
}

/** Return the text that a function of the Rust library writes to a buffer of the length that it returns. */
function readText(
  write: (buffer: Uint8Array<ArrayBuffer> | null, capacity: number) => number,
): string {
  const text = new Uint8Array(write(null, 0));
  write(text, text.length);
  return new TextDecoder().decode(text);
}

function openNodeApi(library: string): NodeApi {
  const module = { exports: {} };
  attempt(library, embedded.library, () => process.dlopen(module, library));
  return module.exports as NodeApi;
}

/** Call this function again until native code has seen that the stack is deep enough, or it ends. `runtime/stack.rs` says why. */
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
