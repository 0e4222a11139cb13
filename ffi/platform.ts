/** What differs between operating systems: names of files, and the system's own loader of libraries. */

/** The system's own loader, for what `Deno.dlopen` can't ask it for. */
export interface Loader {
  /** The path of every library in the process. */
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
  /** The file name that the library of a Python 3 has, told by its minor version. */
  pythonLibraryName(minor: number): string;
  /** What to do where such a Python has no shared library. */
  remedy(minor: number): string;
  /** The loader, reached through a Python library's own dependencies: no other file needs a permission. */
  openLoader(pythonLibrary: string): Loader;
}

const LOADER_SYMBOLS = {
  dlopen: {
    parameters: [/* path */ "buffer", /* flags */ "i32"],
    result: "pointer",
  },
  dlerror: { parameters: [], result: "pointer" },
  dl_iterate_phdr: {
    parameters: [/* callback */ "function", /* data */ "pointer"],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** What glibc's `dl_iterate_phdr` calls: `struct dl_phdr_info`, its size, data. */
const VISIT = {
  parameters: ["pointer", "usize", "pointer"],
  result: "i32",
} as const;

/** Where `struct dl_phdr_info` has its name, in bytes. */
const NAME_OFFSET = 8;

const RTLD_NOW = 0x2;
const RTLD_GLOBAL = 0x100;
const RTLD_NODELETE = 0x1000;

class LinuxLoader implements Loader {
  #library: Deno.DynamicLibrary<typeof LOADER_SYMBOLS>;

  constructor(pythonLibrary: string) {
    this.#library = Deno.dlopen(pythonLibrary, LOADER_SYMBOLS);
  }

  loaded(): string[] {
    const paths: string[] = [];
    const visit = new Deno.UnsafeCallback(VISIT, (info) => {
      const name = info &&
        new Deno.UnsafePointerView(info).getPointer(NAME_OFFSET);
      if (name) paths.push(Deno.UnsafePointerView.getCString(name));
      return 0;
    });
    this.#library.symbols.dl_iterate_phdr(visit.pointer, null);
    visit.close();
    return paths.filter((path) => path !== "");
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
    if (this.#library.symbols.dlopen(cString(path), flags) !== null) return;
    const message = this.#library.symbols.dlerror();
    throw new Error(
      message
        ? Deno.UnsafePointerView.getCString(message)
        : `cannot open ${path}`,
    );
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
  pythonLibraryName: (minor) => `libpython3.${minor}.so.1.0`,
  remedy: (minor) =>
    `install the package libpython3.${minor} (Debian, Ubuntu) or python3.${minor}-libs (Fedora), or build Python ` +
    `with --enable-shared (pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared)`,
  openLoader: (pythonLibrary) => new LinuxLoader(pythonLibrary),
};
