/** Objects without a counterpart, and what is refused. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  alloc,
  Block,
  ConversionError,
  FreedError,
  PyObjectRef,
  python,
  PythonScope,
  type PythonValue,
  type TypedArray,
} from "../../mod.ts";
import { evaluate } from "./table.ts";

Deno.test("a block goes without a copy, and comes back as the same block", () => {
  using block = alloc(Float64Array, [1, 2, 3]);
  assertEquals(evaluate("type(x).__name__", { x: block }), "Block");
  assertEquals(evaluate("sum(memoryview(x))", { x: block }), 6);
  const back = evaluate("x", { x: block });
  assert(back instanceof Block && back === (block as Block<TypedArray>));
});

Deno.test("any other object comes as a reference, and goes back as itself", () => {
  using scope = new PythonScope();
  const others = [
    "[1]",
    "(1, 2)",
    "{'a': 1}",
    "{1}",
    "frozenset()",
    "1j",
    "range(3)",
    "...",
    "NotImplemented",
    "bytearray(b'a')",
    "memoryview(b'a')",
    "int",
    "len",
    "lambda: 1",
    "__import__('sys')",
    "object()",
    "ValueError(1)",
    "__import__('decimal').Decimal(1)",
    "__import__('fractions').Fraction(1)",
    "__import__('datetime').date(2020, 1, 1)",
  ];
  for (const expression of others) {
    python.run(`value = ${expression}`, { scope });
    using value = scope.get("value") as PyObjectRef;
    assert(value instanceof PyObjectRef, expression);
    assertEquals(
      python.eval("given is value", { scope, names: { given: value } }),
      true,
      expression,
    );
  }
});

Deno.test("an object of a subclass comes as a reference, so that nothing of it is lost", () => {
  const objects = [
    "type('Own', (int,), {})(5)",
    "type('Own', (float,), {})(1.5)",
    "type('Own', (str,), {})('a')",
    "type('Own', (bytes,), {})(b'a')",
    "__import__('enum').IntEnum('Colour', 'RED').RED",
    "__import__('signal').SIGINT",
    "__import__('http').HTTPStatus.OK",
  ];
  for (const expression of objects) {
    using value = python.eval(expression) as PyObjectRef;
    assert(value instanceof PyObjectRef, expression);
  }
  using own = python.eval(objects[0]) as PyObjectRef;
  assertEquals(evaluate("own + 1", { own }), 6);
});

Deno.test("what only calls itself NumPy changes no value, and none of its code runs", () => {
  using scope = new PythonScope();
  python.run(
    `
    import sys, types
    NAMES = "generic", "number", "timedelta64", "bool_", "str_", "bytes_"
    ran = []
    class Raising:
        def __getattr__(self, name):
            ran.append(name)
            raise SystemExit(name)
    class Lazy(types.ModuleType):
        def __getattribute__(self, name):
            ran.append(name)
            raise MemoryError(name)
    class Checking(type):
        def __instancecheck__(self, instance):
            ran.append("instancecheck")
            return True
    class generic(metaclass=Checking):
        def item(self):
            ran.append("item")
            return 5
    for name in NAMES[1:]:
        globals()[name] = Checking(name, (generic,), {})
    class Own(number): pass
    def module(**names):
        module = types.ModuleType("numpy")
        vars(module).update(names)
        return module
    fakes = [
        None, 5, [], {}, Raising(), Lazy("numpy"),
        module(),
        module(**dict.fromkeys(NAMES, object)),
        module(**dict.fromkeys(NAMES, 5)),
        module(**dict.fromkeys(NAMES, complex)),
        module(**{name: globals()[name] for name in NAMES}),
        module(__getattr__=lambda name: ran.append(name)),
    ]
    `,
    { scope },
  );
  const objects = ["number()", "Own()", "1j", "object()", "Raising()", "[1]"];
  const count = python.eval("len(fakes)", { scope }) as number;
  try {
    for (let fake = 0; fake < count; fake++) {
      python.run("sys.modules['numpy'] = fakes[fake]", {
        scope,
        names: { fake },
      });
      for (const expression of objects) {
        using object = python.eval(expression, { scope }) as PyObjectRef;
        assert(object instanceof PyObjectRef, `${expression}, fake ${fake}`);
      }
      assertEquals(python.eval("2.5"), 2.5);
    }
  } finally {
    python.run("del sys.modules['numpy']", { scope });
  }
  assertEquals(python.eval("str(ran)", { scope }), "[]");
});

Deno.test("a bool is no int, and an int no bool", () => {
  assertEquals(evaluate("x is True", { x: true }), true);
  assertEquals(evaluate("x is True", { x: 1 }), false);
  assertEquals(python.eval("True"), true);
  assertEquals(python.eval("1 == 1"), true);
  assertEquals(python.eval("True + 0"), 1);
});

Deno.test("a value without a counterpart is a ConversionError that says what to give", () => {
  using same = python.eval("lambda value: value") as PyObjectRef;
  using scope = new PythonScope();
  class Point {}
  const cases: [unknown, string][] = [
    [[undefined], "Give null for None"],
    [new Point(), "an object (Point) has no counterpart"],
    [new String("a"), "an object (String) has no counterpart"],
    [Object(1n), "an object (BigInt) has no counterpart"],
    [Promise.resolve(1), "an object (Promise) has no counterpart"],
    [new Error("x"), "an object (Error) has no counterpart"],
    [/x/, "an object (RegExp) has no counterpart"],
    [scope, "an object (PythonScope) has no counterpart"],
    [Deno.UnsafePointer.of(new Uint8Array(1)), "has no counterpart"],
    [new URL("https://deno.com"), "is no file's"],
    [Symbol("s"), "Symbol(s) has no counterpart"],
    [() => 1, "which can't call JavaScript"],
    [class {}, "which can't call JavaScript"],
  ];
  for (const [value, hint] of cases) {
    const given = value as PythonValue;
    for (
      const give of [
        () => same.call(given),
        () => same.call(1, given),
        () => same.call({ deep: [given] }),
        () => evaluate("x", { x: given }),
      ]
    ) {
      const error = assertThrows(give, ConversionError);
      assert(error.message.includes(hint), error.message);
      assert(error.path.startsWith("$"), error.path);
    }
  }
  assertThrows(() => same.call(undefined as never), ConversionError, "None");
  assertEquals(same.call(1), 1);
});

Deno.test("what only looks like a value is refused", () => {
  const fakes = [
    Object.create(Uint8Array.prototype),
    new Proxy(new Uint8Array(2), {}),
    Object.create(PyObjectRef.prototype),
    Object.create(Block.prototype),
  ];
  for (const fake of fakes) {
    assertThrows(() => evaluate("x", { x: fake }), Error);
  }
  assertEquals(python.eval("1"), 1);
});

Deno.test("a block that is freed and a reference that is disposed are FreedErrors", () => {
  const block = alloc(Uint8Array, 3);
  block.free();
  const reference = python.eval("[]") as PyObjectRef;
  reference[Symbol.dispose]();
  using list = python.eval("[]") as PyObjectRef;
  using append = list.get("append") as PyObjectRef;
  for (const gone of [block, reference]) {
    assertThrows(() => evaluate("x", { x: gone }), FreedError);
    assertThrows(() => append.call(gone), FreedError);
  }
  assertEquals(`${list}`, "[]");
});
