/** Declarations of Python's modules: programs that are right type-check and run; each line that is wrong is an error. */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { fileURLToPath } from "node:url";
import { generateDeclarations } from "../../ffi/stubs/stubs.ts";
import { python, PythonError } from "../../mod.ts";
import { numpyTest } from "../support/numpy.ts";
import { inFolder, openedLibrary } from "../support/process.ts";

const MODULE = import.meta.resolve("../../mod.ts");
const STUBS = import.meta.resolve("../../ffi/stubs/stubs.ts");
const CASES = import.meta.resolve("./cases/");

/** What every program here begins with. */
const PREAMBLE = `
import { kw, type PyAny, type PyArg, python } from ${JSON.stringify(MODULE)};
import type {} from "./python.d.ts";
void kw;

/** Whether two types are the same, any too. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends
  (<T>() => T extends B ? 1 : 2) ? true : false;
function is<_ extends true>(): void {}
void is<Same<PyAny, PyAny>>;
void (0 as unknown as PyArg);
`;

function casePath(name: string): string {
  return fileURLToPath(`${CASES}${name}`);
}

async function deno(cwd: string, args: string[]) {
  const { success, code, stdout, stderr } = await new Deno.Command(
    Deno.execPath(),
    {
      args,
      cwd,
      env: {
        NO_COLOR: "1",
        ONEHEAP_LIBRARY: openedLibrary("liboneheap_deno.so"),
        ONEHEAP_PYTHON: python.executable,
      },
      stdin: "null",
    },
  ).output();
  const text = new TextDecoder();
  return {
    success,
    code,
    stdout: text.decode(stdout),
    stderr: text.decode(stderr),
  };
}

/** Type-check a program beside the declarations of modules, then run it. What it prints, line by line. */
async function checkAndRun(
  modules: string[],
  program: string,
): Promise<string[]> {
  let printed: string[] = [];
  const { text } = await generateDeclarations(modules, { module: MODULE });
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/python.d.ts`, text);
    await Deno.writeTextFile(`${folder}/program.ts`, PREAMBLE + program);
    const files = ["program.ts", "python.d.ts"];
    const checked = await deno(folder, ["check", "--quiet", "--all", ...files]);
    assert(checked.success, checked.stderr);
    const args = ["run", "--allow-all", "--no-check", "--quiet", "program.ts"];
    const ran = await deno(folder, args);
    assert(ran.success, ran.stderr);
    printed = ran.stdout.trimEnd().split("\n");
  });
  return printed;
}

Deno.test("a module's functions, classes and attributes have types, and what is wrong is an error", async () => {
  const printed = await checkAndRun(
    [casePath("shapes.py")],
    `
import type { shapes } from "./python.d.ts";
const s: shapes.$Module = python.importFile(new URL(${
      JSON.stringify(`${CASES}shapes.py`)
    }));

// Positional-only and keyword-only parameters.
is<Same<ReturnType<typeof s.area>, number>>();
console.log(s.area(2, 3), s.area(2, kw({ unit: "cm" })), s.area(2, 3, kw({ exact: true })));
// @ts-expect-error a keyword that is misspelt
void (() => s.area(2, 3, kw({ units: "cm" })));
// @ts-expect-error a keyword of another type
void (() => s.area(2, kw({ unit: 1 })));
// @ts-expect-error a parameter without a name
void (() => s.area(kw({ width: 1 })));
// @ts-expect-error an argument is missing
void (() => s.area());
// @ts-expect-error an argument is one too many
void (() => s.area(1, 2, 3));
// @ts-expect-error an argument of another type
void (() => s.area("1"));

// Keywords in whatever place the optional arguments begin; lists are Python's.
const scaled = s.scale([1, 2], kw({ by: 3 }));
is<Same<typeof scaled[0], number>>();
console.log(scaled.$js(), s.scale([1], 2, kw({ offset: 1 })).$js(), s.scale(kw({ values: [1] }))[0]);
scaled.append(1);
// @ts-expect-error a list has no such method
void (() => scaled.push(1));
// @ts-expect-error it has that place already
void (() => s.scale(kw({ values: [1] }), kw({ offset: 1 })));

// Required ones by keyword.
console.log(s.required("a", 1, kw({ third: true })), s.required("a", kw({ second: 1, third: true })));
// @ts-expect-error one of them is missing
void (() => s.required("a", 1));
// @ts-expect-error one of them is missing
void (() => s.required("a", kw({ third: true })));

console.log(s.total(1, 2, 3), s.total(1, kw({ start: 10 })));
// @ts-expect-error an argument of another type
void (() => s.total(1, "2"));
const made = s.record("x", kw({ a: 1, b: [2] }));
const plain = made.$js();
is<Same<typeof plain, Record<string, PyAny>>>();
console.log(JSON.stringify(made));

// Generics: of a function and of a class.
const one = s.first(["a"]);
is<Same<typeof one, string>>();
const box = s.Box(3);
is<Same<ReturnType<typeof box.get>, number>>();
for (const it of box) console.log(it + box.get());
is<Same<ReturnType<ReturnType<typeof s.Words>["get"]>, string>>();

// Overloads.
is<Same<typeof text, string>>();
const text = s.load("x", true);
const bytes = s.load("x");
is<Same<typeof bytes, Uint8Array>>();
console.log(text, bytes.length);

// Names that mean something to TypeScript.
const [number, word] = s.new(1, kw({ default: 2 }));
is<Same<typeof number, number>>();
is<Same<typeof word, string>>();
console.log(number, word, s.delete(1)[1], s["not a name"]);

// Without annotations names are known, and nothing else.
is<Same<ReturnType<typeof s.untyped>, PyAny>>();
console.log(s.untyped(1, kw({ b: 2 })), s.untyped([1], 2, 3)[0]);
// @ts-expect-error a keyword that is misspelt
void (() => s.untyped(1, kw({ c: 2 })));
is<Same<ReturnType<typeof s.later>, PyAny>>();
is<Same<ReturnType<typeof s.opened>, PyAny>>();
is<Same<typeof s.NAME, string>>();
is<Same<typeof s.count, number>>();
// @ts-expect-error no such name
void (() => s.volume);

// Classes.
is<Same<typeof s.Color.RED, shapes.Color>>();
// @ts-expect-error no such member
void (() => s.Color.GREEN);
console.log(s.Color.RED.name, s.Color.RED.value, s.Color(2).name);
for (const it of s.Color) console.log(it.name);
console.log(s.Level.LOW.bit_length());
const [left, right] = s.Pair(1, kw({ right: "r" }));
console.log(left, right, s.Pair(3)[0], s.Pair(4).left);
const fields = s.Record(kw({ a: 1 }));
console.log(fields.get("a"), [...fields].length);
const point: shapes.Point = s.Point(1, kw({ y: 2 }));
console.log(point.moved(1).x, point.y);
// @ts-expect-error no such attribute
void (() => point.z);
// @ts-expect-error a keyword that is misspelt
void (() => s.Point(1, kw({ z: 2 })));
const base = s.Base.of(2);
base.double = 8;
is<Same<typeof base.size, number>>();
is<Same<ReturnType<typeof base.itself>, shapes.Base>>();
console.log(base.size, base.label, base.describe(), s.Base.limit());
const derived = s.Derived(3);
is<Same<ReturnType<typeof derived.itself>, shapes.Derived>>();
console.log(derived.describe(true), derived.double);
const anything = s.Anything();
console.log(anything.whatever);
console.log(s.WithMeta().inner().depth, s.WithMeta.Inner().depth);
`,
  );
  assertEquals(printed, [
    "6 2 6",
    "[ 3, 6 ] [ 3 ] 2",
    "a1True a1True",
    "6 11",
    '{"name":"x","a":1,"b":[2]}',
    "6",
    "x 1",
    "1 2 0 1",
    "1 1",
    "RED 1 BLUE",
    "RED",
    "BLUE",
    "1",
    "1 r 3 4",
    "1 1",
    "2 2",
    "4 UPPER base 10",
    "1 4",
    "whatever",
    "2 2",
  ]);
});

Deno.test("modules of the standard library have declarations, by the names that python.import takes", async () => {
  const printed = await checkAndRun(
    ["json", "statistics"],
    `
const json = python.import("json");
console.log(json.dumps({ a: [1] }, kw({ indent: null })));
const statistics = python.import("statistics");
console.log(statistics.mean([1, 2, 6]), statistics.quantiles([1, 2, 3], kw({ n: 2 }))[0]);
console.log(statistics.NormalDist(1, 2).mean);
// @ts-expect-error a keyword that is misspelt
void (() => statistics.quantiles([1], kw({ nn: 2 })));
// @ts-expect-error no such function
void (() => statistics.meen([1]));
const other = python.import("math");
is<Same<typeof other, PyAny>>();
`,
  );
  assertEquals(printed, ['{"a": [1]}', "3 2", "1"]);
});

Deno.test("a stub file counts before the module; one that can't be parsed doesn't count", async () => {
  const { text } = await generateDeclarations([
    casePath("stubbed.py"),
    casePath("unreadable.py"),
  ]);
  assertStringIncludes(text, "half(value: number | bigint): number;");
  assertStringIncludes(text, "hidden(): PyAny;");
  assertStringIncludes(text, "half(value: PyArg, ...optional: ");
  assert(!text.includes("half(value: string)"));
});

Deno.test("a function without a signature takes anything", async () => {
  const { text, coverage } = await generateDeclarations([
    "operator",
    "builtins",
  ]);
  assertStringIncludes(text, "getattr(...values: PyAny[]): PyAny;");
  for (const it of coverage) assert(it.parameters <= it.callables);
});

Deno.test("the same modules give the same file, in whatever order", async () => {
  const one = await generateDeclarations(["json", "statistics"]);
  const other = await generateDeclarations(["statistics", "json"]);
  assertEquals(other.text, one.text);
  assertEquals(other.coverage, one.coverage);
});

Deno.test("a module that can't be imported is an error of Python's, and leaves nothing", async () => {
  const error = await assertRejects(
    () => generateDeclarations([casePath("failing.py")]),
    PythonError,
    "not today",
  );
  assertEquals(error.type, "ValueError");
  const missing = await assertRejects(
    () => generateDeclarations(["there_is_no_such_module"]),
    PythonError,
  );
  assertEquals(missing.type, "ModuleNotFoundError");
  for (const wrong of ["a-b", "", "x/y", 1 as unknown as string]) {
    await assertRejects(() => generateDeclarations([wrong]), TypeError, "name");
  }
  await assertRejects(() => generateDeclarations([]), TypeError, "one module");
  const left = python.eval(
    "[it for it in __import__('sys').modules if it.startswith('oneheap_stubs') or it == 'failing'] or None",
  );
  assertEquals(left, null);
});

Deno.test("the program writes the file, and says how a program sees it and what is known", async () => {
  await inFolder(async (folder) => {
    const stubs = (...args: string[]) =>
      deno(folder, ["run", "--allow-all", "--no-check", STUBS, ...args]);
    const made = await stubs("json", "-o", "python.d.ts", "--module", MODULE);
    assertEquals(made.code, 0, made.stderr);
    assertStringIncludes(made.stderr, 'import type {} from "./python.d.ts";');
    assertStringIncludes(made.stderr, "json: 12 callables, 100.0 %");
    const text = await Deno.readTextFile(`${folder}/python.d.ts`);
    assertStringIncludes(text, `declare module ${JSON.stringify(MODULE)}`);
    const printed = await stubs("json", "--module", MODULE);
    assertEquals(printed.stdout, `${text}\n`);

    const failed = await stubs("numpyy", "-o", "other.d.ts");
    assertEquals(failed.code, 1);
    assertStringIncludes(failed.stderr, "No module named 'numpyy'");
    assertEquals((await stubs("--what")).code, 2);
    assertEquals((await stubs()).code, 2);
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assertEquals(names, ["python.d.ts"]);
  });
});

numpyTest(
  "numpy and pandas: a program that is right is checked and runs, a misspelt keyword is an error",
  async () => {
    const printed = await checkAndRun(
      ["numpy", "pandas"],
      `
import type { numpy, pandas } from "./python.d.ts";
const np = python.import("numpy");
const a: numpy.ndarray = np.array([[1, 2], [3, 4]], kw({ dtype: "float64" }));
console.log(a.sum(), a.sum(kw({ axis: 0 })).$js(), a.shape[0]);
console.log(np.linspace(0, 1, kw({ num: 2 })).$js(), np.linalg.norm([3, 4]));
is<Same<ReturnType<typeof np.float64>, number>>();
const pd = python.import("pandas");
const frame: pandas.DataFrame = pd.DataFrame({ x: [1, 2, 3], g: ["a", "b", "a"] });
for (const [key, group] of frame.groupby("g")) console.log(key, group.$len);
console.log(frame.sort_values("x", kw({ ascending: false })).x.iloc[0]);
// @ts-expect-error misspelt
void (() => np.linspace(0, 1, kw({ nun: 5 })));
// @ts-expect-error misspelt
void (() => np.sum([1], kw({ axes: 0 })));
// @ts-expect-error misspelt, of a method
void (() => a.mean(kw({ keepdim: true })));
// @ts-expect-error of another type
void (() => np.sum([1], kw({ axis: "0" })));
// @ts-expect-error no such function
void (() => np.linspac(0, 1));
// @ts-expect-error misspelt
void (() => frame.sort_values("x", kw({ ascend: false })));
// @ts-expect-error misspelt
void (() => pd.read_csv("x.csv", kw({ separator: ";" })));
// @ts-expect-error missing
void (() => np.linspace());
`,
    );
    assertEquals(printed, [
      "10 Float64Array(2) [ 4, 6 ] 2",
      "Float64Array(2) [ 0, 1 ] 5",
      "a 2",
      "b 1",
      "3",
    ]);
  },
);

numpyTest(
  "numpy's declarations are under a megabyte, and 95 % of its callables and pandas' have their parameters",
  async () => {
    const { text, coverage } = await generateDeclarations(["numpy"]);
    assert(text.length < 1_000_000, `${text.length}`);
    const pandas = await generateDeclarations(["pandas"]);
    for (const it of [...coverage, ...pandas.coverage]) {
      assert(it.parameters / it.callables >= 0.95, JSON.stringify(it));
    }
  },
);

numpyTest(
  "scipy.optimize and matplotlib.pyplot have declarations without an error",
  async () => {
    await checkAndRun(
      ["scipy.optimize", "matplotlib.pyplot"],
      `
const { brentq } = python.import("scipy.optimize");
// @ts-expect-error misspelt
void (() => brentq((x: number) => x, 0, 1, kw({ tolerance: 1 })));
const plt = python.import("matplotlib.pyplot");
// @ts-expect-error misspelt
void (() => plt.subplots(1, 2, kw({ share: true })));
`,
    );
  },
);
