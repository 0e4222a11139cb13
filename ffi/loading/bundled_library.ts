/**
 * The libraries that the package carries. `deno task package` generates them; a plain checkout has none.
 *
 * The specifiers are literals, so that `deno cache`, lock files, vendoring and `deno compile` see them.
 */

import { LibraryError } from "../errors.ts";
import type { Target } from "./target.ts";

/** What is known of a packaged library before it is unpacked. */
export interface PackagedLibrary {
  /** The number of the boundary that it speaks, as in `symbols.ts`. */
  readonly abi: number;
  /** The version of its crate. */
  readonly version: string;
  /** The SHA-256 of its file, in hexadecimal. */
  readonly sha256: string;
}

/**
 * The libraries that there are, by target. A `LibraryError` in a checkout without them.
 *
 * They are listed in JSON because Deno has nothing to compile in it: this import ends before any message is handed to a
 * Worker, so none is lost (measured; one in TypeScript lost some whenever Deno's cache of compiled modules was cold).
 */
export async function packagedLibraries(): Promise<
  Readonly<Record<string, PackagedLibrary | undefined>>
> {
  const { default: libraries } = await requireComplete(
    import("../prebuilt/libraries.json", { with: { type: "json" } }),
  );
  return libraries;
}

/** The contents of a packaged library's file. */
export async function unpackLibrary(target: Target): Promise<Uint8Array> {
  const { LIBRARY } = await requireComplete(importLibrary(target));
  const { brotliDecompressSync } = await import("node:zlib");
  return brotliDecompressSync(Uint8Array.fromBase64(LIBRARY));
}

function importLibrary(target: Target): Promise<{ LIBRARY: string }> {
  switch (target) {
    case "x86_64-unknown-linux-gnu":
      return import("../prebuilt/x86_64-unknown-linux-gnu.ts");
    case "aarch64-unknown-linux-gnu":
      return import("../prebuilt/aarch64-unknown-linux-gnu.ts");
    case "x86_64-apple-darwin":
      return import("../prebuilt/x86_64-apple-darwin.ts");
    case "aarch64-apple-darwin":
      return import("../prebuilt/aarch64-apple-darwin.ts");
    case "x86_64-pc-windows-msvc":
      return import("../prebuilt/x86_64-pc-windows-msvc.ts");
  }
}

/** A module of the package, which is there unless this copy of the package is not whole. */
async function requireComplete<Module>(
  module: Promise<Module>,
): Promise<Module> {
  try {
    return await module;
  } catch (error) {
    throw new LibraryError(
      "This copy of oneheap is incomplete or damaged. Fetch it again (deno cache --reload).",
      [{ subject: "ffi/prebuilt", reason: (error as Error).message }],
      error,
    );
  }
}
