/** How long a reference keeps its object alive. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  alloc,
  attach,
  type Block,
  FreedError,
  type PyObjectRef,
  python,
  PythonScope,
} from "../../mod.ts";
import { HAS_GIL } from "../support/build.ts";
import { collectGarbage, until } from "../support/collection.ts";
import { gone, object, scopeOfThings } from "./objects.ts";

/**
 * A function that makes things, each with an index: its element of the block is 1 once it is no more. JavaScript sees that
 * without asking Python, which would decref whatever waits for that.
 */
function makerOfFlagged(
  flags: Block<Uint8Array<ArrayBuffer>>,
  scope: PythonScope,
): PyObjectRef {
  python.run(
    `
    import weakref
    view = memoryview(flags)
    def make(index):
        thing = Thing()
        weakref.finalize(thing, view.__setitem__, index, 1)
        return thing
    `,
    { scope, names: { flags } },
  );
  return scope.get("make") as PyObjectRef;
}

Deno.test("a reference that is disposed is refused, and disposing it twice does nothing", () => {
  using scope = scopeOfThings();
  const thing = python.eval("Thing()", { scope }) as PyObjectRef;
  assertEquals(thing.disposed, false);
  thing[Symbol.dispose]();
  assertEquals(thing.disposed, true);
  assertEquals(gone(scope), 1);
  thing[Symbol.dispose]();
  assertEquals(gone(scope), 1);
  using same = object("lambda given: given");
  const uses = [
    () => thing.call(),
    () => thing.call(1, 2, 3),
    () => thing.get("x"),
    () => thing.toString(),
    () => thing.pointer,
    () => same.call(thing),
    () => python.eval("thing", { names: { thing } }),
    () => python.borrow(thing),
  ];
  for (const use of uses) {
    assertThrows(use, FreedError, "was disposed");
  }
  assertEquals(python.eval("1"), 1);
});

Deno.test("a reference keeps its object alive when Python has released it", () => {
  using scope = scopeOfThings();
  const thing = python.eval("Thing()", { scope }) as PyObjectRef;
  python.run("import gc; gc.collect()");
  collectGarbage();
  assertEquals(gone(scope), 0);
  assert(`${thing}`.includes("Thing object at"));
  thing[Symbol.dispose]();
  assertEquals(gone(scope), 1);
});

Deno.test("a reference outlives the scope that it came from", () => {
  let list: PyObjectRef;
  {
    using scope = new PythonScope();
    python.run("things = [1, 2]", { scope });
    list = scope.get("things") as PyObjectRef;
  }
  assertEquals(`${list}`, "[1, 2]");
  list[Symbol.dispose]();
});

Deno.test("Python keeps an object whose reference is disposed", () => {
  using scope = scopeOfThings();
  python.run("thing = Thing()", { scope });
  (scope.get("thing") as PyObjectRef)[Symbol.dispose]();
  assertEquals(gone(scope), 0);
  python.run("del thing", { scope });
  assertEquals(gone(scope), 1);
});

Deno.test("an object goes with the last of many references, in whatever order they are disposed", () => {
  using scope = scopeOfThings();
  python.run("things = [Thing() for _ in range(100)]", { scope });
  const references: PyObjectRef[] = [];
  for (let round = 0; round < 20; round++) {
    for (let index = 0; index < 100; index++) {
      const thing = python.eval(`things[${index}]`, { scope });
      references.push(thing as PyObjectRef);
    }
  }
  python.run("del things", { scope });
  // 977 is prime, so this takes each of the 2,000 once.
  for (let step = 0; step < references.length; step++) {
    assert(gone(scope) < 100);
    references[step * 977 % references.length][Symbol.dispose]();
  }
  assertEquals(gone(scope), 100);
});

Deno.test("disposing a reference releases the object before it returns", () => {
  using scope = scopeOfThings();
  using flags = alloc(Uint8Array, 100);
  using make = makerOfFlagged(flags, scope);
  // Attached, for then no other thread decrefs it meanwhile.
  using _attached = attach();
  for (let index = 0; index < 100; index++) {
    const thing = make.call(index) as PyObjectRef;
    assertEquals(flags.view[index], 0);
    thing[Symbol.dispose]();
    assertEquals(flags.view[index], 1);
  }
});

Deno.test({
  name: "lost references are released, without a call of JavaScript's",
  // Without the GIL, the thread that made an object frees it, the next time that it runs Python code.
  ignore: !HAS_GIL,
  fn: async () => {
    using scope = scopeOfThings();
    using flags = alloc(Uint8Array, 100);
    using make = makerOfFlagged(flags, scope);
    const lose = () => {
      for (let index = 0; index < 100; index++) make.call(index);
    };
    lose();
    await until(
      () => flags.view.every((flag) => flag === 1),
      "100 lost objects",
    );
    assertEquals(gone(scope), 100);
  },
});

Deno.test("references that are lost while the thread is attached are released", async () => {
  using scope = scopeOfThings();
  using make = scope.get("Thing") as PyObjectRef;
  const lose = () => {
    using _attached = attach();
    for (let index = 0; index < 100; index++) make.call();
    collectGarbage();
  };
  lose();
  await until(() => gone(scope) === 100, "100 lost objects");
});

Deno.test("references that are in use are not released with the lost ones", async () => {
  using scope = scopeOfThings();
  using make = scope.get("Thing") as PyObjectRef;
  const kept: PyObjectRef[] = [];
  const lose = () => {
    for (let index = 0; index < 100; index++) {
      const thing = make.call() as PyObjectRef;
      if (index % 2 === 0) kept.push(thing);
    }
  };
  lose();
  await until(() => gone(scope) === 50, "50 lost objects");
  for (const thing of kept) assert(`${thing}`.includes("Thing object"));
  for (const thing of kept) thing[Symbol.dispose]();
  assertEquals(gone(scope), 100);
});

Deno.test("what __del__ raises reaches nobody but Python's own hook", () => {
  using scope = new PythonScope();
  python.run(
    `
    import sys
    told = []
    class Thing:
        def __del__(self):
            raise ValueError("from __del__")
    before = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: told.append(str(unraisable.exc_value))
    `,
    { scope },
  );
  const thing = python.eval("Thing()", { scope }) as PyObjectRef;
  thing[Symbol.dispose]();
  python.run("sys.unraisablehook = before", { scope });
  assertEquals(python.eval("','.join(told)", { scope }), "from __del__");
});

Deno.test("an object that __del__ brings back to life lives on", () => {
  using scope = new PythonScope();
  python.run(
    `
    saved = []
    class Thing:
        value = 7
        def __del__(self):
            saved.append(self)
    `,
    { scope },
  );
  const thing = python.eval("Thing()", { scope }) as PyObjectRef;
  thing[Symbol.dispose]();
  assertEquals(python.eval("saved[0].value", { scope }), 7);
  python.run("del Thing.__del__", { scope });
});

Deno.test("an object that holds deeply nested others is released", () => {
  const nested = object(
    "__import__('functools').reduce(lambda inner, _: [inner], range(200_000), 1)",
  );
  nested[Symbol.dispose]();
  assertEquals(python.eval("1"), 1);
});
