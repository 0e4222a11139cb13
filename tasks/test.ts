/** `deno task test`: builds what is missing, then runs cargo's tests and Deno's, arguments passed on to the latter. */

import { assertionFlags } from "./assertions.ts";
import { cargo } from "./build.ts";

const ROOT = new URL("../", import.meta.url);

cargo("build", "--release", "--quiet", "--workspace");
cargo("test", "--quiet", "--workspace");
const flags = assertionFlags();
runDenoTests(flags, {});
console.log("Once more, under Python's debug allocator:");
runDenoTests(flags, { PYTHONMALLOC: "debug" });

function runDenoTests(flags: string[], env: Record<string, string>): void {
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
    stdout: "inherit",
    stderr: "inherit",
  }).outputSync();
  if (code !== 0) Deno.exit(code);
}
