import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  alloc,
  attach,
  type Block,
  FreedError,
  PyObjectRef,
  python,
  PythonError,
  PythonScope,
  type PythonValue,
} from "../../mod.ts";
import {
  collectGarbage,
  HAS_GIL,
  leavesNothingInPython,
  until,
} from "../support/helpers.ts";

/** Evaluates to an object that has no counterpart in JavaScript. */
function object(
  expression: string,
  names?: Record<string, PythonValue>,
): PyObjectRef {
  const reference = python.eval(expression, { names });
  assert(reference instanceof PyObjectRef);
  return reference;
}

/** A scope in which `gone` counts the objects of the class `Thing` that are no more. */
function scopeOfThings(): PythonScope {
  const scope = new PythonScope();
  python.run(
    `
    gone = 0
    class Thing:
        def __del__(self):
            global gone
            gone += 1
    `,
    { scope },
  );
  return scope;
}

/** How many of the scope's things are no more. It is Python code that counts, for without the GIL only that frees some of them. */
function gone(scope: PythonScope): number {
  return python.eval("gone", { scope }) as number;
}

/**
 * A function that makes things, each with an index: its element of the block is 1 once it is no more. JavaScript sees that
 * without asking Python, which would let go of whatever waits for that.
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

Deno.test("get gives an attribute, as the value that it is", () => {
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

Deno.test("get of an attribute that isn't there is an AttributeError, and what a property raises is told", () => {
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
  assertEquals(String(thing) + thing, "ü😀ü😀");
  using list = object("[1, 'a', None]");
  assertEquals(`${list}`, "[1, 'a', None]");
  using own = object("type('Own', (str,), {})('of a subclass')");
  assertEquals(`${own}`, "of a subclass");
});

Deno.test("what __str__ raises is told, and lone surrogates that it returns come as they are", () => {
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

Deno.test("the constructor takes over a reference, and adds none", () => {
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

Deno.test("a block's pointer is taken over, and the object goes with the reference", () => {
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

Deno.test("a reference keeps its object alive when Python has let go of it", () => {
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

Deno.test("disposing a reference lets go of the object before it returns", () => {
  using scope = scopeOfThings();
  using flags = alloc(Uint8Array, 100);
  using make = makerOfFlagged(flags, scope);
  // Attached, for then no other thread lets go of it meanwhile.
  using _attached = attach();
  for (let index = 0; index < 100; index++) {
    const thing = make.call(index) as PyObjectRef;
    assertEquals(flags.view[index], 0);
    thing[Symbol.dispose]();
    assertEquals(flags.view[index], 1);
  }
});

Deno.test({
  name: "lost references are let go, without a call of JavaScript's",
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

Deno.test("references that are lost while the thread is attached are let go", async () => {
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

Deno.test("references that are in use are not let go with the lost ones", async () => {
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

Deno.test("an object that holds deeply nested others is let go", () => {
  const nested = object(
    "__import__('functools').reduce(lambda inner, _: [inner], range(200_000), 1)",
  );
  nested[Symbol.dispose]();
  assertEquals(python.eval("1"), 1);
});

Deno.test("the console shows an object as Python does, and never raises", () => {
  const list = object("[1, 'two']");
  assertEquals(Deno.inspect(list), "PyObjectRef [1, 'two']");
  list[Symbol.dispose]();
  assertEquals(Deno.inspect(list), "PyObjectRef (disposed)");
  using broken = object("type('T', (), {'__str__': lambda self: 1 / 0})()");
  assertEquals(Deno.inspect(broken), "PyObjectRef (its str() raises)");
  assertEquals(JSON.stringify(broken), "{}");
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
