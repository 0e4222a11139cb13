/** Sources: how they are read, compiled and kept. */

import { assert, assertEquals } from "@std/assert";
import { python, PythonScope } from "../../mod.ts";
import { assertRaises, evaluate } from "./evaluating.ts";

Deno.test("indented source is dedented, as far as all of it is indented", () => {
  using scope = new PythonScope();
  python.run(
    `

    total = 0
    # a comment
    for number in range(3):
        if number:

            total += number
  \t
    done = True
    `,
    { scope },
  );
  assertEquals([scope.get("total"), scope.get("done")], [3, true]);
  python.run("\tx = 1\n\tif x:\n\t\ty = 2\n", { scope });
  assertEquals([scope.get("x"), scope.get("y")], [1, 2]);
  python.run("    z = 3", { scope });
  assertEquals(scope.get("z"), 3);
  python.run("\r\n    w = 4\r\n    v = 5\r\n", { scope });
  assertEquals([scope.get("w"), scope.get("v")], [4, 5]);
});

Deno.test("source that begins at the margin is taken as it is", () => {
  using scope = new PythonScope();
  const text = "  indented\n    \n  text\n";
  python.run(`text = """\\\n${text}"""\nif True:\n  last = 1`, { scope });
  assertEquals(scope.get("text"), text);
  assertEquals(scope.get("last"), 1);
  assertRaises("IndentationError", () => python.run("x = 1\n  y = 2"));
  assertRaises("IndentationError", () => python.run("    x = 1\n  y = 2"));
});

Deno.test("source without statements runs", () => {
  for (
    const source of ["", "\n", "   ", "\n    \n\t\n", "# nothing", "   # x"]
  ) {
    python.run(source);
  }
});

Deno.test("space around an expression, and lines within its brackets, are taken", () => {
  assertEquals(python.eval("  1 + 2\t\n"), 3);
  assertEquals(
    python.eval(`
      (1 +
    2
       + 3)
    `),
    6,
  );
});

Deno.test("a source is text, whatever encoding it names", () => {
  using scope = new PythonScope();
  python.run("# -*- coding: latin-1 -*-\ntext = 'ü日😀'", { scope });
  assertEquals(scope.get("text"), "ü日😀");
});

Deno.test("a future statement holds for its own source only", () => {
  using scope = new PythonScope();
  const hinted = "def hinted(x: missing): pass";
  python.run(`from __future__ import annotations\n${hinted}`, { scope });
  assertEquals(
    python.eval("hinted.__annotations__['x']", { scope }),
    "missing",
  );
  const lazily = python.version.startsWith("3.11.") ||
    python.version.startsWith("3.12.") || python.version.startsWith("3.13.");
  if (lazily) assertRaises("NameError", () => python.run(hinted));
});

Deno.test("the same source gives its value each time, in whatever scope", () => {
  using one = new PythonScope();
  using other = new PythonScope();
  for (let value = 1; value <= 10; value++) {
    python.run("x = given * 2", { scope: one, names: { given: value } });
    python.run("x = given * 2", { scope: other, names: { given: -value } });
    assertEquals([one.get("x"), other.get("x")], [value * 2, -value * 2]);
    assertEquals(evaluate("x", { x: value }), value);
  }
});

Deno.test("code is compiled once", () => {
  const source = "id(__import__('sys')._getframe().f_code)";
  const first = python.eval(source);
  assertEquals(python.eval(source), first);
  assert(python.eval(`${source} + 0`) !== first);
});

Deno.test("functions that the same source makes are separate", () => {
  const source = `
    def count(seen=[]):
        seen.append(1)
        return len(seen)
    `;
  using one = new PythonScope();
  using other = new PythonScope();
  python.run(source, { scope: one });
  python.run(source, { scope: other });
  assertEquals(python.eval("count() + count()", { scope: one }), 3);
  assertEquals(python.eval("count()", { scope: other }), 1);
});

Deno.test("statements and an expression of the same text are reported apart", () => {
  using scope = new PythonScope();
  for (let time = 0; time < 3; time++) {
    python.run("6 * 7", { scope });
    assertEquals(python.eval("6 * 7", { scope }), 42);
    python.run("x = 1", { scope });
    assertRaises("SyntaxError", () => python.eval("x = 1", { scope }));
  }
});

Deno.test("more sources than are kept compiled return the value of each", () => {
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 2_000; index++) {
      assertEquals(python.eval(`${index} * 3`), index * 3);
    }
  }
});

Deno.test("sources that differ in little are reported apart", () => {
  const sources = ["'a'", "'b'", "'ä'", "'a '", "'\u0161'", "'\ua161'", "'aa'"];
  for (let round = 0; round < 3; round++) {
    for (const source of sources) {
      assertEquals(python.eval(source), source.slice(1, -1));
    }
  }
});

Deno.test("a long source runs, each time", () => {
  using scope = new PythonScope();
  // Around the length up to which compiled code is kept.
  for (const length of [16_383, 16_384, 16_385, 2_000_000]) {
    for (let time = 0; time < 2; time++) {
      const start = `x = ${length + time}\n`;
      python.run(start + "#".repeat(length - start.length), { scope });
      assertEquals(scope.get("x"), length + time);
    }
  }
  const many = Array.from({ length: 5_000 }, (_, line) => `a${line} = ${line}`);
  python.run(many.join("\n"), { scope });
  assertEquals(scope.get("a4999"), 4999);
});

Deno.test("code that raised once runs again", () => {
  using scope = new PythonScope();
  for (let time = 0; time < 2; time++) {
    assertRaises("NameError", () => python.eval("later", { scope }));
  }
  python.run("later = 1", { scope });
  assertEquals(python.eval("later", { scope }), 1);
});

Deno.test("inspect finds the source of functions, before any traceback was shown", () => {
  using scope = new PythonScope();
  python.run(
    `
    def add(one, other):
        return one + other
    square = lambda number: number ** 2
    `,
    { scope },
  );
  const sourceOf = (name: string) =>
    python.eval(`__import__('inspect').getsource(${name})`, { scope });
  assertEquals(
    sourceOf("add"),
    "def add(one, other):\n    return one + other\n",
  );
  assertEquals(sourceOf("square"), "square = lambda number: number ** 2\n");
});
