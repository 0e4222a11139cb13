/**
 * Windows. Written after Microsoft's documentation, and not yet run: see the README.
 *
 * There is no global scope of symbols here: the Rust library's imports name `python3.dll`, the stable ABI's forwarder,
 * and are bound to the module of that name that is in the process already. So both DLLs are opened by their full paths
 * first: `python3XX.dll`, which is the interpreter, then the `python3.dll` beside it.
 */

import type { Loader, Platform } from "../platform.ts";

const LOADER_SYMBOLS = {
  LoadLibraryExW: {
    parameters: [
      /* path */ "buffer",
      /* reserved */ "pointer",
      /* flags */ "u32",
    ],
    result: "pointer",
  },
  GetModuleHandleExW: {
    parameters: [/* flags */ "u32", /* path */ "buffer", /* module */ "buffer"],
    result: "i32",
  },
  GetCurrentProcess: { parameters: [], result: "pointer" },
  K32EnumProcessModules: {
    parameters: [
      /* process */ "pointer",
      /* modules */ "buffer",
      /* bytes */ "u32",
      /* needed */ "buffer",
    ],
    result: "i32",
  },
  GetModuleFileNameW: {
    parameters: [
      /* module */ "pointer",
      /* name */ "buffer",
      /* length */ "u32",
    ],
    result: "u32",
  },
  GetLastError: { parameters: [], result: "u32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The part of an opened `kernel32.dll` that the loader uses; the tests give one of their own. */
export type WindowsLibrary = Pick<
  Deno.DynamicLibrary<typeof LOADER_SYMBOLS>,
  "symbols" | "close"
>;

/** Dependencies are looked for beside the library, not beside Deno. */
const LOAD_WITH_ALTERED_SEARCH_PATH = 0x8;

/** The module stays until the process ends. */
const GET_MODULE_HANDLE_EX_FLAG_PIN = 0x1;

/** More modules than a process with Deno and Python in it has. */
const MOST_MODULES = 4096;

/** The longest path that Windows knows, in UTF-16 units. */
const LONGEST_PATH = 32_768;

/** The loader as the documentation of `libloaderapi.h` and `psapi.h` describes it. */
export class WindowsLoader implements Loader {
  #library: WindowsLibrary;

  /** Takes the library over, and closes it in the end. */
  constructor(library: WindowsLibrary) {
    this.#library = library;
  }

  loaded(): string[] {
    const { GetCurrentProcess, K32EnumProcessModules } = this.#library.symbols;
    const modules = new BigUint64Array(MOST_MODULES);
    const needed = new Uint32Array(1);
    if (
      !K32EnumProcessModules(
        GetCurrentProcess(),
        modules,
        modules.byteLength,
        needed,
      )
    ) return [];
    const count = Math.min(needed[0] / modules.BYTES_PER_ELEMENT, MOST_MODULES);
    return Array.from(
      modules.subarray(0, count),
      (module) => this.#path(module),
    );
  }

  openGlobally(path: string): void {
    this.#open(path);
    this.pin(path);
    const forwarder = path.replace(/[^\\/]*$/, "python3.dll");
    this.#open(forwarder);
    this.pin(forwarder);
  }

  pin(path: string): void {
    this.#open(path);
    const { GetModuleHandleExW } = this.#library.symbols;
    GetModuleHandleExW(
      GET_MODULE_HANDLE_EX_FLAG_PIN,
      wideString(path),
      new BigUint64Array(1),
    );
  }

  close(): void {
    this.#library.close();
  }

  #open(path: string): void {
    const { LoadLibraryExW, GetLastError } = this.#library.symbols;
    if (
      LoadLibraryExW(wideString(path), null, LOAD_WITH_ALTERED_SEARCH_PATH) !==
        null
    ) return;
    throw new Error(`cannot open ${path}: Windows error ${GetLastError()}`);
  }

  #path(module: bigint): string {
    const name = new Uint16Array(LONGEST_PATH);
    const { GetModuleFileNameW } = this.#library.symbols;
    const length = GetModuleFileNameW(
      Deno.UnsafePointer.create(module),
      name,
      name.length,
    );
    return new TextDecoder("utf-16le").decode(name.subarray(0, length));
  }
}

/** Windows on x86-64. */
export const WINDOWS: Platform = {
  libraryName: "oneheap_deno.dll",
  command: "python",
  executable: "Scripts/python.exe",
  isPythonLibrary: (path) => /(^|[\\/])python3\d+t?\.dll$/i.test(path),
  pythonLibraryName: (minor) => `python3${minor}.dll`,
  remedy: (minor) =>
    `install Python 3.${minor} from python.org, which has python3${minor}.dll and python3.dll`,
  openLoader: () => new WindowsLoader(Deno.dlopen(kernel32(), LOADER_SYMBOLS)),
};

/** By its full path: under a limited `--allow-ffi` a bare name would be looked for in the current folder. */
function kernel32(): string {
  return "C:\\Windows\\System32\\kernel32.dll";
}

function wideString(text: string): Uint16Array<ArrayBuffer> {
  const units = { length: text.length + 1 };
  return Uint16Array.from(
    units,
    (_, index) => index < text.length ? text.charCodeAt(index) : 0,
  );
}
