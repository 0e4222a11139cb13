/** Sources that Python can't compile or run. */

import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { python, PythonScope } from "../../mod.ts";
import { raised, raisedBy } from "./raising.ts";

Deno.test("source that is no Python is a SyntaxError that shows the place", () => {
  const error = raisedBy("x = 1\ny = = 2\n");
  assertEquals(error.type, "SyntaxError");
  assert(/^invalid syntax \(<python\.run \d+>, line 2\)$/.test(error.message));
  assertStringIncludes(error.traceback, "line 2\n    y = = 2\n        ^\n");
  const indented = raisedBy(`
    x = 1
    y = = 2
  `);
  assertStringIncludes(indented.traceback, "line 3\n    y = = 2\n        ^\n");
  const expressions = {
    "": "SyntaxError",
    "  \n ": "SyntaxError",
    "x = 1": "SyntaxError",
    "import sys": "SyntaxError",
    "1 +": "SyntaxError",
    "(1": "SyntaxError",
    "'open": "SyntaxError",
    "1; 2": "SyntaxError",
    "return 1": "SyntaxError",
    "\ufeff1": "SyntaxError",
  };
  for (const [source, type] of Object.entries(expressions)) {
    assertEquals(raised(() => python.eval(source)).type, type, source);
  }
});

Deno.test("the traceback of source that doesn't compile shows none of this library's frames", () => {
  for (const source of ["x = = 1", "nul\0", "  x = 1\n y = 2"]) {
    const { traceback } = raisedBy(source);
    assertEquals(traceback.includes("oneheap"), false, traceback);
    assertEquals(traceback.includes("compile_source"), false, traceback);
  }
});

Deno.test("a NUL in the source is an error of Python's", () => {
  for (const source of ["x = 1\0", "\0", "'a\0b'", "# comment \0"]) {
    for (const use of [python.run, python.eval]) {
      const { type, message } = raised(() => use(source));
      // What 3.11.3 and before raise.
      assert(type === "SyntaxError" || type === "ValueError", type);
      assertStringIncludes(message, "null bytes");
    }
  }
});

Deno.test("a lone surrogate in the source is a UnicodeEncodeError, and nothing runs", () => {
  using scope = new PythonScope();
  for (const character of ["\ud800", "\udc00", "\udfff"]) {
    for (const source of [`ran = '${character}'`, `ran = 1 # ${character}`]) {
      const { type, message } = raisedBy(source, { scope });
      assertEquals(type, "UnicodeEncodeError");
      assertStringIncludes(message, "surrogates not allowed");
    }
  }
  assertStrictEquals(scope.get("ran"), undefined);
});

Deno.test("a lone surrogate in the name of a variable that is requested is one of the name", () => {
  using scope = new PythonScope();
  assertStrictEquals(scope.get("a\ud800"), undefined);
  python.run("globals()['a' + chr(0xd800)] = 1", { scope });
  assertEquals(scope.get("a\ud800"), 1);
});

Deno.test("source that nests without end is refused", () => {
  const sources = [
    "(".repeat(100_000) + "1",
    "[".repeat(1_000) + "]".repeat(1_000),
    "-".repeat(100_000) + "1",
    "+1".repeat(100_000),
    "x" + ".x".repeat(100_000),
    "lambda: ".repeat(10_000) + "1",
  ];
  for (const source of sources) {
    const { type } = raised(() => python.eval(source));
    assert(
      ["SyntaxError", "MemoryError", "RecursionError"].includes(type),
      type,
    );
  }
});

Deno.test("recursion without end is a RecursionError", () => {
  const sources = [
    "def f(): return f()\nf()",
    "class C:\n    def __repr__(self): return repr(self)\nrepr(C())",
    "class C:\n    def __getattr__(self, name): return getattr(self, name)\nC().x",
    "def f(x): return sorted([1, 2], key=f)\nf(1)",
    "x = []\nfor _ in range(100_000): x = [x]\nrepr(x)",
  ];
  for (const source of sources) {
    assertEquals(raisedBy(source).type, "RecursionError", source);
  }
});

Deno.test("memory that there isn't is a MemoryError", () => {
  assertEquals(
    raised(() => python.eval("bytearray(2**62)")).type,
    "MemoryError",
  );
});

Deno.test("an import that fails says why", () => {
  const error = raisedBy("import no_such_module_anywhere");
  assertEquals(error.type, "ModuleNotFoundError");
  assertEquals(error.message, "No module named 'no_such_module_anywhere'");
});
