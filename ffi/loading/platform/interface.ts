/** What an operating system has to offer: the other files of this folder are one each. */

/** The system's own loader, for what `Deno.dlopen` can't ask it for. */
export interface Loader {
  /** The paths of the libraries in the process. The one that the loader was reached by comes last. */
  loaded(): string[];
  /** Open a Python library so that the libraries opened after it find its symbols, for good. */
  openGlobally(path: string): void;
  /** Open a library for good: Deno would unmap it when the last Worker that opened it ends. */
  pin(path: string): void;
  /** Close the Python library that the loader was reached by. */
  close(): void;
}

/** An operating system. */
export interface Platform {
  /** What Python is called on the `PATH`. */
  readonly command: string;
  /** What stands between the folders of the `PATH`. */
  readonly pathSeparator: string;
  /** Where a virtual environment or an installation has its Python, below its root. */
  readonly executable: string;
  /** Where a conda environment has its Python, below its root. */
  readonly condaExecutable: string;
  /** What the loader finds the Rust library by where it is open already, whatever its path; none if by nothing. */
  readonly openedLibraryName: string | undefined;
  /** The environment variable that names the user's home folder. */
  readonly homeVariable: string;
  /** Return whether a path is a Python library's: the real one, not the stable ABI's forwarder. */
  isPythonLibrary(path: string): boolean;
  /** The file name that the library of a Python 3 has, by the rest of its version, as `11` or `13t`. */
  pythonLibraryName(version: string): string;
  /** What to do where such a Python has no shared library. */
  remedy(version: string): string;
  /** The loader, reached through a Python library's own dependencies: no other file needs a permission. */
  openLoader(pythonLibrary: string): Loader;
}
