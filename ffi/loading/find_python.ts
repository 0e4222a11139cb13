/** Finding the Python to embed: its executable, and the shared library that is the interpreter. */

import { type Attempt, LibraryError } from "../errors.ts";
import { MAX_REASON_UNITS, NEWEST_MINOR, OLDEST_MINOR } from "../limits.ts";
import { isFile, look, lookAtLink } from "./paths.ts";
import { environment, granted } from "./permissions.ts";
import { PLATFORM } from "./platform/host.ts";
import {
  installationOf,
  libraryPlaces,
  locate,
  whyNotLocated,
} from "./python_layout.ts";
import type { Unusable } from "./unusable.ts";
import { projectEnvironments } from "./virtual_environment.ts";

/** A Python that can be embedded. */
export interface FoundPython {
  /** The shared library: a path, or a name that the system's loader finds. */
  readonly library: string;
  /** The executable whose prefix and packages the embedded Python takes; empty if only the library is known. */
  readonly executable: string;
}

/** A Python that was looked for. */
export interface Finding extends FoundPython {
  /** The setting or the folder that it was found by; none if by the `PATH`. */
  readonly name: string | undefined;
  /** What goes before it, and can't be used. */
  readonly unusable: readonly Unusable[];
}

/** The setting that names the Python itself. */
export const SETTING = "ONEHEAP_PYTHON";

/** A virtual environment, or conda's, whose Python may be taken. */
interface Environment {
  readonly name: string;
  readonly executable: string;
  /** Why it may not be used. */
  readonly fault?: string;
  /** What to do where it can't be used. */
  readonly remedy: string;
}

/**
 * Tells, a line each: implementation, version, executable, and the shared library, if there is one. Debian's Python
 * names a library that is another package's, so it is looked for. `sysconfig` takes several milliseconds to import, so
 * it is imported only where the library has no usual place.
 */
const SCRIPT = `
import os, sys
def first(name, folders):
    paths = [os.path.join(folder, name) for folder in folders if folder]
    return next((path for path in paths if os.path.isfile(path) and not path.endswith(".a")), "")
root = sys.base_prefix
version = "%d.%d" % sys.version_info[:2]
if os.name == "nt":
    name, folders = "python%d%d.dll" % sys.version_info[:2], [root]
else:
    name = "libpython" + version + getattr(sys, "abiflags", "") + ".so.1.0"
    multiarch = getattr(sys.implementation, "_multiarch", "")
    places = [getattr(sys, "platlibdir", "lib"), "lib", os.path.join("lib", multiarch)]
    folders = [os.path.join(root, place) for place in places]
library = first(name, folders)
if not library:
    from sysconfig import get_config_var as of
    library = first(of("INSTSONAME") or of("LDLIBRARY") or "", [of("LIBDIR"), of("PYTHONFRAMEWORKPREFIX")] + folders)
print(sys.implementation.name, version, sys.executable, library, sep="\\n")
`;

/** What a Python prints. */
const OUTPUT = /^(.+)\r?\n3\.(\d+)\r?\n(.*)\r?\n(.*)\r?\n$/;

/**
 * Find the Python to embed: the one that `ONEHEAP_PYTHON` names (an executable or a shared library), else that of the
 * active virtual environment, of the project's `.venv`, of the active conda environment, or `python3` on the `PATH`. Adds
 * to `tried` what was not taken.
 *
 * @throws {LibraryError} If there is none; it lists what was tried, and the permissions that would have let it do more.
 */
export function findPython(tried: Attempt[] = []): Finding {
  const named = environment(SETTING);
  if (named !== undefined) {
    return { ...fromSetting(named, tried), name: SETTING, unusable: [] };
  }
  const unusable: Unusable[] = [];
  for (const candidate of environments(tried)) {
    const { name, remedy } = candidate;
    const attempts: Attempt[] = [];
    const found = fromEnvironment(candidate, attempts);
    tried.push(...attempts);
    if (found) return { ...found, name, unusable };
    const reasons = attempts.map(({ subject, reason }) =>
      subject === name ? reason : `${subject}: ${reason}`
    );
    unusable.push({ name, reason: reasons.join("; "), remedy });
  }
  const found = fromExecutable(PLATFORM.command, tried);
  if (found) return { ...found, name: undefined, unusable };
  const unreadable = [SETTING, "VIRTUAL_ENV", "CONDA_PREFIX"].filter(
    (variable) => !granted({ name: "env", variable }),
  );
  for (const variable of unreadable) {
    refuse(tried, variable, `it may not be read (--allow-env=${variable})`);
  }
  throw new LibraryError(
    "No Python to embed was found. Install Python 3.11 or later with its shared library, or set ONEHEAP_PYTHON to an " +
      "executable or a libpython. Tried (and the flags that would allow more):",
    tried,
  );
}

/** The environments, in their order. They are looked for one by one, when those before can't be used. */
function* environments(tried: Attempt[]): Generator<Environment> {
  const active = environment("VIRTUAL_ENV");
  if (active !== undefined) {
    yield {
      name: `VIRTUAL_ENV (${active})`,
      executable: `${active}/${PLATFORM.executable}`,
      remedy: remedyOf("unset VIRTUAL_ENV (deactivate)"),
    };
  }
  for (const { root, fault } of projectEnvironments(tried)) {
    const executable = `${root}/${PLATFORM.executable}`;
    const remedy = fault === undefined
      ? remedyOf("remove it")
      : `Set ONEHEAP_PYTHON to ${executable} if it is the one that you want, else to another.`;
    yield { name: root, executable, fault, remedy };
  }
  const conda = environment("CONDA_PREFIX");
  if (conda !== undefined) {
    yield {
      name: `CONDA_PREFIX (${conda})`,
      executable: `${conda}/${PLATFORM.condaExecutable}`,
      remedy: remedyOf("unset CONDA_PREFIX (conda deactivate)"),
    };
  }
}

function remedyOf(last: string): string {
  return `Make it again from a Python 3.${OLDEST_MINOR} or later with a shared library, set ONEHEAP_PYTHON to the Python ` +
    `that you want, or ${last}.`;
}

function fromEnvironment(
  { name, executable, fault }: Environment,
  tried: Attempt[],
): FoundPython | undefined {
  return fault === undefined
    ? fromExecutable(executable, tried)
    : refuse(tried, name, fault);
}

/** Why the Python of a library can't be used, as far as its name says. */
export function unsupported(library: string): string | undefined {
  const version = versionOf(library);
  return version === undefined ? undefined : tooOld(version);
}

/** The executable that a library comes with; empty if it is seen not to be there: then Python finds one by itself. */
export function executableOf(library: string): string {
  const root = library.replace(/(lib(64)?\/([^/]*-linux-gnu\/)?)?[^/]*$/, "");
  const executable = `${root}${PLATFORM.executable}.${versionOf(library)}`;
  const readable = granted({ name: "read", path: executable });
  return readable && !isFile(executable) ? "" : executable;
}

/** Which Python 3 a library is, as `11` or `13t`. */
function versionOf(library: string): string | undefined {
  return library.match(/^.*(?:python|Versions\/)3\.?(\d+[a-z]*)[./]/)?.[1];
}

function tooOld(version: string): string | undefined {
  if (parseInt(version) >= OLDEST_MINOR) return undefined;
  return `it is Python 3.${version}; 3.${OLDEST_MINOR} or later is needed`;
}

function fromSetting(named: string, tried: Attempt[]): FoundPython {
  if (look(named)?.isDirectory) throw namesFolder(named);
  const found = PLATFORM.isPythonLibrary(named)
    ? fromLibrary(named, tried)
    : fromExecutable(named, tried);
  if (found !== undefined) return found;
  throw new LibraryError(
    `ONEHEAP_PYTHON names ${named}, which can't be embedded:`,
    tried,
  );
}

/** The error about a folder, with the Python that is in it. */
function namesFolder(folder: string): LibraryError {
  const { executable, condaExecutable, command } = PLATFORM;
  const within = [executable, condaExecutable, command]
    .map((path) => `${folder}/${path}`).find(isFile);
  const example = within === undefined ? "" : `: ${within}, perhaps`;
  return new LibraryError(
    `ONEHEAP_PYTHON names a folder, ${folder}. Set it to a Python executable or to Python's shared library${example}.`,
    [{ subject: folder, reason: "it is a folder" }],
  );
}

function fromLibrary(
  library: string,
  tried: Attempt[],
): FoundPython | undefined {
  const reason = unsupported(library);
  return reason === undefined
    ? { library, executable: "" }
    : refuse(tried, library, reason);
}

/** Find the library of a Python by running it; where it may not be run, by the files around it. */
export function fromExecutable(
  executable: string,
  tried: Attempt[],
): FoundPython | undefined {
  if (!granted({ name: "run", command: executable })) {
    return fromFiles(executable, `--allow-run=${executable}`, tried);
  }
  let output;
  try {
    output = new Deno.Command(executable, {
      args: ["-I", "-S", "-X", "utf8", "-c", SCRIPT],
      stdin: "null",
    }).outputSync();
  } catch (error) {
    // Where LD_LIBRARY_PATH or the like is set, which can make any command another, Deno lets any be run or none.
    if (error instanceof Deno.errors.NotCapable) {
      return fromFiles(executable, "--allow-run", tried);
    }
    const missing = error instanceof Deno.errors.NotFound;
    const reason = missing ? whyMissing(executable) : String(error);
    return refuse(tried, executable, reason);
  }
  const text = new TextDecoder();
  if (!output.success) {
    const said = text.decode(output.stderr).trim().split("\n").at(-1)
      ?.slice(0, MAX_REASON_UNITS);
    const status = `it ended with status ${output.code}`;
    return refuse(tried, executable, said ? `${status}: ${said}` : status);
  }
  return requireEmbeddable(executable, text.decode(output.stdout), tried);
}

/** A virtual environment's executable is a link to the Python that it was made from. */
function whyMissing(executable: string): string {
  return lookAtLink(executable)?.isSymlink
    ? "the Python that it links to is gone"
    : "there is none";
}

/** Return what a Python printed, if it can be embedded. */
function requireEmbeddable(
  executable: string,
  printed: string,
  tried: Attempt[],
): FoundPython | undefined {
  const match = printed.match(OUTPUT);
  if (match === null) {
    return refuse(tried, executable, "it doesn't answer as a Python 3 does");
  }
  const [, implementation, minor, path, library] = match;
  if (implementation !== "cpython") {
    return refuse(
      tried,
      executable,
      `it is ${implementation}; CPython is needed`,
    );
  }
  const reason = tooOld(minor);
  if (reason) return refuse(tried, executable, reason);
  if (library !== "") return { library, executable: path };
  return refuse(
    tried,
    executable,
    `Python 3.${minor} (${path}) has no shared library; ${
      PLATFORM.remedy(minor)
    }`,
  );
}

function refuse(tried: Attempt[], subject: string, reason: string): undefined {
  tried.push({ subject, reason });
}

/** Find the library of a Python by its files, where it may not be run without that flag. */
function fromFiles(
  executable: string,
  flag: string,
  tried: Attempt[],
): FoundPython | undefined {
  const unasked = `it may not be asked (${flag})`;
  const path = locate(executable);
  const installation = path && installationOf(path);
  if (!path || !installation) {
    const why = path ? "its name tells no version" : whyNotLocated(executable);
    refuse(tried, path ?? executable, `${unasked}, and ${why}`);
    return executable.includes("/") ? undefined : fromKnownNames(tried);
  }
  const old = tooOld(installation.version);
  if (old) return refuse(tried, path, old);
  const name = PLATFORM.pythonLibraryName(installation.version);
  // A free-threaded build installs itself as `python3.13` too.
  const freeThreaded = PLATFORM.pythonLibraryName(`${installation.version}t`);
  const places = [name, freeThreaded].flatMap((name) =>
    libraryPlaces(installation, name)
  );
  const library = places.find(isFile);
  if (library !== undefined) return { library, executable: path };
  if (places.every((path) => granted({ name: "read", path }))) {
    const remedy = PLATFORM.remedy(installation.version);
    return refuse(tried, path, `it has no shared library; ${remedy}`);
  }
  const unseen =
    `its ${name} may not be looked for (--allow-read=${installation.root})`;
  return refuse(tried, path, `${unasked}, and ${unseen}`);
}

/** Where there is no `python3`: the newest library that the system's loader finds by itself. */
function fromKnownNames(tried: Attempt[]): FoundPython | undefined {
  const subject = `libpython3.${OLDEST_MINOR} to libpython3.${NEWEST_MINOR}`;
  if (!granted({ name: "ffi" })) {
    return refuse(tried, subject, "may not be tried by name (--allow-ffi)");
  }
  for (let minor = NEWEST_MINOR; minor >= OLDEST_MINOR; minor--) {
    const library = PLATFORM.pythonLibraryName(String(minor));
    try {
      Deno.dlopen(library, {}).close();
      return { library, executable: "" };
    } catch {
      // Not among the system's libraries.
    }
  }
  return refuse(tried, subject, "the system's loader finds none of them");
}
