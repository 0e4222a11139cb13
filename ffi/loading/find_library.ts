/**
 * Where the Rust library is: the file that `ONEHEAP_LIBRARY` names, else the checkout's own build, else the library that
 * the package carries, unpacked.
 */

import { resolve } from "node:path";
import { ABI } from "../boundary/symbols.ts";
import { LibraryError } from "../errors.ts";
import { packagedLibraries, unpackLibrary } from "./bundled_library.ts";
import { cached } from "./cache.ts";
import { isFile, pathOf } from "./paths.ts";
import { environment, granted } from "./permissions.ts";
import { libraryName, TARGETS } from "./target.ts";

/** The file that was named, or that was built in this checkout; none if this is no checkout, or nothing was built. */
export function locateLibrary(): string | undefined {
  const named = environment("ONEHEAP_LIBRARY");
  // Deno's two ways to open a library take a relative path for different things.
  return named === undefined ? locateBuiltLibrary() : resolve(named);
}

/** The file that was built in this checkout, as far as looking is allowed. It reads nothing of the environment. */
export function locateBuiltLibrary(): string | undefined {
  const path = builtLibrary();
  if (path === undefined) return undefined;
  return !granted({ name: "read", path }) || isFile(path) ? path : undefined;
}

/** The library that the package has for this target, unpacked to the user's cache. */
export async function locatePackagedLibrary(): Promise<string> {
  const libraries = await packagedLibraries().catch((error) => {
    throw notBuilt() ?? error;
  });
  const target = TARGETS.find((target) => target === Deno.build.target);
  const packaged = target && libraries[target];
  if (target === undefined || packaged === undefined) {
    throw notBuilt() ?? notReleased(Object.keys(libraries));
  }
  const { abi, version, sha256 } = packaged;
  if (abi !== ABI) {
    throw new LibraryError(
      `The packaged library speaks boundary ${abi}, this version needs ${ABI}. Package it again (deno task package).`,
    );
  }
  return await cached(
    `${version}-${sha256}-${libraryName(target)}`,
    sha256,
    () => unpackLibrary(target),
  );
}

/** Where cargo puts the library in this checkout. A package that came from a registry is none. */
function builtLibrary(): string | undefined {
  const name = libraryName(Deno.build.target);
  return pathOf(new URL(`../../rust/target/release/${name}`, import.meta.url));
}

/** What to do in a checkout; none if this is a package from a registry. */
function notBuilt(): LibraryError | undefined {
  const built = builtLibrary();
  return built === undefined ? undefined : new LibraryError(
    `The Rust library is not at ${built}. Build it (deno task build), or set ONEHEAP_LIBRARY to where it is.`,
  );
}

/** What to do with a package that has libraries for other targets only. */
function notReleased(targets: string[]): LibraryError {
  return new LibraryError(
    `This release of oneheap has no library for ${Deno.build.target}, only for ${
      targets.join(", ")
    }. Build it in a checkout of ` +
      "oneheap (deno task build), and set ONEHEAP_LIBRARY to where it is.",
  );
}
