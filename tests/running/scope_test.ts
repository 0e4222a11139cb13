/** Scopes: what a run leaves to the next. */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  FreedError,
  type PyObjectRef,
  python,
  PythonScope,
} from "../../mod.ts";
import { assertRaises, evaluate } from "./evaluating.ts";

Deno.test("eval returns the value of an expression, run nothing", () => {
  assertEquals(python.eval("1 + 1"), 2);
  assertEquals(python.eval("'a' + 'b'"), "ab");
  assertStrictEquals(python.run("1 + 1"), undefined);
  assertStrictEquals(python.run("x = 1"), undefined);
});

Deno.test("run and eval need no object to be called on", () => {
  const { eval: evaluate, run } = python;
  run("pass");
  assertEquals(evaluate("2 * 3"), 6);
});

Deno.test("a run without a scope leaves no variable to the next", () => {
  python.run("leftover = 1\nimport json\ndef helper(): pass");
  for (const name of ["leftover", "json", "helper"]) {
    assertRaises("NameError", () => python.eval(name));
  }
  assertEquals(evaluate("','.join(globals())"), "__builtins__,__name__");
  assertEquals(
    evaluate("','.join(globals())", { mine: 1 }),
    "__builtins__,__name__,mine",
  );
});

Deno.test("a run without a scope leaves nothing in Python's own __main__", () => {
  python.run("leftover = 1");
  assertEquals(evaluate("hasattr(__import__('__main__'), 'leftover')"), false);
});

Deno.test("code without a scope finds what it does in a script: builtins, __name__, and one scope for globals and locals", () => {
  assertEquals(evaluate("__name__"), "__main__");
  assertEquals(evaluate("len(str(print)) > 0"), true);
  assertEquals(evaluate("globals() is locals()"), true);
  assertEquals(evaluate("[x for _ in range(1)][0]", { x: 5 }), 5);
  assertEquals(
    evaluate(
      "type('Outer', (), {'found': [__name__, x]}).found == ['__main__', 1]",
      { x: 1 },
    ),
    true,
  );
});

Deno.test("a scope keeps variables, functions, classes and imports between runs", () => {
  using scope = new PythonScope();
  python.run(
    "import math\nbase = 2\ndef power(n): return base ** n\nclass Box: size = 3",
    { scope },
  );
  assertEquals(python.eval("power(10)", { scope }), 1024);
  assertEquals(python.eval("math.floor(2.5) + Box.size", { scope }), 5);
  python.run("base = 3", { scope });
  assertEquals(python.eval("power(2)", { scope }), 9);
  python.run("del base", { scope });
  assertRaises("NameError", () => python.eval("power(2)", { scope }));
});

Deno.test("an expression can set a variable of its scope", () => {
  using scope = new PythonScope();
  assertEquals(python.eval("(found := 7) + 1", { scope }), 8);
  assertEquals(scope.get("found"), 7);
});

Deno.test("what a run did before it raised stays in its scope", () => {
  using scope = new PythonScope();
  assertRaises(
    "ZeroDivisionError",
    () => python.run("before = 1\n1 / 0\nafter = 2", { scope }),
  );
  assertEquals(scope.get("before"), 1);
  assertEquals(scope.get("after"), undefined);
});

Deno.test("scopes don't see each other", () => {
  using one = new PythonScope();
  using other = new PythonScope();
  python.run("x = 1", { scope: one });
  python.run("x = 2", { scope: other });
  assertEquals([one.get("x"), other.get("x")], [1, 2]);
  python.run("y = 3", { scope: one });
  assertStrictEquals(other.get("y"), undefined);
});

Deno.test("a scope tells a variable, None as null, and undefined for what isn't there", () => {
  using scope = new PythonScope();
  python.run("number = 1.5\nnothing = None\nthings = [1]", { scope });
  assertEquals(scope.get("number"), 1.5);
  assertStrictEquals(scope.get("nothing"), null);
  assertStrictEquals(scope.get("missing"), undefined);
  assertStrictEquals(scope.get(""), undefined);
  assertStrictEquals(scope.get("len"), undefined);
  using things = scope.get("things") as PyObjectRef;
  assertEquals(`${things}`, "[1]");
  for (const name of [undefined, 1, null, Symbol("x")]) {
    assertThrows(
      () => scope.get(name as unknown as string),
      TypeError,
      "The name must be a string",
    );
  }
});

Deno.test("a scope works again after its code emptied it", () => {
  using scope = new PythonScope();
  python.run("x = 1\nglobals().clear()", { scope });
  assertStrictEquals(scope.get("x"), undefined);
  python.run("x = len('abc')", { scope });
  assertEquals(scope.get("x"), 3);
});

Deno.test("a scope that is disposed is refused, and disposing it twice does nothing", () => {
  const scope = new PythonScope();
  assertEquals(scope.disposed, false);
  scope[Symbol.dispose]();
  assertEquals(scope.disposed, true);
  scope[Symbol.dispose]();
  for (
    const use of [
      () => python.run("pass", { scope }),
      () => python.eval("1", { scope }),
      () => scope.get("x"),
    ]
  ) {
    assertThrows(use, FreedError, "This scope was disposed");
  }
  assertEquals(python.eval("1"), 1);
});

Deno.test("disposing a scope releases its variables at once, also of those that refer to the scope", () => {
  using watch = new PythonScope();
  const scope = new PythonScope();
  python.run(
    `
    import weakref
    class Thing: pass
    thing = Thing()
    def function(): return thing
    gone = []
    for each in (thing, function):
        weakref.finalize(each, gone.append, 1)
    del each
    `,
    { scope },
  );
  const gone = scope.get("gone") as PyObjectRef;
  using function_ = scope.get("function") as PyObjectRef;
  scope[Symbol.dispose]();
  assertEquals(
    python.eval("len(gone)", { scope: watch, names: { gone } }),
    1,
    "the thing is gone, the function isn't",
  );
  assertRaises("NameError", () => function_.call());
  gone[Symbol.dispose]();
});
