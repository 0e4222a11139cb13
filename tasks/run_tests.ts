/**
 * `deno task test`: builds what is missing, then runs cargo's tests, Deno's, and the package's as its users would. Its
 * arguments go to the `deno test` in the middle.
 */

import { assertionFlags } from "./lib/assertions.ts";
import { cargo } from "./build.ts";
import { writeViewer } from "./build_viewer.ts";
import { WITHOUT_LONG_TESTS } from "./lib/long_tests.ts";
import { testPackage } from "./test_package.ts";

const ROOT = new URL("../", import.meta.url);

/** The stress programs open Python as Unix does. */
const WORKSPACE = Deno.build.os === "windows"
  ? ["--workspace", "--exclude", "oneheap-stress"]
  : ["--workspace"];

cargo("build", "--release", "--quiet", ...WORKSPACE);
cargo("test", "--quiet", ...WORKSPACE);
writeViewer();
const flags = assertionFlags();
testDeno(flags, {});
console.log("Once more, under Python's debug allocator:");
testDeno([...flags, WITHOUT_LONG_TESTS], { PYTHONMALLOC: "debug" });
testPackage();

function testDeno(flags: string[], env: Record<string, string>): void {
  const { code } = new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--allow-all",
      "--sanitize-ops",
      "--sanitize-resources",
      "--v8-flags=--expose-gc",
      ...flags,
      ...Deno.args,
    ],
    cwd: ROOT,
    env,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).outputSync();
  if (code !== 0) Deno.exit(code);
}
