/** macOS. Written after Apple's manual pages, and not yet run: see the README. */

import type { Loader, Platform } from "../platform.ts";
import { cString, reason } from "./posix.ts";

const LOADER_SYMBOLS = {
  dlopen: {
    parameters: [/* path */ "buffer", /* flags */ "i32"],
    result: "pointer",
  },
  dlerror: { parameters: [], result: "pointer" },
  _dyld_image_count: { parameters: [], result: "u32" },
  _dyld_get_image_name: { parameters: [/* index */ "u32"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The part of an opened library that the loader uses; the tests give one of their own. */
export type MacLibrary = Pick<
  Deno.DynamicLibrary<typeof LOADER_SYMBOLS>,
  "symbols" | "close"
>;

const RTLD_NOW = 0x2;
const RTLD_GLOBAL = 0x8;
const RTLD_NODELETE = 0x80;

/** The loader as `dlopen(3)` and `dyld(3)` describe it. */
export class MacLoader implements Loader {
  #library: MacLibrary;

  /** Takes the library over, and closes it in the end. */
  constructor(library: MacLibrary) {
    this.#library = library;
  }

  loaded(): string[] {
    const { _dyld_image_count, _dyld_get_image_name } = this.#library.symbols;
    const names = Array.from(
      { length: _dyld_image_count() },
      (_, index) => _dyld_get_image_name(index),
    );
    return names.filter((name) => name !== null).map((name) =>
      Deno.UnsafePointerView.getCString(name)
    );
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
    const { dlopen, dlerror } = this.#library.symbols;
    if (dlopen(cString(path), flags) === null) {
      throw new Error(reason(dlerror(), path));
    }
  }
}

/** macOS, with Python as a framework or as a plain library. */
export const MACOS: Platform = {
  libraryName: "liboneheap_deno.dylib",
  command: "python3",
  executable: "bin/python3",
  isPythonLibrary: (path) =>
    /(^|\/)libpython3\.\d+[a-z]*\.dylib$/.test(path) ||
    /\/PythonT?\.framework\/Versions\/3\.\d+[a-z]*\/PythonT?$/.test(path),
  pythonLibraryName: (minor) => `libpython3.${minor}.dylib`,
  remedy: (minor) =>
    `install one that has (brew install python@3.${minor}, or from python.org), or build Python with --enable-shared`,
  openLoader: (pythonLibrary) =>
    new MacLoader(Deno.dlopen(pythonLibrary, LOADER_SYMBOLS)),
};
