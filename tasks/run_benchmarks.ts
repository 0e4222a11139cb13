/** `deno task bench`: builds what is missing, then runs the benchmarks. Arguments are passed on, as `--filter=arena`. */

import { build } from "./build.ts";

build();
const { code } = new Deno.Command(Deno.execPath(), {
  args: ["bench", "--allow-all", "--no-check", ...Deno.args, "bench/"],
  cwd: new URL("../", import.meta.url),
  stdin: "null",
  stdout: "inherit",
  stderr: "inherit",
}).outputSync();
Deno.exit(code);
