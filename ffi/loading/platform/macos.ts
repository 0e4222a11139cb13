/** macOS. Written after Apple's manual pages, and not yet run: see docs/why-it-is-safe.md. */

import type { Loader, Platform } from "./interface.ts";
import { withLast } from "./order.ts";
import { cString, readString, STRING_SYMBOLS } from "./posix.ts";

const LOADER_SYMBOLS = {
  ...STRING_SYMBOLS,
  dlopen: {
    parameters: [/* path */ "buffer", /* flags */ "i32"],
    result: "usize",
  },
  dlerror: { parameters: [], result: "usize" },
  _dyld_image_count: { parameters: [], result: "u32" },
  _dyld_get_image_name: {
    parameters: [/* index */ "u32"],
    result: "usize",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The part of an opened library that the loader uses; the tests pass one of their own. */
export type MacLibrary = Pick<
  Deno.DynamicLibrary<typeof LOADER_SYMBOLS>,
  "symbols" | "close"
>;

const RTLD_NOW = 0x2;
const RTLD_GLOBAL = 0x8;
const RTLD_NODELETE = 0x80;

/** The loader as `dlopen(3)` and `dyld(3)` describe it. */
export class MacLoader implements Loader {
  /** The Python library that the loader was reached by. */
  #path: string;
  #library: MacLibrary;

  /** Take the opened library over, and close it in the end. */
  constructor(path: string, library: MacLibrary) {
    this.#path = path;
    this.#library = library;
  }

  loaded(): string[] {
    const { symbols } = this.#library;
    const indexes = Array.from({ length: symbols._dyld_image_count() }).keys();
    const paths = [...indexes].map((index) =>
      readString(symbols, symbols._dyld_get_image_name(index))
    );
    return withLast(paths, (path) => path === this.#path);
  }

  openGlobally(path: string): void {
    this.#open(path, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
  }

  pin(path: string): void {
    this.#open(path, RTLD_NOW | RTLD_NODELETE);
  }

  close(): void {
    this.#library.close();
  }

  #open(path: string, flags: number): void {
    const { symbols } = this.#library;
    if (symbols.dlopen(cString(path), flags) !== 0n) return;
    const reason = readString(symbols, symbols.dlerror());
    throw new Error(reason || `cannot open ${path}`);
  }
}

/** macOS, with Python as a framework or as a plain library. */
export const MACOS: Platform = {
  command: "python3",
  pathSeparator: ":",
  executable: "bin/python3",
  condaExecutable: "bin/python3",
  openedLibraryName: undefined,
  homeVariable: "HOME",
  isPythonLibrary: (path) =>
    /(^|\/)libpython3\.\d+[a-z]*\.dylib$/.test(path) ||
    /\/PythonT?\.framework\/Versions\/3\.\d+[a-z]*\/PythonT?$/.test(path),
  pythonLibraryName: (version) => `libpython3.${version}.dylib`,
  remedy: (version) =>
    `install one that has (brew install python@3.${version}, or from python.org), or build Python with --enable-shared`,
  openLoader: (pythonLibrary) =>
    new MacLoader(pythonLibrary, Deno.dlopen(pythonLibrary, LOADER_SYMBOLS)),
};
