/** `deno task demo [file]`: builds the Rust library if need be, then shows a file in Python's heap. */

import { build } from "./build.ts";

build();
const { demonstrate } = await import("./demo/demonstration.ts");
Deno.exitCode = await demonstrate(Deno.args[0]);
