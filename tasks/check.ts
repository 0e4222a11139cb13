/** `deno task check`: formatting, lints, types, documentation, and the examples in it. Runs all of them, then reports those that failed. */

import { assertionFlags } from "./lib/assertions.ts";
import { build } from "./build.ts";

const ROOT = new URL("../", import.meta.url);
const RUST = new URL("rust/", ROOT);

build();
const flags = assertionFlags();
const deno = Deno.execPath();
const checks: [name: string, command: string[], folder: URL][] = [
  ["deno fmt", [deno, "fmt", "--check", "--quiet"], ROOT],
  ["deno lint", [deno, "lint", "--quiet"], ROOT],
  ["deno check", [deno, "check", "--quiet", ...flags], ROOT],
  ["deno doc --lint", [
    deno,
    "doc",
    "--lint",
    "--quiet",
    "mod.ts",
    "ffi/debug/debug.ts",
    "ffi/doctor/doctor.ts",
    "ffi/stubs/stubs.ts",
  ], ROOT],
  [
    "examples in the documentation",
    [
      deno,
      "test",
      "--allow-all",
      "--doc",
      "--quiet",
      ...flags,
      "mod.ts",
      "ffi",
      "README.md",
      "docs",
    ],
    ROOT,
  ],
  ["cargo fmt", ["cargo", "fmt", "--check"], RUST],
  ["cargo clippy", [
    "cargo",
    "clippy",
    "--quiet",
    "--workspace",
    "--all-targets",
    "--",
    "-D",
    "warnings",
  ], RUST],
];

const failed = checks.filter(([name, command, folder]) =>
  !succeeds(name, command, folder)
);
console.log(`${checks.length - failed.length} passed, ${failed.length} failed`);
Deno.exit(failed.length === 0 ? 0 : 1);

function succeeds(
  name: string,
  [command, ...args]: string[],
  folder: URL,
): boolean {
  const { success, stdout, stderr } = new Deno.Command(command, {
    args,
    cwd: folder,
    stdin: "null",
  }).outputSync();
  console.log(`${success ? "ok    " : "FAILED"} ${name}`);
  if (!success) {
    Deno.stdout.writeSync(stdout);
    Deno.stderr.writeSync(stderr);
  }
  return success;
}
