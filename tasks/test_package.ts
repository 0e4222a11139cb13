/**
 * `deno task test:package`: packages the library, and uses the package as its users do. `deno task test` does it too.
 *
 * The tests don't run with the others: they need the package, and what they test depends on no Python.
 * `ONEHEAP_LIBRARIES` may name a folder of libraries that were built before, as `deno task package` takes it.
 */

import { assertionFlags } from "./lib/assertions.ts";
import { packageLibraries } from "./package.ts";

const ROOT = new URL("../", import.meta.url);

/** The files of tests. Their names keep them out of a plain `deno test`. */
const TESTS = [
  "packaging.ts",
  "import.ts",
  "order.ts",
  "cache.ts",
  "permissions.ts",
  "workers.ts",
];

/** Runs the tests, with further arguments of `deno test`. Ends the process if one fails. */
export function testPackage(args: string[] = []): void {
  packageLibraries(Deno.env.get("ONEHEAP_LIBRARIES"));
  const { code } = new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--allow-all",
      "--no-check",
      "--parallel",
      "--sanitize-ops",
      "--sanitize-resources",
      ...assertionFlags(),
      ...TESTS.map((name) => `tests/package/${name}`),
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
