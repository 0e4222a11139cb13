import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  Arena,
  type ArenaOptions,
  attach,
  FreedError,
  type PyObjectRef,
  python,
  PythonError,
  PythonScope,
  type PythonValue,
  type RunOptions,
} from "../../mod.ts";
import { HAS_GIL, leavesNothingInPython } from "../support/helpers.ts";

/** Evaluates in a fresh scope that holds the names. */
function evaluate(
  source: string,
  names?: Record<string, PythonValue>,
): PythonValue {
  return python.eval(source, { names });
}

/** Fails unless the code raises an exception of that type. */
function assertRaises(type: string, run: () => unknown): void {
  assertEquals(assertThrows(run, PythonError).type, type);
}

Deno.test("eval gives what an expression comes to, run nothing", () => {
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

Deno.test("code finds what it does in a script: builtins, __name__, and one scope for globals and locals", () => {
  assertEquals(evaluate("__name__"), "__main__");
  assertEquals(evaluate("len(str(print)) > 0"), true);
  assertEquals(evaluate("globals() is locals()"), true);
  assertEquals(evaluate("[x for _ in range(1)][0]", { x: 5 }), 5);
  using scope = new PythonScope();
  python.run("class Outer:\n    found = [__name__, x]", {
    scope,
    names: { x: 1 },
  });
  assertEquals(python.eval("str(Outer.found)", { scope }), "['__main__', 1]");
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

Deno.test("disposing a scope lets go of its variables at once, also of those that refer to the scope", () => {
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

Deno.test("names are set before the code runs, and stay in a scope that was given", () => {
  using scope = new PythonScope();
  python.run("area = width * height", {
    scope,
    names: { width: 3, height: 4 },
  });
  assertEquals(["area", "width"].map((name) => scope.get(name)), [12, 3]);
  assertEquals(python.eval("width", { scope, names: { width: 5 } }), 5);
  assertEquals(python.eval("width", { scope }), 5);
  assertEquals(python.eval("width", { scope, names: {} }), 5);
});

Deno.test("a name of any alphabet is found, in the form that Python gives it", () => {
  using scope = new PythonScope();
  const names = { größe: 1, 変数: 2, Ω: 3, _: 4, "𝐱": 5, x1: 6, ﬁn: 7 };
  for (const [name, value] of Object.entries(names)) {
    python.run("pass", { scope, names: { [name]: value } });
    assertEquals(python.eval(name, { scope }), value);
    assertEquals(scope.get(name), value);
  }
  assertEquals([scope.get("x"), scope.get("fin")], [5, 7]);
  python.run("ﬀ = 8", { scope });
  assertEquals(scope.get("ff"), 8);
});

Deno.test("a name that is no identifier is a RangeError, and nothing is set or run", () => {
  using scope = new PythonScope();
  const wrong = [
    "",
    "1a",
    "a b",
    "a-b",
    "a.b",
    "a\0",
    "a\n",
    " a",
    "💥",
    "a\ud800",
    "\udc00",
    "()",
    "²",
  ];
  for (const name of wrong) {
    const names = { good: 1, [name]: 2 };
    const error = assertThrows(
      () => python.run("ran = True", { scope, names }),
      RangeError,
      "The names must be Python identifiers",
    );
    assert(error.message.includes(JSON.stringify(name)), error.message);
    assertEquals(evaluate("name.isidentifier()", { name: "good" }), true);
    assertStrictEquals(scope.get("good"), undefined);
    assertStrictEquals(scope.get("ran"), undefined);
  }
});

Deno.test("a value that can't go to Python is told before anything is set or run", () => {
  using scope = new PythonScope();
  const bad = undefined as unknown as PythonValue;
  assertThrows(
    () => python.run("ran = True", { scope, names: { good: 1, bad } }),
    TypeError,
  );
  const throwing = {
    good: 1,
    get bad(): PythonValue {
      throw new Error("thrown by a getter");
    },
  };
  assertThrows(
    () => python.run("ran = True", { scope, names: throwing }),
    Error,
    "thrown by a getter",
  );
  assertStrictEquals(scope.get("good"), undefined);
  assertStrictEquals(scope.get("ran"), undefined);
});

Deno.test("many names are set", () => {
  const names = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, index) => [`name_${index}`, index]),
  );
  assertEquals(
    evaluate("sum(v for k, v in globals().items() if k[0] == 'n')", names),
    49_995_000,
  );
});

Deno.test("a source or a scope of another kind is a TypeError", () => {
  for (const source of [undefined, null, 1, {}, ["1"], Symbol("1")]) {
    for (const use of [python.run, python.eval]) {
      assertThrows(
        () => use(source as unknown as string),
        TypeError,
        "The source must be a string",
      );
    }
  }
  using list = python.eval("[]") as PyObjectRef;
  for (const scope of [null, {}, "scope", 1, list, PythonScope]) {
    assertThrows(
      () => python.run("pass", { scope } as unknown as RunOptions),
      TypeError,
      "The scope must be a PythonScope",
    );
  }
});

Deno.test("options that are null are a TypeError", async () => {
  const options = null as unknown as RunOptions;
  const isRefused = [TypeError, "The options must be an object"] as const;
  assertThrows(() => python.run("pass", options), ...isRefused);
  assertThrows(() => python.eval("1", options), ...isRefused);
  assertThrows(() => python.borrow("bytearray(1)", options), ...isRefused);
  assertThrows(() => new Arena(options as ArenaOptions), ...isRefused);
  await assertRejects(() => python.runAsync("pass", options), ...isRefused);
});

Deno.test("names that are no object of names and values are a TypeError", () => {
  for (const names of [null, "x", 1, ["x", 1], new Map([["x", 1]])]) {
    assertThrows(
      () => python.run("pass", { names } as unknown as RunOptions),
      TypeError,
      "The names must be an object",
    );
  }
});

Deno.test("what only looks like a scope is a TypeError", () => {
  const scope = Object.create(PythonScope.prototype) as PythonScope;
  assertThrows(() => python.run("pass", { scope }), TypeError);
  assertThrows(() => scope.get("x"), TypeError);
});

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

Deno.test("the same source gives what it comes to each time, in whatever scope", () => {
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

Deno.test("statements and an expression of the same text are told apart", () => {
  using scope = new PythonScope();
  for (let time = 0; time < 3; time++) {
    python.run("6 * 7", { scope });
    assertEquals(python.eval("6 * 7", { scope }), 42);
    python.run("x = 1", { scope });
    assertRaises("SyntaxError", () => python.eval("x = 1", { scope }));
  }
});

Deno.test("more sources than are kept compiled give what each comes to", () => {
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 2_000; index++) {
      assertEquals(python.eval(`${index} * 3`), index * 3);
    }
  }
});

Deno.test("sources that differ in little are told apart", () => {
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

Deno.test("code runs within an attachment", () => {
  using _outer = attach();
  using _inner = attach();
  assertEquals(python.eval("1 + 1"), 2);
  assertRaises("ZeroDivisionError", () => python.run("1 / 0"));
});

Deno.test("a signal that is aborted keeps code from beginning", () => {
  using scope = new PythonScope();
  const reason = new Error("no more");
  for (const use of [python.run, python.eval]) {
    const signal = AbortSignal.abort(reason);
    const thrown = assertThrows(() => use("(ran := 1)", { scope, signal }));
    assertStrictEquals(thrown, reason);
  }
  assertStrictEquals(scope.get("ran"), undefined);
  assertThrows(
    () => python.run("ran = 1", { scope, signal: AbortSignal.abort() }),
    DOMException,
  );
  assertStrictEquals(scope.get("ran"), undefined);
});

Deno.test("a signal that is aborted while the names are asked for keeps code from beginning", () => {
  using scope = new PythonScope();
  const controller = new AbortController();
  const names = {
    get given() {
      controller.abort(new Error("by a getter"));
      return 1;
    },
  };
  assertThrows(
    () => python.run("ran = 1", { scope, names, signal: controller.signal }),
    Error,
    "by a getter",
  );
  assertStrictEquals(scope.get("ran"), undefined);
});

Deno.test("a signal that is aborted later, or meanwhile, doesn't end a run that JavaScript waits for", async () => {
  const controller = new AbortController();
  using scope = new PythonScope();
  python.run("first = 1", { scope, signal: controller.signal });
  controller.abort();
  assertEquals(scope.get("first"), 1);
  const signal = AbortSignal.timeout(1);
  python.run("import time\ntime.sleep(0.01)\nfor _ in range(1000): pass", {
    signal,
  });
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert(signal.aborted);
  assertEquals(python.eval("sum(range(1000))"), 499_500);
});

Deno.test("a key of a scope that can't be compared with a name is the error, and no name is set", () => {
  using scope = new PythonScope();
  python.run(
    `
    class Key:
        def __hash__(self): return hash("x")
        def __eq__(self, other): raise LookupError("not comparable")
    globals()[Key()] = 1
    `,
    { scope },
  );
  const several: Record<string, PythonValue>[] = [
    { x: 1 },
    { x: 1, other: 2 },
    { other: 2, x: 1 },
  ];
  for (const names of several) {
    const error = assertThrows(
      () => python.eval("1", { scope, names }),
      PythonError,
      "not comparable",
    );
    assertEquals(error.type, "LookupError");
    assertEquals(scope.get("other"), undefined);
  }
});

Deno.test("running code leaves nothing in Python", async () => {
  await leavesNothingInPython(() => {
    python.run("x = [1]");
    python.eval("x", { names: { x: 2.5 } });
    using scope = new PythonScope();
    python.run("y = [given]", { scope, names: { given: "text" } });
    // Without the GIL, 3.13 keeps functions for good.
    if (HAS_GIL) {
      python.run("def function(): return x\nx = function");
      python.run("def function(): return y", { scope });
    }
    scope.get("given");
    scope.get("missing");
  });
});

Deno.test("a scope that is lost is let go", async () => {
  await leavesNothingInPython(() => {
    const scope = new PythonScope();
    python.run("x = [1, 2, 3]", { scope });
  }, { repetitions: 1_000 });
});
