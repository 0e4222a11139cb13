/**
 * What a bug report needs, gathered without assuming that anything works. Nothing here opens a library when it is
 * imported.
 */

import metadata from "../../deno.json" with { type: "json" };
import { type Attempt, LibraryError } from "../errors.ts";
import { SELF_TEST_BLOCKS } from "../limits.ts";
import { cacheFolder, HAS_OWNERS, hash } from "../loading/cache.ts";
import {
  locateLibrary,
  locatePackagedLibrary,
} from "../loading/find_library.ts";
import { findPython } from "../loading/find_python.ts";
import type { EmbeddedPython } from "../loading/native.ts";
import { environment, granted } from "../loading/permissions.ts";
import { PLATFORM } from "../loading/platform/host.ts";
import {
  type PackageEnvironment,
  packageEnvironments,
} from "./environments.ts";

/**
 * What is wrong, and what to do.
 *
 * @example
 * ```ts
 * import { diagnose, type Problem } from "@oneheap/oneheap/doctor";
 *
 * const problems: readonly Problem[] = (await diagnose()).problems;
 * for (const { what, remedy } of problems) console.error(`${what}: ${remedy}`);
 * ```
 */
export interface Problem {
  /** What is wrong. */
  readonly what: string;
  /** What to do about it. */
  readonly remedy: string;
}

/**
 * A permission as it is granted.
 *
 * @example
 * ```ts
 * import { diagnose, type Permission } from "@oneheap/oneheap/doctor";
 *
 * const isMissing = ({ granted, optional }: Permission) => !granted && !optional;
 * console.log((await diagnose()).permissions.filter(isMissing));
 * ```
 */
export interface Permission {
  /** The flag that grants it. */
  readonly flag: string;
  /** What it is for. */
  readonly purpose: string;
  /** Whether oneheap works without it. */
  readonly optional: boolean;
  /** Whether it is granted. */
  readonly granted: boolean;
}

/**
 * The Rust library.
 *
 * @example
 * ```ts
 * import { diagnose, type LibraryFile } from "@oneheap/oneheap/doctor";
 *
 * const library: LibraryFile | undefined = (await diagnose()).library;
 * console.log(library?.path, library?.origin);
 * ```
 */
export interface LibraryFile {
  /** Its file. */
  readonly path: string;
  /** Whose it is: `ONEHEAP_LIBRARY`, `checkout` or `package`. */
  readonly origin: string;
  /** The SHA-256 of its file in hexadecimal; none if the file may not be read. */
  readonly sha256: string | undefined;
  /** The number of the boundary that it speaks; none if it could not be opened. */
  readonly abi: number | undefined;
}

/**
 * The Python that runs, and whose memory it hands out.
 *
 * @example
 * ```ts
 * import { diagnose, type RunningPython } from "@oneheap/oneheap/doctor";
 *
 * const python: RunningPython | undefined = (await diagnose()).python;
 * console.log(python?.version, python?.allocator);
 * ```
 */
export interface RunningPython extends EmbeddedPython {
  /** The virtual environment, if the prefix is one's. */
  readonly virtualEnvironment: string | undefined;
  /** The allocator in force, by Python's name of it; a hook if Python has no name for it; undefined if Python doesn't run. */
  readonly allocator: string | undefined;
}

/**
 * What the doctor found.
 *
 * @example
 * ```ts
 * import { type Diagnosis, diagnose } from "@oneheap/oneheap/doctor";
 *
 * const diagnosis: Diagnosis = await diagnose();
 * console.log(diagnosis.works, diagnosis.search);
 * ```
 */
export interface Diagnosis {
  /** Whether the library works, with the requested Python. */
  readonly works: boolean;
  /** The version of oneheap. */
  readonly oneheap: string;
  /** The version of Deno. */
  readonly deno: string;
  /** The version of V8. */
  readonly v8: string;
  /** The target that Deno was built for. */
  readonly target: string;
  /** The environment variables that matter; none where one is not set, or may not be read. */
  readonly settings: Readonly<Record<string, string | undefined>>;
  /** The permissions that oneheap uses. */
  readonly permissions: readonly Permission[];
  /** Where Python was looked for: what was taken comes last, if anything was. */
  readonly search: readonly Attempt[];
  /** The Python that runs; none if none could be started. */
  readonly python: RunningPython | undefined;
  /** The Rust library; none if there is none. */
  readonly library: LibraryFile | undefined;
  /** What `python.require` has installed, as far as it may be read. */
  readonly environments: readonly PackageEnvironment[];
  /** How long the self-test took in milliseconds; undefined if it did not run. */
  readonly selfTestMilliseconds: number | undefined;
  /** What is wrong; nothing if the library works. */
  readonly problems: readonly Problem[];
}

const SETTINGS = [
  "ONEHEAP_PYTHON",
  "ONEHEAP_LIBRARY",
  "ONEHEAP_CACHE",
  "VIRTUAL_ENV",
  "CONDA_PREFIX",
  "PYTHONMALLOC",
  "PYTHONHOME",
  "PYTHONPATH",
];

/**
 * Look at everything that the library needs, and try it: find Python, open the library, and allocate, grow and
 * frees a thousand blocks. It never throws; what is wrong is among the problems.
 *
 * @example
 * ```ts
 * import { diagnose } from "@oneheap/oneheap/doctor";
 *
 * const { works, problems } = await diagnose();
 * if (!works) console.error(problems);
 * ```
 */
export async function diagnose(): Promise<Diagnosis> {
  const problems: Problem[] = [];
  const search = searchForPython(problems);
  const library = await locate(problems);
  const working = search.found && library ? await open(problems) : undefined;
  return {
    works: problems.length === 0,
    oneheap: metadata.version,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    target: Deno.build.target,
    settings: Object.fromEntries(
      settingNames().map((name) => [name, environment(name)]),
    ),
    permissions: permissions(),
    search: search.attempts,
    python: working?.python,
    library: library && { ...library, abi: working?.abi },
    environments: packageEnvironments(),
    selfTestMilliseconds: working?.selfTestMilliseconds,
    problems,
  };
}

/** Beside the settings of oneheap, all that are set of Python's: one that it refuses keeps it from starting. */
function settingNames(): string[] {
  if (!granted({ name: "env" })) return SETTINGS;
  const names = Object.keys(Deno.env.toObject()).filter((name) =>
    name.startsWith("PYTHON")
  );
  return [...new Set([...SETTINGS, ...names.sort()])];
}

type Asked = [
  descriptor: Deno.PermissionDescriptor,
  flag: string,
  purpose: string,
  optional: boolean,
];

function permissions(): Permission[] {
  const command = PLATFORM.command;
  const cache = usedCache();
  const requests: Asked[] = [
    [{ name: "ffi" }, "--allow-ffi", "opening the libraries", false],
    [
      { name: "run", command },
      `--allow-run=${command}`,
      "asking Python for its library",
      true,
    ],
    [{ name: "env" }, "--allow-env", "the settings, and PATH", true],
    [
      { name: "read" },
      "--allow-read",
      "a .venv, and following files where Python may not be asked",
      true,
    ],
    ...cachePermissions(cache),
    ...ownerPermission(cache),
  ];
  return requests.map(([descriptor, flag, purpose, optional]) => {
    return { flag, purpose, optional, granted: granted(descriptor) };
  });
}

/** The folder that the packaged library is unpacked to. That there is none comes up when it is unpacked. */
function usedCache(): string | undefined {
  try {
    return locateLibrary() === undefined ? cacheFolder() : undefined;
  } catch {
    return undefined;
  }
}

function cachePermissions(path: string | undefined): Asked[] {
  if (path === undefined) return [];
  return [
    [
      { name: "read", path },
      `--allow-read=${path}`,
      "checking the unpacked library",
      false,
    ],
    [
      { name: "write", path },
      `--allow-write=${path}`,
      "unpacking the library, once",
      true,
    ],
  ];
}

function ownerPermission(cache: string | undefined): Asked[] {
  if (!HAS_OWNERS) return [];
  const what = cache === undefined ? "a .venv is" : "the cache or a .venv is";
  const optional = cache === undefined;
  const purpose = `seeing that ${what} your own`;
  return [[{ name: "sys", kind: "uid" }, "--allow-sys=uid", purpose, optional]];
}

function searchForPython(
  problems: Problem[],
): { found: boolean; attempts: Attempt[] } {
  const attempts: Attempt[] = [];
  try {
    const { library, executable, unusable } = findPython(attempts);
    const subject = executable || library;
    problems.push(...unusable.map(({ name, reason, remedy }) => ({
      what: `${name} can't be used: ${reason}`,
      remedy,
    })));
    return {
      found: true,
      attempts: [...attempts, { subject, reason: `taken, with ${library}` }],
    };
  } catch (error) {
    problems.push(problemOf(error));
    return { found: false, attempts };
  }
}

/** Find the library's file as a user's import does. */
async function locate(
  problems: Problem[],
): Promise<Omit<LibraryFile, "abi"> | undefined> {
  try {
    const path = locateLibrary() ?? await locatePackagedLibrary();
    return { path, origin: originOf(path), sha256: hashOf(path) };
  } catch (error) {
    problems.push(problemOf(error));
  }
}

/** What is known once the library has been opened. */
interface Working {
  python: RunningPython;
  abi: number;
  selfTestMilliseconds: number;
}

/** Open the library as a user's import does, and try it. */
async function open(problems: Problem[]): Promise<Working | undefined> {
  try {
    const { embedded, symbols } = await import("../loading/native.ts");
    return {
      python: { ...embedded, ...describeRunningPython(embedded) },
      abi: symbols.oneheap_abi(),
      selfTestMilliseconds: await selfTest(),
    };
  } catch (error) {
    problems.push(problemOf(error));
  }
}

/** This library's errors say themselves what to do. */
function problemOf(error: unknown): Problem {
  const { message } = error as Error;
  if (error instanceof LibraryError) {
    return { what: "oneheap can't be imported", remedy: message };
  }
  return {
    what: message,
    remedy: "Report it, with all that is printed here",
  };
}

/** Allocate, write, grow and free blocks, and look whether what was written is there. Milliseconds. */
async function selfTest(): Promise<number> {
  const { alloc, realloc } = await import("../memory/block.ts");
  const { stats } = await import("../memory/stats.ts");
  const start = performance.now();
  const { blocks } = stats();
  for (let index = 1; index <= SELF_TEST_BLOCKS; index++) {
    using block = alloc(Float64Array, index);
    block.view[index - 1] = index;
    realloc(block, 2 * index);
    const kept = block.view[index - 1] === index && block.view[index] === 0;
    if (!kept) throw new Error("A block lost its contents in realloc");
  }
  const left = stats().blocks - blocks;
  if (left !== 0) {
    throw new Error(`${left} blocks of the self-test were not freed`);
  }
  return performance.now() - start;
}

function originOf(path: string): string {
  if (path === environment("ONEHEAP_LIBRARY")) return "ONEHEAP_LIBRARY";
  return path === locateLibrary() ? "checkout" : "package";
}

function hashOf(path: string): string | undefined {
  if (!granted({ name: "read", path })) return undefined;
  try {
    return hash(Deno.readFileSync(path));
  } catch {
    // Opening it says why it can't be read.
    return undefined;
  }
}

/** Return what Python reports of itself beside what `python` has. */
function describeRunningPython(
  { library, prefix }: EmbeddedPython,
): Pick<RunningPython, "virtualEnvironment" | "allocator"> {
  const root = environment("VIRTUAL_ENV");
  return {
    virtualEnvironment: root === prefix ? root : undefined,
    allocator: allocatorOf(library),
  };
}

/** The allocator in force. Reading the name takes an `ffi` permission without limits. */
function allocatorOf(library: string): string | undefined {
  if (!granted({ name: "ffi" })) return undefined;
  const opened = Deno.dlopen(library, {
    _PyMem_GetCurrentAllocatorName: {
      parameters: [],
      result: "pointer",
      optional: true,
    },
  });
  const name = opened.symbols._PyMem_GetCurrentAllocatorName?.();
  opened.close();
  if (name === undefined) return undefined;
  return name === null
    ? "a hook, of tracemalloc or another"
    : Deno.UnsafePointerView.getCString(name);
}
