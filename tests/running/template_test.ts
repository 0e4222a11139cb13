/** The template: expressions of Python's with values of JavaScript's in them. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { napi } from "../../ffi/loading/native.ts";
import {
  alloc,
  ConversionError,
  float,
  kw,
  py,
  python,
  PythonError,
  PythonScope,
  slice,
  stats,
} from "../../mod.ts";

Deno.test("values of every kind are bound, also those that need a tape", () => {
  using block = alloc(Uint8Array, [1, 2]);
  assertEquals(
    py`[type(it).__name__ for it in ${[
      null,
      true,
      1,
      float(1),
      2n ** 70n,
      "x",
      new Uint8Array(1),
      [1],
      { a: 1 },
      new Map(),
      new Set(),
      new Date(),
      block,
    ]}]`.$js(),
    [
      "NoneType",
      "bool",
      "int",
      "float",
      "int",
      "str",
      "bytes",
      "list",
      "dict",
      "dict",
      "set",
      "datetime",
      "Block",
    ],
  );
  assertEquals(py`${"abcdef"}[${slice(1, 3)}]`, "bc");
  assertEquals(py`bytes(${block})`, new Uint8Array([1, 2]));
});

Deno.test("a value is never text", () => {
  const evil = '"); __import__("os").abort(); ("';
  assertEquals(py`len(${evil})`, evil.length);
  assertEquals(py`f"{${evil}}!"`, `${evil}!`);
  assertEquals(py`[${evil} for _ in range(2)]`.$js(), [evil, evil]);
});

Deno.test("a value where Python has no expression is a SyntaxError that says which", () => {
  const places: Record<string, () => unknown> = {
    "in a string": () => py`"${1}"`,
    "in a longer string": () => py`'''a ${1}''' + "b"`,
    "in a comment": () => py`1 # ${1}`,
    "after a dot": () => py`"x".${1}`,
    "as a keyword": () => py`dict(${1}=2)`,
    "as a variable": () => py`[0 for ${1} in "ab"]`,
    "as a parameter": () => py`lambda ${1}: 0`,
    "before a walrus": () => py`(${1} := 2)`,
    "in the text of an f-string": () => py`f"${1}"`,
  };
  for (const [where, use] of Object.entries(places)) {
    const { message } = assertThrows(use, SyntaxError);
    assert(message.startsWith("Value 1 of the template"), where + message);
  }
  assertThrows(() => py`${1} + "${2}"`, SyntaxError, "Value 2");
});

Deno.test("what doesn't compile, or raises, is Python's error, and its traceback has the expression", () => {
  for (let time = 0; time < 2; time++) {
    const error = assertThrows(() => py`${1} +`, PythonError);
    assertEquals(error.type, "SyntaxError");
  }
  const error = assertThrows(() => py`${1} / ${0}`, PythonError);
  assertEquals(error.type, "ZeroDivisionError");
  assert(error.traceback.includes("_1 / _2"), error.traceback);
  assert(error.stack!.includes("template_test.ts"));
  assertThrows(() => py`none`, PythonError, "none");
});

Deno.test("values that can't be are refused, with their numbers", async () => {
  const noValue = undefined;
  assertThrows(
    () => py`[${1}, ${noValue}]`,
    ConversionError,
    "value 2",
  );
  assertThrows(() => py.js`${noValue}`, ConversionError, "value 1");
  assertThrows(() => py`dict(${kw({ a: 1 })})`, ConversionError, "name=");
  assertThrows(() => py`${Symbol()}`, ConversionError);
  assertThrows(() => py`${[1, () => {}]}`, ConversionError, "[1]");
  const rejected = await py.async`${noValue}`.catch((it) => it);
  assert(rejected instanceof ConversionError);
  for (const wrong of ["1", ["1"], null, undefined, 3, { raw: ["1"] }]) {
    assertThrows(() => py(wrong as never), TypeError, "template");
  }
});

Deno.test("expressions go over several lines, and their text is Python's", () => {
  assertEquals(
    py`
      [n
       for n in ${[1, 2, 3]}   # those that are left
       if n > 1]
    `.$js(),
    [2, 3],
  );
  assertEquals(py`"a\n\x41\\"`, "a\nA\\");
  assertEquals(py`r"\n"`, "\\n");
  assertEquals(py`"\`\${x}"`, "`${x}");
  assertEquals(py`"größe 😀" + ${"!"}`, "größe 😀!");
  assertEquals(py`(_ := 3) + _ + ${1}`, 7);
  assertEquals(py`[_1 for _1 in ${[1]}][0] + ${10}`, 11);
  assertEquals(py`(lambda x, y=${2}: x + y)(1)`, 3);
  assertEquals(py`1,`.$js(), [1]);
  assertEquals([...py`(n for n in ${[1, 2]})`], [1, 2]);
});

Deno.test("a place is compiled once, and each place for itself", () => {
  const { newFunction } = napi;
  let compiled = 0;
  napi.newFunction = (...args) => (compiled++, newFunction(...args));
  try {
    const at = (value: number) => py`${value} * 1000`;
    for (let value = 0; value < 9; value++) {
      assertEquals(at(value), value * 1000);
    }
    assertEquals(compiled, 1);
    assertEquals(py`${1} * 1000`, 1000);
    assertEquals(compiled, 2);
  } finally {
    napi.newFunction = newFunction;
  }
  using scope = new PythonScope();
  python.run("x = 1", { scope });
  const inScope = (which: PythonScope) => which.py`x`;
  assertEquals(inScope(scope), 1);
  using other = new PythonScope();
  python.run("x = 2", { scope: other });
  assertEquals([inScope(other), inScope(scope)], [2, 1]);
});

Deno.test("names are the builtins, what is put in, and those of the scope", () => {
  assertThrows(() => py`math.pi`, PythonError, "math");
  python.run("leaked = 1");
  assertThrows(() => py`leaked`, PythonError, "leaked");
  using scope = new PythonScope();
  python.run("import math\nn = 1", { scope });
  assertEquals(scope.py`math.floor(${2.5}) + n`, 3);
  scope.py`globals().update(n=${5})`;
  assertEquals(scope.get("n"), 5);
});

Deno.test("a scope keeps none of the values that are put in", async () => {
  using scope = new PythonScope();
  using block = alloc(Uint8Array, [1, 2]);
  const before = stats().references;
  assertEquals(scope.py`len(memoryview(${block}))`, 2);
  assertEquals(await scope.py.async`sum(memoryview(${block})) + ${0}`, 3);
  assertEquals(scope.py.js`sorted(globals())`, ["__builtins__", ...[
    "__doc__",
    "__loader__",
    "__name__",
    "__package__",
    "__spec__",
  ]]);
  block.realloc(4);
  // Those of the places: a function each.
  assertEquals(stats().references, before);
});

Deno.test("py.js converts in the same crossing, and by Python's own rules", () => {
  assertEquals(py.js`[${1}, (2.5, "x"), {"a": None}]`, [1, [2.5, "x"], {
    a: null,
  }]);
  assertThrows(() => py.js`[object()]`, ConversionError, "$[0]");
  const error = assertThrows(() => py.js`[1 / ${0}]`, PythonError);
  assertEquals(error.type, "ZeroDivisionError");
  assertEquals(py.js`None`, null);
});
