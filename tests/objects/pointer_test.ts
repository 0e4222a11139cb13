/** Pointers to Python objects, and references made of them. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { alloc, attach, PyObjectRef, python } from "../../mod.ts";
import { gone, object, scopeOfThings } from "./objects.ts";

Deno.test("the pointer is the object's address", () => {
  using list = object("[]");
  const address = Deno.UnsafePointer.value(list.pointer);
  assertEquals(
    python.eval("id(a_list)", { names: { a_list: list } }),
    Number(address),
  );
  assert(Deno.UnsafePointer.equals(list.pointer, list.pointer));
});

Deno.test("each reference to an object is one of its own", () => {
  using scope = scopeOfThings();
  python.run("thing = Thing()", { scope });
  const count = () => python.eval("sys.getrefcount(thing)", { scope });
  python.run("import sys", { scope });
  const alone = count() as number;
  const one = scope.get("thing") as PyObjectRef;
  const other = scope.get("thing") as PyObjectRef;
  assertEquals(count(), alone + 2);
  one[Symbol.dispose]();
  assertEquals(count(), alone + 1);
  python.run("del thing", { scope });
  assertEquals(gone(scope), 0);
  other[Symbol.dispose]();
  assertEquals(gone(scope), 1);
});

Deno.test("the constructor takes ownership of a reference, and adds none", () => {
  const api = Deno.dlopen(python.library, {
    Py_IncRef: { parameters: ["pointer"], result: "void" },
  });
  using scope = scopeOfThings();
  python.run("import sys\nthing = Thing()", { scope });
  const count = () => python.eval("sys.getrefcount(thing)", { scope });
  const alone = count() as number;
  {
    using thing = scope.get("thing") as PyObjectRef;
    using _attached = attach();
    api.symbols.Py_IncRef(thing.pointer);
    using adopted = new PyObjectRef(thing.pointer);
    assertEquals(count(), alone + 2);
    assertEquals(
      python.eval("given is thing", { scope, names: { given: adopted } }),
      true,
    );
    python.run("del given", { scope });
  }
  assertEquals(count(), alone);
  python.run("del thing", { scope });
  assertEquals(gone(scope), 1);
  api.close();
});

Deno.test("from makes a reference beside the one that somebody has", () => {
  using scope = scopeOfThings();
  python.run("import sys\nthing = Thing()", { scope });
  const count = () => python.eval("sys.getrefcount(thing)", { scope });
  const alone = count() as number;
  const thing = scope.get("thing") as PyObjectRef;
  const same = PyObjectRef.from(thing.pointer);
  assertEquals(count(), alone + 2);
  thing[Symbol.dispose]();
  assertEquals(count(), alone + 1);
  assertEquals(
    python.eval("same is thing", { scope, names: { same } }),
    true,
  );
  python.run("del same", { scope });
  same[Symbol.dispose]();
  assertEquals(count(), alone);
  python.run("del thing", { scope });
  assertEquals(scope.get("gone"), 1);
  assertThrows(() => PyObjectRef.from({} as never), TypeError);
  assertThrows(() => PyObjectRef.from(null as never), TypeError);
});

Deno.test("a block's pointer is owned by the reference, and the object goes with the reference", () => {
  using block = alloc(Int32Array, [1, 2, 3]);
  const seen = new PyObjectRef(block.toPython());
  assertEquals(
    python.eval("sum(memoryview(seen))", { names: { seen } }),
    6,
  );
  assertThrows(() => block.realloc(4));
  seen[Symbol.dispose]();
  assertEquals(block.realloc(4).length, 4);
});

Deno.test("the constructor takes nothing but a pointer", () => {
  using list = object("[]");
  const wrong = [
    undefined,
    null,
    0,
    1n,
    "0x1",
    {},
    [],
    new Uint8Array(8),
    new ArrayBuffer(2),
    list,
    Symbol("pointer"),
  ];
  for (const pointer of wrong) {
    assertThrows(
      () => new PyObjectRef(pointer as unknown as Deno.PointerObject),
      TypeError,
      "The pointer must be a Deno.PointerObject",
    );
  }
});
