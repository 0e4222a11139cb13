/** The boundary is declared twice, once in each language. Here the two declarations are compared. */

import { assertEquals, assertNotEquals } from "@std/assert";
import { napi } from "../../ffi/loading/native.ts";
import {
  BUFFER_ERROR_REASON,
  CONVERSION_REASON,
  MEMORY_FUNCTION,
  MODE,
  REFERENCE_BYTES,
  STATUS,
  TAG,
} from "../../ffi/boundary/status.ts";
import { HEADER, MADE, OPERATION, TAPE } from "../../ffi/boundary/tape.ts";
import { ABI, SYMBOLS } from "../../ffi/boundary/symbols.ts";
import { CONSTRUCTORS } from "../../ffi/elements.ts";

/** A function of the boundary, in Deno's words. */
interface Declaration {
  name: string;
  parameters: string[];
  result: string;
}

/** What Deno calls Rust's types, where they stand as a parameter. */
const PARAMETER_TYPES: Record<string, string> = {
  "f64": "f64",
  "u8": "u8",
  "u32": "u32",
  "*const u8": "buffer",
  "*mut u8": "buffer",
  "*mut f64": "buffer",
  "*mut c_void": "pointer",
};

/** What Deno calls Rust's types, where they stand as a result. */
const RESULT_TYPES: Record<string, string> = {
  "": "void",
  "f64": "f64",
  "i32": "i32",
  "u32": "u32",
  "*mut c_void": "pointer",
};

const source = (path: string) =>
  Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));

const SYMBOLS_RS = source("rust/oneheap-deno/src/boundary/exports.rs");
const NODE_RS = source("rust/oneheap-deno/src/boundary/napi/register.rs");

/** The exported functions of a Rust file, in its order. A type that stands in no table above comes out as it is. */
function declaredInRust(rust: string): Declaration[] {
  const functions =
    /#\[unsafe\(no_mangle\)\]\s*pub (?:unsafe )?extern "C" fn (\w+)\(([^)]*)\)(?:\s*->\s*([^{]+?))?\s*\{/g;
  return rust.matchAll(functions).map(([, name, parameters, result = ""]) => ({
    name,
    parameters: parameters.split(",").map((it) => it.trim()).filter(Boolean)
      .map((parameter) => parameter.replace(/^\w+:\s*/, ""))
      .map((type) => PARAMETER_TYPES[type] ?? type),
    result: RESULT_TYPES[result] ?? result,
  })).toArray();
}

function declaredInTypeScript(): Declaration[] {
  return Object.entries(SYMBOLS).map(([name, { parameters, result }]) => ({
    name,
    parameters: [...parameters],
    result,
  }));
}

/** The number of a Rust constant. */
function constant(rust: string, name: string): number {
  const [, value] = rust.match(new RegExp(`const ${name}: \\w+ = ([^;]+);`))!;
  return value.split("*").reduce((product, it) => product * Number(it), 1);
}

/** The variants of a Rust enumeration and their numbers, named as in TypeScript; without numbers, they count from 0. */
function variantsInRust(file: string, name: string): Record<string, number> {
  const rust = source(`rust/oneheap-deno/src/${file}`);
  const [, body] = rust.match(new RegExp(`enum ${name} \\{([^}]*)\\}`))!;
  const variants = body.matchAll(/^ +([A-Z])(\w*)(?: = (-?\d+))?,/gm);
  return Object.fromEntries(
    variants.map(([, first, rest, number], index) => [
      first.toLowerCase() + rest,
      Number(number ?? index),
    ]),
  );
}

Deno.test("both sides declare the same functions, in the same order, with the same types", () => {
  assertEquals(declaredInRust(SYMBOLS_RS), declaredInTypeScript());
});

Deno.test("every exported function of the Rust file was compared", () => {
  const exported = SYMBOLS_RS.match(/no_mangle/g)!.length;
  assertEquals(declaredInRust(SYMBOLS_RS).length, exported);
});

Deno.test("both sides have the same boundary number", () => {
  assertEquals(constant(SYMBOLS_RS, "ABI"), ABI);
});

Deno.test("both sides have the same codes", () => {
  assertEquals(variantsInRust("boundary/status.rs", "Status"), { ...STATUS });
});

Deno.test("both sides have the same tags, refusals and modes", () => {
  assertEquals(variantsInRust("boundary/napi/results.rs", "Tag"), {
    ...TAG,
  });
  assertEquals(variantsInRust("objects/borrow.rs", "BufferErrorReason"), {
    ...BUFFER_ERROR_REASON,
  });
  assertEquals(
    variantsInRust("boundary/napi/reference_buffers.rs", "ReferenceBytes"),
    { ...REFERENCE_BYTES },
  );
  assertEquals(variantsInRust("running/compiled.rs", "Mode"), { ...MODE });
  assertEquals(
    variantsInRust("boundary/napi/call_stacks.rs", "MemoryFunction"),
    { ...MEMORY_FUNCTION },
  );
});

Deno.test("both sides have the same tags of tapes, classes, operations and reasons", () => {
  assertEquals(variantsInRust("values/tape/mod.rs", "Tag"), { ...TAPE });
  assertEquals(variantsInRust("values/tape/mod.rs", "MadeClass"), { ...MADE });
  assertEquals(variantsInRust("objects/operations.rs", "Operation"), {
    ...OPERATION,
  });
  assertEquals(variantsInRust("values/failure.rs", "ConversionReason"), {
    ...CONVERSION_REASON,
  });
  const rust = source("rust/oneheap-deno/src/boundary/napi/tapes.rs");
  assertEquals(constant(rust, "HEADER"), HEADER);
});

Deno.test("Python numbers the classes of values and what they are lowered to as Rust does", () => {
  const python = source("rust/oneheap-deno/src/values/conversions.py");
  const numbered = (first: string) =>
    python.match(new RegExp(`^(${first}, .*) = range`, "m"))![1].split(", ")
      .map((name) =>
        name.toLowerCase().replace(/_(.)/g, (_, it) => it.toUpperCase())
      );
  assertEquals(numbered("DATE"), Object.keys(MADE));
  assertEquals(
    numbered("VALUE"),
    Object.keys(variantsInRust("values/walk.rs", "Lowered")),
  );
});

Deno.test("both sides number the element types alike", () => {
  const inTypeScript = CONSTRUCTORS.map(({ name }) =>
    name.replace("Array", "").replace(/^./, (first) => first.toLowerCase())
  );
  const inRust = variantsInRust("memory/element.rs", "Element");
  assertEquals(Object.keys(inRust), inTypeScript);
});

Deno.test("both sides expect as many counts in the statistics", () => {
  const [, inTypeScript] = source("ffi/memory/stats.ts").match(
    /new Float64Array\((\d+)\)/,
  )!;
  const fields = constant(
    source("rust/oneheap-deno/src/memory/stats.rs"),
    "FIELDS",
  );
  assertEquals(fields, Number(inTypeScript));
});

/** The constants of a table of limits by their names. In both languages, and in Python, their values are numbers or products of numbers. */
function limitsIn(path: string, pattern: RegExp): Map<string, number> {
  const constants = source(path).matchAll(pattern);
  return new Map(
    constants.map(([, name, value]) => [name, valueOf(value)]).filter((
      [, value],
    ) => !Number.isNaN(value)) as Iterable<[string, number]>,
  );
}

/** Returns the value of a product, a sum or a shift of numbers; NaN for another expression. */
function valueOf(expression: string): number {
  const plain = expression.replaceAll("_", "");
  return /^[\d\s*+\-<()]+$/.test(plain) ? Number(eval(plain)) : NaN;
}

const RUST_LIMITS = limitsIn(
  "rust/oneheap-deno/src/limits.rs",
  /const (\w+): \w+ = ([^;]+);/g,
);
const TYPESCRIPT_LIMITS = limitsIn(
  "ffi/limits.ts",
  /const (\w+) = ([^;]+);/g,
);
const PYTHON_LIMITS = limitsIn(
  "rust/oneheap-deno/src/values/support.py",
  /^([A-Z_]+) = (.+)$/gm,
);

Deno.test("limits of the same name are the same on both sides", () => {
  const twins = [...TYPESCRIPT_LIMITS.keys()].filter((name) =>
    RUST_LIMITS.has(name)
  );
  assertEquals(twins, [
    "DEFAULT_ALIGN_BYTES",
    "MAX_ALIGN_BYTES",
    "MAX_DEPTH",
    "MAX_CONTAINERS",
    "MAX_SHAPE_NODES",
    "MAX_SHAPE_CHILDREN",
    "MAX_SHAPE_KEYS",
    "MAX_KEPT_LANE_BYTES",
    "MAX_STRING_UNITS",
  ]);
  for (const name of twins) {
    assertEquals(RUST_LIMITS.get(name), TYPESCRIPT_LIMITS.get(name), name);
  }
});

Deno.test("Python's limits are those of the languages beside it", () => {
  assertEquals(
    PYTHON_LIMITS.get("MAX_STRING_UNITS"),
    RUST_LIMITS.get("MAX_STRING_UNITS"),
  );
  assertEquals(
    PYTHON_LIMITS.get("MAX_SHOWN_CHARACTERS"),
    TYPESCRIPT_LIMITS.get("MAX_SHOWN_UNITS"),
  );
});

/** A function that comes by Node-API: its name and those of its parameters. */
type Signature = [name: string, parameters: string[]];

/** The functions of the interface `NodeApi`. The receiver is no parameter. */
function nodeApiInTypeScript(): Signature[] {
  const declarations = source("ffi/boundary/node_api.ts")
    .split("export interface NodeApi {")[1]
    .matchAll(/^ {2}(\w+)\(([^)]*(?:\(\)[^)]*)?)\): /gm);
  return declarations.map(([, name, list]): Signature => [
    name,
    list.matchAll(/(?:^|,)\s*((?:\.\.\.)?\w+)\??: /g).map(([, it]) => it)
      .filter((it) => it !== "this").toArray(),
  ]).toArray();
}

/** The functions that `register.rs` names, with the parameters that the documentation of each begins with. */
function nodeApiInRust(): Signature[] {
  const registered = NODE_RS.matchAll(/\(\s*c"(\w+)",\s*(\w+)::(\w+)/g);
  return registered.map(([, name, module, fn]): Signature => {
    const rust = source(`rust/oneheap-deno/src/boundary/napi/${module}.rs`);
    const [, signature, list] = rust.match(
      new RegExp(
        `/// \`(\\w+)\\(([^)]*)\\)\`(?:(?!\n\n)[\\s\\S])*?extern "C" fn ${fn}\\(`,
      ),
    ) ?? [undefined, `${name} has no signature in its documentation`, ""];
    const parameters = list.split(", ").filter((it) => it !== "");
    assertEquals(signature, name);
    return [name, parameters];
  }).toArray();
}

Deno.test("both sides declare the same functions of Node-API, with the same parameters, and the library has no others", () => {
  const inTypeScript = nodeApiInTypeScript();
  assertEquals(nodeApiInRust(), inTypeScript);
  const names = inTypeScript.map(([name]) => name);
  assertEquals(Object.keys(napi), names);
});

Deno.test("each function of Node-API reads as many arguments as it declares", () => {
  for (const [name, parameters] of nodeApiInRust()) {
    const [, module, fn] = NODE_RS.match(
      new RegExp(`c"${name}",\\s*(\\w+)::(\\w+)`),
    )!;
    const rust = source(`rust/oneheap-deno/src/boundary/napi/${module}.rs`);
    const body = rust.split(`extern "C" fn ${fn}(`)[1].split("\n}\n")[0];
    const read = body.match(/arguments::<(\d+)>/)?.[1];
    const all = body.includes(".all_arguments(") ? "...args" : undefined;
    const expected = all === undefined ? parameters.length : 1;
    assertEquals([name, Number(read ?? (all ? 1 : 0))], [name, expected]);
  }
});

/** What somebody might change on one side alone. */
const CHANGES: [what: string, change: (rust: string) => string][] = [
  ["a name", (rust) => rust.replace("fn oneheap_raw_free", "fn oneheap_free")],
  ["a parameter's type", (rust) => rust.replace("count: f64", "count: u32")],
  ["one more parameter", (rust) => rust.replace("count: f64", "a: u8, b: f64")],
  ["one less parameter", (rust) => rust.replace("count: f64, ", "")],
  ["a result's type", (rust) => rust.replace("abi() -> u32", "abi() -> i32")],
  ["a result left out", (rust) => rust.replace("abi() -> u32", "abi()")],
  [
    "the order",
    (rust) =>
      rust.replace(
        /fn oneheap_(at|de)tach/g,
        (_, syllable) => `fn oneheap_${syllable === "at" ? "de" : "at"}tach`,
      ),
  ],
];

for (const [what, change] of CHANGES) {
  Deno.test(`a change on Rust's side alone is noticed: ${what}`, () => {
    const changed = change(SYMBOLS_RS);
    assertNotEquals(changed, SYMBOLS_RS);
    assertNotEquals(declaredInRust(changed), declaredInTypeScript());
  });
}
