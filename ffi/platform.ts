/** What differs between operating systems: names of files, and the system's own loader of libraries. */

/** The system's own loader, for what `Deno.dlopen` can't ask it for. */
export interface Loader {
  /** The paths of the libraries in the process. The one that the loader was reached by comes last. */
  loaded(): string[];
  /** Opens a Python library so that the libraries opened after it find its symbols, for good. */
  openGlobally(path: string): void;
  /** Opens a library for good: Deno would unmap it when the last Worker that opened it ends. */
  pin(path: string): void;
  /** Lets go of the Python library that the loader was reached by. */
  close(): void;
}

/** An operating system. */
export interface Platform {
  /** The file name of the Rust library. */
  readonly libraryName: string;
  /** Where a virtual environment or an installation has its Python, below its root. */
  readonly executable: string;
  /** Whether a path is a Python library's: the real one, not the stable ABI's forwarder. */
  isPythonLibrary(path: string): boolean;
  /** The file name that the library of a Python 3 has, told by the rest of its version, as `11` or `13t`. */
  pythonLibraryName(version: string): string;
  /** What to do where such a Python has no shared library. */
  remedy(version: string): string;
  /** The loader, reached through a Python library's own dependencies: no other file needs a permission. */
  openLoader(pythonLibrary: string): Loader;
}

/** No callback, and no pointer that JavaScript would read through: Deno allows those with an unlimited `ffi` only. */
const LOADER_SYMBOLS = {
  dlopen: {
    parameters: [/* path */ "buffer", /* flags */ "i32"],
    result: "usize",
  },
  dlclose: { parameters: [/* handle */ "usize"], result: "i32" },
  dlerror: { parameters: [], result: "usize" },
  strncpy: {
    parameters: [/* to */ "buffer", /* from */ "usize", /* size */ "usize"],
    result: "usize",
  },
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

/** What one read of a file asks for, and the longest error message of the loader's, in bytes. */
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
    const libraries = this.#mapped().map((path) => ({
      path,
      handle: this.#handle(path),
    })).filter(({ handle }) => handle !== 0n);
    return [
      ...libraries.filter(({ handle }) => handle !== own),
      ...libraries.filter(({ handle }) => handle === own),
    ].map(({ path }) => path);
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
    const { dlopen, dlerror, strncpy } = this.#library.symbols;
    if (dlopen(cString(path), flags) !== 0n) return;
    const message = dlerror();
    if (message === 0n) throw new Error(`cannot open ${path}`);
    const bytes = new Uint8Array(BUFFER_BYTES);
    strncpy(bytes, message, BigInt(BUFFER_BYTES));
    throw new Error(
      new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0))),
    );
  }

  /** What the loader knows an opened library by, whatever the path; 0 if it is not open. */
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

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text + "\0");
}

/** Linux with glibc. */
export const PLATFORM: Platform = {
  libraryName: "liboneheap_deno.so",
  executable: "bin/python3",
  isPythonLibrary: (path) =>
    /(^|\/)libpython3\.\d+[a-z]*\.so(\.[\d.]+)?$/.test(path),
  pythonLibraryName: (version) => `libpython3.${version}.so.1.0`,
  remedy: (version) =>
    `install the package libpython3.${version} (Debian, Ubuntu) or python3.${version}-libs (Fedora), or build Python ` +
    `with --enable-shared (pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared)`,
  openLoader: (pythonLibrary) => new LinuxLoader(pythonLibrary),
};
