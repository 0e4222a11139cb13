/**
 * `deno task test:package`: packages the library, and uses the package as its users do. `deno task test` does it too.
 *
 * The tests don't run with the others: they need the package, and what they test depends on no Python.
 * `ONEHEAP_LIBRARIES` may name a folder of libraries that were built before, as `deno task package` takes it.
 */

import { assertionFlags } from "./lib/assertions.ts";
import { writeViewer } from "./build_viewer.ts";
import { packageLibraries } from "./package.ts";

const ROOT = new URL("../", import.meta.url);

/** The folder of the tests. The project's configuration keeps it out of a plain `deno test`, so it has one of its own. */
const TESTS = "tests/package";

/** Run the tests, with further arguments of `deno test`. Ends the process if one fails. */
export function testPackage(args: string[] = []): void {
  writeViewer();
  packageLibraries(Deno.env.get("ONEHEAP_LIBRARIES"));
  const { code } = new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--allow-all",
      "--no-check",
      "--parallel",
      "--sanitize-ops",
      "--sanitize-resources",
      `--config=${TESTS}/deno.json`,
      ...assertionFlags(),
      TESTS,
      ...args,
    ],
    cwd: ROOT,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).outputSync();
  if (code !== 0) Deno.exit(code);
}

if (import.meta.main) testPackage(Deno.args);
