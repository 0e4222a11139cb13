/**
 * Windows. Written after Microsoft's documentation, and not yet run: see docs/why-it-is-safe.md.
 *
 * There is no global scope of symbols here: the Rust library's imports name `python3.dll`, the stable ABI's forwarder,
 * and are bound to the module of that name that is in the process already. So both DLLs are opened by their full paths
 * first: `python3XX.dll`, which is the interpreter, then the `python3.dll` beside it.
 */

import type { Loader, Platform } from "./interface.ts";
import { withLast } from "./order.ts";

const LOADER_SYMBOLS = {
  LoadLibraryExW: {
    parameters: [
      /* path */ "buffer",
      /* reserved */ "usize",
      /* flags */ "u32",
    ],
    result: "usize",
  },
  GetModuleHandleExW: {
    parameters: [/* flags */ "u32", /* path */ "buffer", /* module */ "buffer"],
    result: "i32",
  },
  GetCurrentProcess: { parameters: [], result: "usize" },
  K32EnumProcessModules: {
    parameters: [
      /* process */ "usize",
      /* modules */ "buffer",
      /* bytes */ "u32",
      /* needed */ "buffer",
    ],
    result: "i32",
  },
  GetModuleFileNameW: {
    parameters: [/* module */ "usize", /* name */ "buffer", /* length */ "u32"],
    result: "u32",
  },
  GetLastError: { parameters: [], result: "u32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The part of an opened `kernel32.dll` that the loader uses; the tests pass one of their own. */
export type WindowsLibrary = Pick<
  Deno.DynamicLibrary<typeof LOADER_SYMBOLS>,
  "symbols" | "close"
>;

/** By its full path: under a limited `--allow-ffi` a bare name would be looked for in the current folder. */
const KERNEL = "C:\\Windows\\System32\\kernel32.dll";

/** Dependencies are looked for beside the library, not beside Deno. */
const LOAD_WITH_ALTERED_SEARCH_PATH = 0x8;

/** The module stays until the process ends. */
const GET_MODULE_HANDLE_EX_FLAG_PIN = 0x1;

/** More modules than a process with Deno and Python in it has. */
const MAX_MODULES = 4096;

/** The longest path that Windows has, in UTF-16 units. */
const MAX_PATH_UNITS = 32_768;

/** The loader as the documentation of `libloaderapi.h` and `psapi.h` describes it. */
export class WindowsLoader implements Loader {
  /** The Python library that was found, which is opened with the loader. */
  #path: string;
  #library: WindowsLibrary;

  /** Open the Python library. It owns the opened `kernel32.dll`, and closes it in the end. */
  constructor(path: string, library: WindowsLibrary) {
    this.#path = path;
    this.#library = library;
    this.#open(path);
  }

  loaded(): string[] {
    const { GetCurrentProcess, K32EnumProcessModules } = this.#library.symbols;
    const modules = new BigUint64Array(MAX_MODULES);
    const needed = new Uint32Array(1);
    const process = GetCurrentProcess();
    K32EnumProcessModules(process, modules, modules.byteLength, needed);
    const count = Math.min(needed[0] / modules.BYTES_PER_ELEMENT, MAX_MODULES);
    const paths = Array.from(modules.subarray(0, count), (module) => {
      return this.#fileName(module);
    });
    const own = comparable(this.#path);
    return withLast(paths, (path) => comparable(path) === own);
  }

  openGlobally(path: string): void {
    this.pin(path);
    this.pin(path.replace(/[^\\/]*$/, "python3.dll"));
  }

  pin(path: string): void {
    this.#open(path);
    const flags = GET_MODULE_HANDLE_EX_FLAG_PIN;
    const module = new BigUint64Array(1);
    const { GetModuleHandleExW } = this.#library.symbols;
    if (GetModuleHandleExW(flags, wideString(path), module) === 0) {
      this.#fail(path);
    }
  }

  close(): void {
    this.#library.close();
  }

  #open(path: string): void {
    const { LoadLibraryExW } = this.#library.symbols;
    const flags = LOAD_WITH_ALTERED_SEARCH_PATH;
    if (LoadLibraryExW(wideString(path), 0n, flags) === 0n) this.#fail(path);
  }

  #fail(path: string): never {
    const error = this.#library.symbols.GetLastError();
    throw new Error(`cannot open ${path}: Windows error ${error}`);
  }

  #fileName(module: bigint): string {
    const name = new Uint16Array(MAX_PATH_UNITS);
    const { GetModuleFileNameW } = this.#library.symbols;
    const length = GetModuleFileNameW(module, name, name.length);
    return new TextDecoder("utf-16le").decode(name.subarray(0, length));
  }
}

/** A path as Windows compares it: without regard to case, and to which slash it has. */
function comparable(path: string): string {
  return path.replaceAll("/", "\\").toLowerCase();
}

/** Windows on x86-64. */
export const WINDOWS: Platform = {
  command: "python",
  pathSeparator: ";",
  executable: "Scripts/python.exe",
  condaExecutable: "python.exe",
  openedLibraryName: undefined,
  homeVariable: "USERPROFILE",
  isPythonLibrary: (path) => /(^|[\\/])python3\d+t?\.dll$/i.test(path),
  pythonLibraryName: (version) => `python3${version}.dll`,
  remedy: (version) =>
    `install Python 3.${version} from python.org, which has python3${version}.dll and python3.dll`,
  openLoader: (pythonLibrary) =>
    new WindowsLoader(pythonLibrary, Deno.dlopen(KERNEL, LOADER_SYMBOLS)),
};

function wideString(text: string): Uint16Array<ArrayBuffer> {
  const units = { length: text.length + 1 };
  return Uint16Array.from(
    units,
    (_, index) => index < text.length ? text.charCodeAt(index) : 0,
  );
}
