/** Finding the Python to embed: its executable, and the shared library that is the interpreter. */

import { type Attempt, LibraryError } from "./errors.ts";
import { environment, granted } from "./permissions.ts";
import { PLATFORM } from "./platform.ts";

/** A Python that can be embedded. */
export interface FoundPython {
  /** The shared library. */
  readonly library: string;
  /** The executable whose prefix and packages the embedded Python takes; empty to let Python find its own. */
  readonly executable: string;
}

/** The oldest Python that is supported. */
const OLDEST_MINOR = 11;

/** The newest that is looked for by name where no Python may be asked. A newer one is found by asking it. */
const NEWEST_MINOR = 15;

/**
 * Tells, a line each: implementation, version, executable, and the shared library, if there is one. Debian's Python
 * names a library that is another package's, so it is looked for.
 */
const QUESTION = `
import os, sys, sysconfig
of = sysconfig.get_config_var
root = sys.base_prefix
name = of("INSTSONAME") or of("LDLIBRARY") or ""
places = [of("LIBDIR"), os.path.join(of("LIBDIR") or root, of("MULTIARCH") or "."), os.path.join(root, "lib"),
    of("PYTHONFRAMEWORKPREFIX"), root]
if os.name == "nt":
    name = "python3%d.dll" % sys.version_info[1]
paths = [os.path.join(place, name) for place in places if place]
shared = [path for path in paths if os.path.isfile(path) and not path.endswith(".a")]
print(sys.implementation.name, "%d.%d" % sys.version_info[:2], sys.executable, shared[0] if shared else "", sep="\\n")
`;

/**
 * Finds the Python to embed: the one that `ONEHEAP_PYTHON` names (an executable or a shared library), else the active
 * virtual environment's, else `python3` on the `PATH`. Adds to `tried` what was not taken.
 */
export function findPython(tried: Attempt[]): FoundPython {
  const named = environment("ONEHEAP_PYTHON");
  if (named !== undefined) return fromSetting(named, tried);
  const root = environment("VIRTUAL_ENV");
  if (root !== undefined) {
    const found = fromExecutable(`${root}/${PLATFORM.executable}`, tried);
    if (found !== undefined) return found;
  }
  const found = fromExecutable("python3", tried) ?? fromWellKnownNames(tried);
  if (found !== undefined) return found;
  throw new LibraryError(
    "No Python to embed was found. Install Python 3.11 or later with its shared library, or set ONEHEAP_PYTHON to an " +
      "executable or a libpython. Tried:",
    tried,
  );
}

function fromSetting(named: string, tried: Attempt[]): FoundPython {
  if (PLATFORM.isPythonLibrary(named)) {
    return { library: named, executable: besideLibrary(named) };
  }
  const found = fromExecutable(named, tried);
  if (found !== undefined) return found;
  throw new LibraryError(
    `ONEHEAP_PYTHON names ${named}, which can't be embedded:`,
    tried,
  );
}

/** The executable of an installation whose library is known; empty if that can't be seen. */
export function besideLibrary(library: string): string {
  const root = library.replace(/[^/\\]*[/\\]?[^/\\]*$/, "");
  const executable = `${root}${PLATFORM.executable}`;
  return isFile(executable) ? executable : "";
}

/** Asks a Python for its library; where none may be run, tells it from its file name. */
function fromExecutable(
  executable: string,
  tried: Attempt[],
): FoundPython | undefined {
  if (!granted({ name: "run", command: executable })) {
    tried.push({
      subject: executable,
      reason: `it may not be asked; --allow-run=${executable} would let it`,
    });
    return fromFileName(executable, tried);
  }
  const answer = ask(executable, tried);
  if (answer === undefined) return undefined;
  const [implementation, version, path, library] = answer;
  const minor = Number(version.split(".")[1]);
  if (implementation !== "cpython") {
    return refuse(
      tried,
      executable,
      `it is ${implementation}; CPython is needed`,
    );
  }
  if (minor < OLDEST_MINOR) {
    return refuse(
      tried,
      executable,
      `it is Python ${version}; 3.${OLDEST_MINOR} or later is needed`,
    );
  }
  if (library === "") {
    return refuse(
      tried,
      executable,
      `Python ${version} (${path}) has no shared library; ${
        PLATFORM.remedy(minor)
      }`,
    );
  }
  return { library, executable: path };
}

/** The answer to the question: implementation, version, executable, library. */
function ask(executable: string, tried: Attempt[]): string[] | undefined {
  try {
    const { success, code, stdout, stderr } = new Deno.Command(executable, {
      args: ["-I", "-S", "-c", QUESTION],
      stdin: "null",
    }).outputSync();
    if (success) return new TextDecoder().decode(stdout).split(/\r?\n/);
    const said = new TextDecoder().decode(stderr).trim().split("\n").at(-1);
    return refuse(tried, executable, `it ended with status ${code}: ${said}`);
  } catch (error) {
    const missing = error instanceof Deno.errors.NotFound;
    return refuse(tried, executable, missing ? "there is none" : String(error));
  }
}

function refuse(tried: Attempt[], subject: string, reason: string): undefined {
  tried.push({ subject, reason });
}

/** Follows an executable's links to `python3.N`, whose library lies beside it or where the loader looks. */
function fromFileName(
  executable: string,
  tried: Attempt[],
): FoundPython | undefined {
  const real = realExecutable(executable);
  const minor = real?.match(/python3\.(\d+)[a-z]*(\.exe)?$/)?.[1];
  if (real === undefined || minor === undefined) {
    return refuse(
      tried,
      executable,
      "its file can't be followed; --allow-read and --allow-env=PATH would let it",
    );
  }
  if (Number(minor) < OLDEST_MINOR) {
    return refuse(
      tried,
      real,
      `it is Python 3.${minor}; 3.${OLDEST_MINOR} or later is needed`,
    );
  }
  const name = PLATFORM.pythonLibraryName(Number(minor));
  const beside = real.replace(/bin\/[^/]*$/, `lib/${name}`);
  const library = isFile(beside) ? beside : name;
  return { library, executable: executable.includes("/") ? executable : real };
}

/** The file that an executable is in the end, as far as reading is allowed. */
function realExecutable(executable: string): string | undefined {
  const folders = executable.includes("/")
    ? [""]
    : (environment("PATH") ?? "").split(":").map((it) => it + "/");
  for (const folder of folders) {
    const path = folder + executable;
    if (!granted({ name: "read", path })) continue;
    try {
      return Deno.realPathSync(path);
    } catch {
      // Not in this folder.
    }
  }
}

function isFile(path: string): boolean {
  if (!granted({ name: "read", path })) return false;
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Where neither asking nor reading is allowed: the newest library that the loader finds by itself. */
function fromWellKnownNames(tried: Attempt[]): FoundPython | undefined {
  if (
    granted({ name: "run", command: "python3" }) || !granted({ name: "ffi" })
  ) return undefined;
  for (let minor = NEWEST_MINOR; minor >= OLDEST_MINOR; minor--) {
    const library = PLATFORM.pythonLibraryName(minor);
    try {
      Deno.dlopen(library, {}).close();
      return { library, executable: `python3.${minor}` };
    } catch (error) {
      tried.push({ subject: library, reason: (error as Error).message });
    }
  }
}
