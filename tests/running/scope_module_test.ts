/** Scopes as modules: what Python finds by a module's name. */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  FreedError,
  type PyObjectRef,
  python,
  PythonError,
  PythonScope,
} from "../../mod.ts";
import { collectGarbage, until } from "../support/collection.ts";
import { run } from "../support/process.ts";
import { evaluate } from "./evaluating.ts";

/** Return whether there is a module of a name. */
function isModule(name: string): boolean {
  return evaluate("name in __import__('sys').modules", { name }) as boolean;
}

Deno.test("a scope is a module of its own name until it is disposed", () => {
  const scope = new PythonScope();
  const name = python.eval("__name__", { scope }) as string;
  assertMatch(name, /^oneheap_scope_[0-9]+$/);
  python.run("x = 1", { scope });
  assertEquals(evaluate("__import__(name).x", { name }), 1);
  assertEquals(
    python.eval("__import__('sys').modules[__name__].__dict__ is globals()", {
      scope,
    }),
    true,
  );
  scope[Symbol.dispose]();
  assertEquals(isModule(name), false);
});

Deno.test("a scope has the name that it is given, and code imports it by that", () => {
  using scope = new PythonScope({ name: "given_name" });
  python.run("def answer(): return 42", { scope });
  assertEquals(python.eval("__name__", { scope }), "given_name");
  using other = new PythonScope();
  python.run("from given_name import answer\nfound = answer()", {
    scope: other,
  });
  assertEquals(other.get("found"), 42);
});

Deno.test("a scope's name is set in the form in which Python has it", () => {
  using _scope = new PythonScope({ name: "\ufb01le" });
  assert(isModule("file"));
});

Deno.test("a name that another module has is refused, and that module stays", () => {
  using first = new PythonScope({ name: "taken_name" });
  python.run("x = 1", { scope: first });
  // `wave` isn't imported, but could be.
  for (const name of ["taken_name", "sys", "__main__", "wave"]) {
    assertThrows(
      () => new PythonScope({ name }),
      RangeError,
      `Python has a module of the name "${name}" already. Give another one, or dispose the scope that has it`,
    );
  }
  assertEquals(evaluate("__import__('taken_name').x"), 1);
  first[Symbol.dispose]();
  using _again = new PythonScope({ name: "taken_name" });
});

Deno.test("a scope's name that is no identifier is refused", () => {
  for (const name of ["", "a.b", "a b", "1a", "a\0"]) {
    assertThrows(
      () => new PythonScope({ name }),
      RangeError,
      "The name must be a Python identifier",
    );
  }
  for (const name of [1, null, {}]) {
    assertThrows(
      () => new PythonScope({ name: name as unknown as string }),
      TypeError,
      "The name must be a string",
    );
  }
  assertThrows(
    () => new PythonScope(null as unknown as undefined),
    TypeError,
    "The options must be an object",
  );
});

Deno.test("functions, classes and their objects of a scope are pickled", () => {
  using scope = new PythonScope();
  python.run(
    `
import pickle
def double(x): return 2 * x
class Point:
    class Inner: pass
    def __init__(self, x): self.x = x
copy = pickle.loads(pickle.dumps([double, Point, Point.Inner, Point(3)]))
`,
    { scope },
  );
  assertEquals(
    python.eval(
      "copy[:3] == [double, Point, Point.Inner] and type(copy[3]) is Point and copy[3].x",
      { scope },
    ),
    3,
  );
});

Deno.test("type hints of a scope are resolved, those of strings too", () => {
  using scope = new PythonScope();
  python.run(
    `
from __future__ import annotations
import dataclasses, typing
@dataclasses.dataclass
class Node:
    next: "Node"
    kind: typing.ClassVar[int] = 1
def walk(node: Node) -> list[Node]: pass
`,
    { scope },
  );
  assertEquals(
    python.eval(
      "typing.get_type_hints(Node)['next'] is Node and typing.get_type_hints(walk) == {'node': Node, 'return': list[Node]}",
      { scope },
    ),
    true,
  );
  assertEquals(
    python.eval("[field.name for field in dataclasses.fields(Node)]", {
      scope,
      toJs: true,
    }),
    ["next"],
  );
});

Deno.test("inspect finds the source of functions, and of the classes of the last run that makes some", () => {
  using scope = new PythonScope();
  python.run("import inspect\ndef first(): return 1", { scope });
  python.run("class Shape:\n    sides = 0\n    def area(self): return 0", {
    scope,
  });
  python.run("def last(): return 3", { scope });
  const sourceOf = (what: string) =>
    python.eval(`inspect.getsource(${what})`, { scope });
  assertEquals(sourceOf("first"), "def first(): return 1\n");
  assertEquals(sourceOf("last"), "def last(): return 3\n");
  assertEquals(sourceOf("Shape.area"), "    def area(self): return 0\n");
  assertEquals(
    sourceOf("Shape"),
    "class Shape:\n    sides = 0\n    def area(self): return 0\n",
  );
});

Deno.test("inspect finds the source where lines of strings end otherwise", () => {
  using scope = new PythonScope();
  python.run(
    "import inspect\r\nodd = '\f\u2028\x1c\x85'\rdef last():\r\n  return 3",
    { scope },
  );
  assertEquals(
    python.eval("inspect.getsource(last)", { scope }),
    "def last():\n  return 3\n",
  );
  python.run("def fails():\n    '\u2028'\n    1 / 0", { scope });
  const error = assertThrows(
    () => python.run("fails()", { scope }),
    PythonError,
  );
  assertMatch(error.traceback!, /, line 3, in fails\n {4}1 \/ 0\n/);
});

Deno.test("a __file__ of the program's own stays", () => {
  using scope = new PythonScope();
  const names = { __file__: "/folder/mine.py" };
  python.run("class Shape: pass", { scope, names });
  assertEquals(scope.get("__file__"), "/folder/mine.py");
});

Deno.test("an error of a scope's class has the scope's name only if that was given", () => {
  for (const [name, type] of [[undefined, "Mine"], ["named", "named.Mine"]]) {
    using scope = new PythonScope(name === undefined ? {} : { name });
    python.run("class Mine(Exception): pass", { scope });
    const error = assertThrows(
      () => python.run("raise Mine('text')", { scope }),
      PythonError,
    );
    assertEquals(error.type, type);
    using object = python.eval("Mine()", { scope }) as PyObjectRef;
    assertEquals(object.type, type);
  }
});

Deno.test("a module that code puts into the place of a scope's stays", () => {
  const scope = new PythonScope();
  const name = python.eval("__name__", { scope }) as string;
  using kept = new PythonScope();
  python.run("import sys\nother = sys.modules[name] = type(sys)('other')", {
    scope: kept,
    names: { name },
  });
  scope[Symbol.dispose]();
  assertEquals(
    python.eval("sys.modules.pop(name) is other", {
      scope: kept,
      names: { name },
    }),
    true,
  );
});

Deno.test("a scope whose module code takes away runs on", () => {
  const scope = new PythonScope();
  python.run("import sys\ndel sys.modules[__name__]\nx = 1", { scope });
  assertEquals(python.eval("x + 1", { scope }), 2);
  scope[Symbol.dispose]();
  assertThrows(() => scope.get("x"), FreedError);
});

Deno.test("the module of a scope that was lost is taken away", async () => {
  const names: string[] = [];
  const lose = () => {
    const scope = new PythonScope();
    names.push(python.eval("__name__", { scope }) as string);
  };
  for (let index = 0; index < 20; index++) lose();
  // The youngest may still be on V8's stack.
  await until(() => names.filter(isModule).length <= 1, "no modules of scopes");
});

Deno.test("a scope that is lost while code runs in it stays a module until that ends", async () => {
  const run = (() => {
    const scope = new PythonScope();
    return python.evalAsync(
      "[__import__('time').sleep(0.2), __name__ in __import__('sys').modules][1]",
      { scope },
    );
  })();
  collectGarbage();
  assertEquals(await run, true);
});

Deno.test("the module of a scope goes with the Worker that it is of", async () => {
  const { code, stdout, stderr } = await run(`
    import { python } from "@oneheap/oneheap";
    const worker = new Worker("data:text/javascript," + encodeURIComponent(\`
      import { PythonScope } from "@oneheap/oneheap";
      globalThis.scope = new PythonScope({ name: "of_a_worker" });
      postMessage("there");
    \`), { type: "module" });
    await new Promise((resolve) => worker.onmessage = resolve);
    const isModule = () => python.eval("'of_a_worker' in __import__('sys').modules");
    const before = isModule();
    worker.terminate();
    while (isModule()) await new Promise((resolve) => setTimeout(resolve, 5));
    console.log(before, isModule());
  `);
  assertEquals([code, stdout], [0, "true false\n"], stderr);
});
