/** What is done by a reference to a Python object. */

import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  alloc,
  attach,
  ConversionError,
  type PyObjectRef,
  python,
  PythonError,
  PythonScope,
} from "../../mod.ts";
import { leavesNothingInPython } from "../support/collection.ts";
import { object } from "./objects.ts";

/** Fails unless it raises an exception of that type; returns the message. */
function assertRaises(type: string, run: () => unknown): string {
  const error = assertThrows(run, PythonError);
  assertEquals(error.type, type);
  return error.message;
}

Deno.test("an object is called with any number of arguments, in order", () => {
  using joined = object("lambda *given: ','.join(map(str, given))");
  // Around the number of arguments that are taken without asking how many there are.
  for (const count of [0, 1, 2, 3, 6, 7, 8, 9, 10, 100, 10_000]) {
    const given = Array.from({ length: count }, (_, index) => index);
    assertEquals(joined.call(...given), given.join());
  }
});

Deno.test("functions, methods, classes and whatever else can be called are called", () => {
  using length = object("len");
  assertEquals(length.call("four"), 4);
  using upper = object("'text'.upper");
  assertEquals(upper.call(), "TEXT");
  using makeComplex = object("complex");
  using complex = makeComplex.call(1, 2) as PyObjectRef;
  assertEquals(`${complex}`, "(1+2j)");
  using partial = object(
    "__import__('functools').partial(dict, key='given')",
  );
  using dictionary = partial.call() as PyObjectRef;
  assertEquals(`${dictionary}`, "{'key': 'given'}");
  using instance = object(
    "type('C', (), {'__call__': lambda self, x: x + 1})()",
  );
  assertEquals(instance.call(1), 2);
});

Deno.test("arguments of every kind arrive, and the result comes back", () => {
  using same = object("lambda *given: given");
  using list = object("[]");
  using block = alloc(Uint8Array, 2);
  using given = same.call(
    null,
    true,
    1,
    2n ** 70n,
    1.5,
    "text",
    new Uint8Array([1]),
    list,
    block,
  ) as PyObjectRef;
  assertEquals(
    python.eval("','.join(type(it).__name__ for it in given)", {
      names: { given },
    }),
    "NoneType,bool,int,int,float,str,bytes,list,Block",
  );
  assertEquals(
    python.eval("given[7] is a_list", { names: { given, a_list: list } }),
    true,
  );
});

Deno.test("a call that raises is a PythonError, and the object is called again", () => {
  using parse = object("int");
  const message = assertRaises("ValueError", () => parse.call("twelve"));
  assert(message.includes("'twelve'"), message);
  assertEquals(parse.call("12"), 12);
  assertRaises("TypeError", () => parse.call(1, 2, 3));
  using list = object("[]");
  assertEquals(
    assertRaises("TypeError", () => list.call()),
    "'list' object is not callable",
  );
});

Deno.test("get returns an attribute, as the value that it is", () => {
  using thing = object(
    "__import__('types').SimpleNamespace(number=1, text='a', nothing=None, things=[1], größe=2)",
  );
  assertEquals(thing.get("number"), 1);
  assertEquals(thing.get("text"), "a");
  assertStrictEquals(thing.get("nothing"), null);
  assertEquals(thing.get("größe"), 2);
  using things = thing.get("things") as PyObjectRef;
  using append = things.get("append") as PyObjectRef;
  append.call(2);
  assertEquals(`${things}`, "[1, 2]");
});

Deno.test("get of an attribute that isn't there is an AttributeError, and what a property raises is reported", () => {
  using thing = object(
    "type('Thing', (), {'broken': property(lambda self: 1 / 0)})()",
  );
  assertEquals(
    assertRaises("AttributeError", () => thing.get("missing")),
    "'Thing' object has no attribute 'missing'",
  );
  assertRaises("ZeroDivisionError", () => thing.get("broken"));
  assertRaises("AttributeError", () => thing.get(""));
  assertRaises("AttributeError", () => thing.get("nul\0"));
  assertRaises("AttributeError", () => thing.get("\ud800"));
  python.run(
    "setattr(thing, 'no identifier', 1); setattr(thing, chr(0xd800), 2)",
    { names: { thing } },
  );
  assertEquals(thing.get("no identifier"), 1);
  assertEquals(thing.get("\ud800"), 2);
  for (const name of [undefined, null, 1, {}, Symbol("x")]) {
    assertThrows(
      () => thing.get(name as unknown as string),
      TypeError,
      "The attribute must be a string",
    );
  }
});

Deno.test("toString is what str() says", () => {
  using thing = object(
    "type('T', (), {'__str__': lambda self: 'ü😀', '__repr__': lambda self: 'no'})()",
  );
  assertEquals(thing.toString(), "ü😀");
  assertEquals(`${thing}`, "ü😀");
  assertEquals(String(thing), "ü😀");
  using list = object("[1, 'a', None]");
  assertEquals(`${list}`, "[1, 'a', None]");
  using own = object("type('Own', (str,), {})('of a subclass')");
  assertEquals(`${own}`, "of a subclass");
});

Deno.test("what __str__ raises is reported, and lone surrogates that it returns come as they are", () => {
  const says = (what: string) =>
    object(`type('T', (), {'__str__': lambda self: ${what}})()`);
  using raises = says("1 / 0");
  assertRaises("ZeroDivisionError", () => `${raises}`);
  using number = says("1");
  assertRaises("TypeError", () => `${number}`);
  using surrogate = says("chr(0xd800)");
  assertEquals(`${surrogate}`, "\ud800");
  assertEquals(python.eval("1"), 1);
});

Deno.test("the console shows an object as Python does, and never raises", () => {
  const list = object("[1, 'two']");
  assertEquals(Deno.inspect(list), "PyObjectRef [1, 'two']");
  list[Symbol.dispose]();
  assertEquals(Deno.inspect(list), "PyObjectRef (disposed)");
  using broken = object("type('T', (), {'__str__': lambda self: 1 / 0})()");
  assertEquals(Deno.inspect(broken), "PyObjectRef (its str() raises)");
  assertThrows(() => JSON.stringify(broken), ConversionError, "type T");
});

Deno.test("references leave nothing in Python", async () => {
  using scope = new PythonScope();
  python.run(
    `
    class Thing:
        attribute = [1]
        def method(self, *given): return object()
        def raises(self, *given): raise ValueError(given)
    `,
    { scope },
  );
  await leavesNothingInPython(() => {
    using thing = python.eval("Thing()", { scope }) as PyObjectRef;
    using method = thing.get("method") as PyObjectRef;
    using raises = thing.get("raises") as PyObjectRef;
    using _attribute = thing.get("attribute") as PyObjectRef;
    using _result = method.call(thing, method, 1.5) as PyObjectRef;
    assertThrows(() => raises.call(thing, [1] as unknown as string));
    assertThrows(() => raises.call(thing, "\ud800", 2.5), PythonError);
    assertThrows(() => raises.call(thing, 1.5), PythonError);
    assertThrows(() => thing.get("missing"), PythonError);
    assertThrows(() => thing.call(1.5), PythonError);
    `${thing}`;
    thing.pointer;
  }, { repetitions: 1_000 });
});

Deno.test("references leave nothing in Python while the thread is attached", async () => {
  using _attached = attach();
  await leavesNothingInPython(() => {
    const list = python.eval("[1.5]") as PyObjectRef;
    using _copy = (list.get("copy") as PyObjectRef).call() as PyObjectRef;
    list[Symbol.dispose]();
  });
});
