/** `deno task demo`: builds the Rust library if need be, then shows one block in three languages, and what that saves. */

import { build } from "./build.ts";

build();
const { demonstrate } = await import("./demo/demonstration.ts");
const { showDocument } = await import("./demo/document.ts");
const { showFigures } = await import("./demo/figures.ts");
const { python } = await import("../mod.ts");
const { executableOf } = await import("../ffi/loading/find_python.ts");

if (!demonstrate() || !showDocument()) {
  console.error("The three languages don't agree: please report this.");
  Deno.exit(1);
}
await showFigures(python.executable || executableOf(python.library));
