/** Linux with glibc. */

import type { Loader, Platform } from "./interface.ts";
import { withLast } from "./order.ts";
import { cString, readString, STRING_SYMBOLS } from "./posix.ts";

/** No callback, and no pointer that JavaScript would read through: Deno allows those with an unlimited `ffi` only. */
const LOADER_SYMBOLS = {
  ...STRING_SYMBOLS,
  dlopen: {
    parameters: [/* path */ "buffer", /* flags */ "i32"],
    result: "usize",
  },
  dlclose: { parameters: [/* handle */ "usize"], result: "i32" },
  dlerror: { parameters: [], result: "usize" },
  fopen: {
    parameters: [/* path */ "buffer", /* mode */ "buffer"],
    result: "usize",
  },
  fread: {
    parameters: [
      /* to */ "buffer",
      /* size */ "usize",
      /* count */ "usize",
      /* file */ "usize",
    ],
    result: "usize",
  },
  fclose: { parameters: [/* file */ "usize"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const RTLD_NOW = 0x2;
const RTLD_NOLOAD = 0x4;
const RTLD_GLOBAL = 0x100;
const RTLD_NODELETE = 0x1000;

/** The size of one read of a file, in bytes. */
const BUFFER_BYTES = 64 * 1024;

class LinuxLoader implements Loader {
  /** The Python library that the loader was reached by. */
  #path: string;
  #library: Deno.DynamicLibrary<typeof LOADER_SYMBOLS>;

  constructor(pythonLibrary: string) {
    this.#path = pythonLibrary;
    this.#library = Deno.dlopen(pythonLibrary, LOADER_SYMBOLS);
  }

  loaded(): string[] {
    const own = this.#handle(this.#path);
    const handles = new Map(
      this.#mapped().map((path) => [path, this.#handle(path)]),
    );
    const paths = [...handles.keys()].filter((path) =>
      handles.get(path) !== 0n
    );
    return withLast(paths, (path) => handles.get(path) === own);
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

  /** Return the loader's handle of an opened library, whatever the path; 0 if it is not open. */
  #handle(path: string): bigint {
    const { dlopen, dlclose } = this.#library.symbols;
    const handle = dlopen(cString(path), RTLD_NOW | RTLD_NOLOAD);
    if (handle !== 0n) dlclose(handle);
    return handle;
  }

  /** The libraries that are mapped into the process. The kernel ends each line about a mapped file with its path. */
  #mapped(): string[] {
    const paths = this.#read("/proc/self/maps").split("\n").map((line) =>
      line.match(/\/.*\.so[\d.]*(?=$| \(deleted\)$)/)?.[0]
    );
    return [...new Set(paths)].filter((path) => path !== undefined);
  }

  /** The text of a file, past Deno, which lets `/proc` be read with all permissions only. */
  #read(path: string): string {
    const { fopen, fread, fclose } = this.#library.symbols;
    const file = fopen(cString(path), cString("r"));
    if (file === 0n) return "";
    const decoder = new TextDecoder();
    const bytes = new Uint8Array(BUFFER_BYTES);
    let text = "";
    let count: bigint;
    do {
      count = fread(bytes, 1n, BigInt(BUFFER_BYTES), file);
      const part = bytes.subarray(0, Number(count));
      text += decoder.decode(part, { stream: true });
    } while (count > 0n);
    fclose(file);
    return text;
  }
}

/** Linux with glibc. */
export const LINUX: Platform = {
  command: "python3",
  pathSeparator: ":",
  executable: "bin/python3",
  condaExecutable: "bin/python3",
  openedLibraryName: "liboneheap_deno.so",
  homeVariable: "HOME",
  isPythonLibrary: (path) =>
    /(^|\/)libpython3\.\d+[a-z]*\.so(\.[\d.]+)?$/.test(path),
  pythonLibraryName: (version) => `libpython3.${version}.so.1.0`,
  remedy: (version) =>
    `install the package libpython3.${version} (Debian, Ubuntu) or python3.${version}-libs (Fedora), or build Python ` +
    `with --enable-shared (pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared)`,
  openLoader: (pythonLibrary) => new LinuxLoader(pythonLibrary),
};
