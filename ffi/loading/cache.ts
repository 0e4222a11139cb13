/**
 * The user's cache, which packaged libraries are unpacked to.
 *
 * What is opened from here runs in this process. So folder and file must be the user's own, nobody else may be able to
 * write to them, and the file is checked against its hash each time. Windows has no such modes: there the user's profile
 * is trusted to be the user's own.
 */

import process from "node:process";
import { LibraryError } from "../errors.ts";
import { environment, granted } from "./permissions.ts";

/** The variables that say where caches go, each with what follows its value. The first that is set decides. */
const PLACES: Record<string, [variable: string, path: string][]> = {
  darwin: [["XDG_CACHE_HOME", ""], ["HOME", "/Library/Caches"]],
  windows: [["XDG_CACHE_HOME", ""], ["LOCALAPPDATA", ""]],
  unix: [["XDG_CACHE_HOME", ""], ["HOME", "/.cache"]],
};

/** In a file's mode: group and others may write. */
const WRITABLE_BY_OTHERS = 0o022;

/** Whether files have owners on this system. */
export const HAS_OWNERS = Deno.build.os !== "windows";

/**
 * The path of the file in the cache that is called `name` and whose contents hash to `sha256`.
 *
 * If it is not there, or not as it should be, it is written anew, with the contents that `unpack` returns. Processes and
 * Workers that do so at once do no harm.
 */
export async function cached(
  name: string,
  sha256: string,
  unpack: () => Promise<Uint8Array>,
): Promise<string> {
  const folder = cacheFolder();
  const path = `${folder}/${name}`;
  demand(folder, ["read"]);
  if (isIntact(folder, path, sha256)) return path;
  demand(folder, ["read", "write"]);
  const contents = await unpack();
  if (hash(contents) !== sha256) {
    throw new LibraryError(
      `This copy of oneheap is damaged: its ${name} has another hash. Fetch it again (deno cache --reload).`,
    );
  }
  store(folder, path, contents, sha256);
  return path;
}

/** `ONEHEAP_CACHE`, or `oneheap` where the user's caches are. */
export function cacheFolder(): string {
  const named = environment("ONEHEAP_CACHE");
  if (named !== undefined) {
    if (isAbsolute(named)) return named;
    throw new LibraryError(
      `ONEHEAP_CACHE is ${named}, which is no absolute path. Set it to one.`,
    );
  }
  const places = PLACES[Deno.build.os] ?? PLACES.unix;
  for (const [variable, path] of places) {
    const folder = environment(variable);
    if (folder !== undefined && isAbsolute(folder)) {
      return `${folder}${path}/oneheap`;
    }
  }
  const variables = [
    "ONEHEAP_CACHE",
    ...places.map(([variable]) => variable),
  ];
  throw new LibraryError(
    "There is no folder to unpack the library to. Set ONEHEAP_CACHE to an absolute path, and run with " +
      `--allow-env=${variables}.`,
    variables.map((subject) => ({
      subject,
      reason: granted({ name: "env", variable: subject })
        ? "it is not set to an absolute path"
        : "it may not be read",
    })),
  );
}

function isAbsolute(path: string): boolean {
  return /^(\/|\\\\|[A-Za-z]:[/\\])/.test(path);
}

/** Throw an error that names permissions and flags unless the folder may be used, and the user be known. */
function demand(folder: string, accesses: ("read" | "write")[]): void {
  const missing = accesses
    .filter((name) => !granted({ name, path: folder }))
    .map((name) => ({ name: `${name}`, flag: `--allow-${name}=${folder}` }));
  if (HAS_OWNERS && !granted({ name: "sys", kind: "uid" })) {
    missing.push({ name: "sys", flag: "--allow-sys=uid" });
  }
  if (missing.length === 0) return;
  throw new LibraryError(
    `Permissions are missing for ${folder}, which the library is unpacked to. Run with ${
      missing.map(({ flag }) => flag).join(" ")
    }.`,
    missing.map(({ name, flag }) => ({
      subject: `the permission "${name}"`,
      reason: `it is not granted; ${flag} would grant it`,
    })),
  );
}

/** Return whether the file is there, right, and safe. A folder that others could write to is an error. */
function isIntact(folder: string, path: string, sha256: string): boolean {
  if (!isSafe(folder)) return false;
  try {
    const info = Deno.lstatSync(path);
    return info.isFile && faultOf(info) === undefined &&
      hash(Deno.readFileSync(path)) === sha256;
  } catch {
    // It isn't there, or can't be read: whether it can be replaced shows then.
    return false;
  }
}

/** Return whether the folder is there. Throw if others could write to it. */
function isSafe(folder: string): boolean {
  let fault;
  try {
    // Of a link it matters whose it is, too.
    fault = faultOf(Deno.lstatSync(folder)) ?? faultOf(Deno.statSync(folder));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw errorForStatus(folder, error);
  }
  if (fault === undefined) return true;
  throw refusal(folder, fault);
}

/** What lets others than the user change a file or a folder. */
function faultOf({ uid, mode, isSymlink }: Deno.FileInfo): string | undefined {
  if (!HAS_OWNERS) return undefined;
  if (uid !== Deno.uid()) return "it belongs to another user";
  if (!isSymlink && (mode! & WRITABLE_BY_OTHERS) !== 0) {
    return "others may write to it";
  }
}

/** Write the file beside its place, flush it, and move it there. */
function store(
  folder: string,
  path: string,
  contents: Uint8Array,
  sha256: string,
): void {
  const temporary = `${path}.${crypto.randomUUID()}`;
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (isIntact(folder, path, sha256)) return;
    writeFlushed(temporary, contents);
    Deno.renameSync(temporary, path);
  } catch (error) {
    remove(temporary);
    if (error instanceof LibraryError) throw error;
    // Windows doesn't replace a library that somebody has opened. Then somebody else has just put it there.
    if (!isIntact(folder, path, sha256)) throw errorForStatus(folder, error);
  }
}

function writeFlushed(path: string, contents: Uint8Array): void {
  using file = Deno.openSync(path, {
    write: true,
    createNew: true,
    mode: 0o600,
  });
  for (let written = 0; written < contents.length;) {
    written += file.writeSync(contents.subarray(written));
  }
  file.syncSync();
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It was never made.
  }
}

/** The SHA-256 in hexadecimal. It is Node's because that one is synchronous. */
export function hash(contents: Uint8Array): string {
  // Loaded when it is needed first: that takes milliseconds, and most imports need none.
  const { createHash } = process.getBuiltinModule("node:crypto");
  return createHash("sha256").update(contents).digest("hex");
}

function refusal(folder: string, fault: string): LibraryError {
  return new LibraryError(
    "The cache is not safe to open a library from. Set ONEHEAP_CACHE to a folder that is yours and that only you can " +
      `write to (chmod go-w).`,
    [{ subject: folder, reason: fault }],
  );
}

function errorForStatus(folder: string, cause: unknown): LibraryError {
  return new LibraryError(
    "The library can't be unpacked to the cache. Set ONEHEAP_CACHE to a folder that can be written to and has a " +
      "megabyte to spare, or ONEHEAP_LIBRARY to a library that you built.",
    [{ subject: folder, reason: (cause as Error).message }],
    cause,
  );
}
