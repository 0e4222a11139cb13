/**
 * The version of oneheap. It stands in `deno.json`; this takes it to where cargo needs it too.
 *
 * `deno task release:version` takes it there, `deno task release:version 1.2.3` sets it everywhere.
 */

import { cargo } from "./build.ts";

const ROOT = new URL("../", import.meta.url);
const DENO = new URL("deno.json", ROOT);
const CARGO = new URL("rust/Cargo.toml", ROOT);

/** The version's line in each of the two files; in cargo's it is the workspace's. */
const DENO_LINE = /^( {2}"version": ")(.*)(",)$/m;
const CARGO_LINE = /^(\[workspace\.package\]\nversion = ")(.*)(")$/m;

/** The version; an error if cargo's is another one. */
export function releaseVersion(): string {
  const version = read(DENO, DENO_LINE);
  const crates = read(CARGO, CARGO_LINE);
  if (crates === version) return version;
  throw new Error(
    `deno.json has version ${version}, rust/Cargo.toml ${crates}: run deno task release:version`,
  );
}

function read(file: URL, line: RegExp): string {
  const version = Deno.readTextFileSync(file).match(line)?.[2];
  if (version === undefined) throw new Error(`no version in ${file.pathname}`);
  return version;
}

function write(file: URL, line: RegExp, version: string): void {
  const text = Deno.readTextFileSync(file);
  const changed = text.replace(line, (_, before, _old, after) => {
    return before + version + after;
  });
  Deno.writeTextFileSync(file, changed);
}

if (import.meta.main) {
  const version = Deno.args[0] ?? read(DENO, DENO_LINE);
  if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) {
    console.error(`${version} is no version, as 1.2.3 is`);
    Deno.exit(1);
  }
  write(DENO, DENO_LINE, version);
  write(CARGO, CARGO_LINE, version);
  cargo("update", "--workspace", "--quiet", "--offline");
  console.log(releaseVersion());
}
