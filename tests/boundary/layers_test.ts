/** The layers of both halves: no module imports a higher one, and none imports itself round a circle. */

import { assertEquals, assertGreater } from "@std/assert";
import {
  circularImports,
  type Layer,
  layerOf,
  type ModuleGraph,
  rustGraph,
  typeScriptGraph,
  upwardImports,
} from "./module_graph.ts";

const ROOT = new URL("../../", import.meta.url);

/** The layers of TypeScript, lowest first. */
const TYPESCRIPT_LAYERS: readonly Layer[] = [
  [
    "ffi/intrinsics.ts",
    "ffi/limits.ts",
    "ffi/errors.ts",
    "ffi/elements.ts",
    "ffi/checks.ts",
    "ffi/tracker.ts",
    "ffi/py_any.ts",
  ],
  ["ffi/boundary/"],
  ["ffi/loading/"],
  ["ffi/threads/"],
  ["ffi/memory/"],
  ["ffi/values/"],
  ["ffi/objects/"],
  ["ffi/running/"],
  ["ffi/python.ts"],
  ["ffi/debug/"],
  ["ffi/stubs/"],
  ["mod.ts"],
];

/** What the doctor may import: it has to work where the library doesn't, and imports that dynamically. */
const DOCTOR_LAYERS: readonly Layer[] = [
  ...TYPESCRIPT_LAYERS.slice(0, 3),
  ["ffi/doctor/"],
];

const RUST = "rust/oneheap-deno/src/";

/** The layers of the Rust library, lowest first. */
const RUST_LAYERS: readonly Layer[] = [
  ["boundary/status.rs", "limits.rs"],
  ["runtime/"],
  ["memory/"],
  ["values/"],
  ["objects/"],
  ["debug/"],
  ["running/"],
  ["boundary/"],
  ["lib.rs"],
].map((layer) => layer.map((place) => RUST + place));

const CRATE = "rust/oneheap/src/";

/** Reads the files of a folder with that ending, by their paths in the checkout. */
function sourcesIn(folder: string, ending: string): Map<string, string> {
  const sources = new Map<string, string>();
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    if (isDirectory) {
      sourcesIn(`${folder}${name}/`, ending).forEach((source, path) =>
        sources.set(path, source)
      );
    } else if (name.endsWith(ending)) {
      const path = `${folder}${name}`;
      sources.set(path, Deno.readTextFileSync(new URL(path, ROOT)));
    }
  }
  return sources;
}

function isInDoctor(path: string): boolean {
  return path.startsWith("ffi/doctor/");
}

const ffi = sourcesIn("ffi/", ".ts");
ffi.set("mod.ts", Deno.readTextFileSync(new URL("mod.ts", ROOT)));
for (const path of ffi.keys()) {
  if (path.startsWith("ffi/prebuilt/")) ffi.delete(path);
}
const typeScript = typeScriptGraph(ffi);
const library = new Map(
  [...typeScript].filter(([path]) => !isInDoctor(path)),
);
const doctor = new Map([...typeScript].filter(([path]) => isInDoctor(path)));
const rust = rustGraph(sourcesIn(RUST, ".rs"), RUST);
const crate = rustGraph(
  new Map(
    [...sourcesIn(CRATE, ".rs")].filter(([path]) =>
      !path.startsWith(`${CRATE}tests/`)
    ),
  ),
  CRATE,
);

function imports(graph: ModuleGraph): number {
  return [...graph.values()].reduce((sum, { length }) => sum + length, 0);
}

Deno.test("every module of both halves is in a layer, and its imports are read", () => {
  const without = (graph: ModuleGraph, layers: readonly Layer[]) =>
    [...graph.keys()].filter((path) => layerOf(path, layers) === layers.length);
  assertEquals(without(library, TYPESCRIPT_LAYERS), []);
  assertEquals(without(rust, RUST_LAYERS), []);
  assertGreater(imports(typeScript), typeScript.size);
  assertGreater(imports(rust), rust.size);
  assertGreater(imports(crate), crate.size / 2);
});

Deno.test("no TypeScript module imports one of a higher layer", () => {
  assertEquals(upwardImports(library, TYPESCRIPT_LAYERS), []);
  assertEquals(upwardImports(doctor, DOCTOR_LAYERS), []);
});

Deno.test("no TypeScript module imports itself by way of others", () => {
  assertEquals(circularImports(typeScript), []);
});

Deno.test("no Rust module uses one of a higher layer", () => {
  assertEquals(upwardImports(rust, RUST_LAYERS), []);
});

Deno.test("no Rust module uses itself by way of others", () => {
  assertEquals(circularImports(rust), []);
  assertEquals(circularImports(crate), []);
});

Deno.test("an import that points up and one that closes a circle are found, with both files", () => {
  const graph = typeScriptGraph(
    new Map([
      ["low/a.ts", 'import { b } from "../high/b.ts";'],
      ["low/c.ts", 'import type {\n  D,\n} from "./d.ts";'],
      ["low/d.ts", 'export * from "./c.ts";'],
      ["high/b.ts", 'import "../low/c.ts";\nawait import("../low/a.ts");'],
    ]),
  );
  assertEquals(upwardImports(graph, [["low/"], ["high/"]]), [
    { importer: "low/a.ts", imported: "high/b.ts" },
  ]);
  assertEquals(circularImports(graph), [
    { importer: "low/d.ts", imported: "low/c.ts" },
  ]);
});

Deno.test("the modules that a Rust file uses are found: in braces, by super, within functions, but not in tests or comments", () => {
  const graph = rustGraph(
    new Map([
      ["src/lib.rs", "mod a; mod b; mod c;"],
      ["src/a.rs", "use crate::{b::{self, Thing}, c};"],
      ["src/b/mod.rs", "pub mod e; mod f; fn g() { f::h() }"],
      ["src/b/e.rs", "fn f() { super::super::c::g(crate::b::f::H) }"],
      ["src/b/f.rs", "// crate::a\n#[cfg(test)]\nmod tests { use crate::a; }"],
      ["src/c.rs", "use crate::b::e::f;"],
    ]),
    "src/",
  );
  assertEquals(graph.get("src/a.rs"), ["src/b/mod.rs", "src/c.rs"]);
  assertEquals(graph.get("src/b/e.rs"), ["src/c.rs", "src/b/f.rs"]);
  assertEquals(graph.get("src/b/mod.rs"), ["src/b/f.rs"]);
  assertEquals(graph.get("src/b/f.rs"), []);
  assertEquals(circularImports(graph), [
    { importer: "src/b/e.rs", imported: "src/c.rs" },
  ]);
});
