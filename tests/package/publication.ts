/** The package as `deno publish` would upload it, packed once for all tests of a file. */

import type { Package } from "./registry.ts";

const ROOT = new URL("../../", import.meta.url);

/** Where the package has its libraries. */
const PREBUILT = "/ffi/prebuilt";

/** The list of the package's libraries. */
export const LIST = `${PREBUILT}/libraries.json`;

/** The module that has the library for this target. */
export const MODULE = `${PREBUILT}/${Deno.build.target}.ts`;

/** The package. */
export const published: Package = pack();

/** What the package tells of its library for this target. */
export const listed: { abi: number; version: string; sha256: string } =
  JSON.parse(text(LIST))[Deno.build.target];

/** A file of the package. */
export function text(path: string): string {
  const contents = published.files.get(path);
  if (contents === undefined) throw new Error(`the package has no ${path}`);
  return new TextDecoder().decode(contents);
}

/** The package with another file in place of one. */
export function withFile(path: string, text: string): Package {
  const files = new Map(published.files);
  return {
    ...published,
    files: files.set(path, new TextEncoder().encode(text)),
  };
}

function pack(): Package {
  const { name, version, exports } = JSON.parse(
    Deno.readTextFileSync(new URL("deno.json", ROOT)),
  );
  const files = publishedFiles("--no-check").map((path) =>
    [`/${path}`, Deno.readFileSync(new URL(path, ROOT))] as const
  );
  return {
    name,
    version,
    exports: typeof exports === "string" ? { ".": exports } : exports,
    files: new Map(files),
  };
}

/** The paths of the files that `deno publish` would upload with those flags, below the checkout's root. */
export function publishedFiles(...flags: string[]): string[] {
  const { success, stdout, stderr } = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "tasks/package/publish_files.ts", ...flags],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).outputSync();
  const text = new TextDecoder();
  if (!success) throw new Error(text.decode(stderr));
  return text.decode(stdout).trim().split("\n");
}
