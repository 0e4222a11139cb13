/** The names that are set before code runs. */

import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  python,
  PythonError,
  PythonScope,
  type PythonValue,
} from "../../mod.ts";
import { evaluate } from "./evaluating.ts";

Deno.test("names are set before the code runs, and stay in a scope that was passed", () => {
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

Deno.test("a value that can't go to Python is reported before anything is set or run", () => {
  using scope = new PythonScope();
  const bad = [Symbol("bad")];
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
