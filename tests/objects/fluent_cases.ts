/** What each member of the fluent layer does: run on the main thread and in a Worker. */

import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  alloc,
  BufferError,
  FreedError,
  kw,
  py,
  PyObjectRef,
  python,
  PythonError,
  PythonScope,
  slice,
} from "../../mod.ts";

const BUILTINS = python.builtins;

/** Fails unless it raises an exception of that type; returns the error. */
export function assertRaises(type: string, run: () => unknown): PythonError {
  const error = assertThrows(run, PythonError);
  assertEquals(error.type, type);
  return error;
}

/** An object with whatever attributes are set. */
function namespace(fields: Record<string, unknown>) {
  return python.import("types").SimpleNamespace(kw(fields));
}

export const CASES: Record<string, () => void | Promise<void>> = {
  "attributes are got, set, asked for and deleted by Python's names": () => {
    const point = namespace({ x: 1, y: [2] });
    assertEquals(point.x, 1);
    assertEquals(point.y.$js(), [2]);
    point.x = { a: 1 };
    assertEquals(point.x.$type, "dict");
    assert("x" in point);
    assert(!("z" in point));
    assert(delete point.x);
    assert(!("x" in point));
    assertRaises("AttributeError", () => point.x);
    assertRaises("AttributeError", () => delete point.x);
  },
  "canonical whole numbers are items": () => {
    const list = BUILTINS.list(["a", "b", "c"]);
    assertEquals([list[0], list[-1], list["2"]], ["a", "c", "c"]);
    list[1] = [1];
    assertEquals(list[1].$js(), [1]);
    assert(delete list[0]);
    assertEquals(list.$js(), [[1], "c"]);
    assert(1 in list && (-2) in list && !(2 in list) && !((-3) in list));
    assertRaises("IndexError", () => list[7]);
    for (const name of ["01", "+1", "1.0", "-0", "1e3", " 1"]) {
      assertRaises("AttributeError", () => list[name]);
    }
    const byNumber = BUILTINS.dict(
      new Map<unknown, unknown>([[2n ** 70n, "big"]]),
    );
    assertEquals(byNumber[`${2n ** 70n}`], "big");
    byNumber[5] = "five";
    assert(5 in byNumber && !(6 in byNumber));
    assertRaises("KeyError", () => byNumber[6]);
  },
  "an object that can be called is called, with keywords": () => {
    assertEquals(BUILTINS.max(1, 3, 2), 3);
    assertEquals(
      BUILTINS.sorted([3, 1, 2], kw({ reverse: true, key: undefined })).$js(),
      [3, 2, 1],
    );
    assertEquals(BUILTINS.abs.$call(-3), 3);
    assertEquals(typeof BUILTINS.abs, "function");
    assertEquals(typeof BUILTINS.list(), "object");
    assertThrows(() => BUILTINS.list()(), TypeError);
    assertThrows(() => new BUILTINS.list(), TypeError);
  },
  "$ref is the reference, and python.proxy the way back": () => {
    const list = BUILTINS.list([1]);
    const reference = list.$ref;
    assert(reference instanceof PyObjectRef);
    assertStrictEquals(python.ref(list), reference);
    assertStrictEquals(python.ref(reference as never), reference);
    const again = python.proxy(reference);
    again.append(2);
    assertEquals(list.$js(), [1, 2]);
    assertEquals(python.proxy(BUILTINS.len.$ref)([1, 2]), 2);
    assertEquals(python.proxy(list).$len, 2);
    const wrong: unknown[] = [1, null, undefined, "x", {}, [], () => {}];
    for (const value of [...wrong, new Proxy({}, {})]) {
      assertThrows(() => python.ref(value as never), TypeError);
      assertThrows(() => python.proxy(value as never), TypeError);
    }
  },
  "$js gives plain data": () => {
    const value = py`{"a": (1, 2.5), "b": {3}, "c": None}`;
    assertEquals(value.$js(), { a: [1, 2.5], b: new Set([3]), c: null });
    assertEquals(
      value.$js({ set: "array", dict: "map" }),
      new Map<string, unknown>([["a", [1, 2.5]], ["b", [3]], ["c", null]]),
    );
    assertEquals(
      JSON.stringify({ value: py`[1, {"x": "y"}]` }),
      '{"value":[1,{"x":"y"}]}',
    );
  },
  "$item, $set, $del and $has take any key": () => {
    const dict = BUILTINS.dict();
    dict.$set("$js", 1);
    dict.$set(["a", 1], [2]);
    dict.$set(null, "none");
    assertEquals(dict.$item("$js"), 1);
    assertEquals(dict.$item(["a", 1]).$js(), [2]);
    assertEquals(dict.$item(null), "none");
    assert(dict.$has("$js"));
    dict.$del("$js");
    assert(!dict.$has("$js"));
    assertEquals(dict.$len, 2);
    const list = BUILTINS.list("abcdef");
    assertEquals(list.$item(slice(1, null, 2)).$js(), ["b", "d", "f"]);
    list.$set(slice(2), "XY");
    list.$del(slice(-3, null));
    assertEquals(list.$js(), ["X", "Y", "c"]);
    assertRaises("KeyError", () => dict.$item("absent"));
  },
  "$type, $is and $isInstance say what it is": () => {
    const list = BUILTINS.list();
    assertEquals(list.$type, "list");
    assertEquals(namespace({}).$type, "types.SimpleNamespace");
    assert(list.$is(list) && list.$is(list.$ref) && !list.$is(BUILTINS.list()));
    assert(list.$isInstance("list") && list.$isInstance(BUILTINS.list));
    assert(!list.$isInstance(BUILTINS.dict));
    assert(list instanceof BUILTINS.list && !(list instanceof BUILTINS.dict));
    assert(!(Object(1) instanceof BUILTINS.int));
    assert(!({} instanceof BUILTINS.object));
    assert(list.$ref instanceof BUILTINS.list);
  },
  "$with enters, gives what that is, and leaves": () => {
    const file = python.import("io").StringIO("words");
    const read = file.$with((opened: typeof file) => {
      assert(opened.$is(file));
      return opened.read();
    });
    assertEquals([read, file.closed], ["words", true]);
    const suppress = python.import("contextlib").suppress(BUILTINS.Exception);
    assertEquals(
      suppress.$with(() => {
        throw new Error("suppressed");
      }),
      undefined,
    );
    assertThrows(() => suppress.$with(3 as never), TypeError);
  },
  "$view shows memory": () => {
    const bytes = BUILTINS.bytearray([1, 2, 3]);
    {
      using borrowed = bytes.$view(Uint8Array);
      borrowed.view[0] = 9;
    }
    assertEquals(bytes[0], 9);
    {
      using copy = BUILTINS.memoryview(new Uint8Array([5])).$view(Uint8Array, {
        copy: true,
      });
      assertEquals([copy.view[0], copy.copied], [5, true]);
    }
    assertThrows(
      () => BUILTINS.memoryview(new Uint8Array([5])).$view(),
      BufferError,
    );
    using block = alloc(Float64Array, [1, 2]);
    using again = python.borrow(BUILTINS.memoryview(block), Float64Array);
    assertEquals([...again.view], [1, 2]);
  },
  "for goes through it, and gives proxies": () => {
    const rows = py`[[1, "a"], [2, "b"]]`;
    const found = [];
    for (const [number, letter] of rows) found.push(`${number}${letter}`);
    assertEquals(found, ["1a", "2b"]);
    assertEquals([...BUILTINS.range(3)], [0, 1, 2]);
    assertEquals(Math.max(...BUILTINS.map(BUILTINS.abs, [-3, 2])), 3);
    assertRaises("TypeError", () => [...BUILTINS.object()]);
  },
  "using ends it, and the reference with it": () => {
    const list = BUILTINS.list();
    {
      using same = list;
      same.append(1);
    }
    assertThrows(() => list.append, FreedError);
    assertThrows(() => list.$len, FreedError);
    assert(list.$ref.disposed);
    list[Symbol.dispose]();
    using sum = BUILTINS.sum;
    sum.$ref[Symbol.dispose]();
    assertThrows(() => sum([1]), FreedError);
  },
  "as text it is its str(), and as anything else it is refused": () => {
    const list = BUILTINS.list([1]);
    assertEquals([`${list}`, String(list), list.toString()], [
      "[1]",
      "[1]",
      "[1]",
    ]);
    for (
      const use of [
        () => list + 1,
        () => list < 3,
        () => +list,
        () => list == "[1]",
      ]
    ) {
      assertStringIncludes(assertThrows(use, TypeError).message, "py`");
    }
    assertStringIncludes(Deno.inspect(list), "[1]");
    assertStringIncludes(Deno.inspect({ deep: BUILTINS.len }), "function len");
  },
  "it has no properties to list, copy or define": () => {
    const list = BUILTINS.list([1]);
    for (
      const use of [
        () => Object.keys(list),
        () => ({ ...list }),
        () => Object.defineProperty(list, "x", { value: 1 }),
        () => Object.setPrototypeOf(list, null),
        () => Object.freeze(list),
        () => {
          for (const _ in list);
        },
      ]
    ) assertStringIncludes(assertThrows(use, TypeError).message, "$js()");
    assert(!Object.hasOwn(list, "append"));
    assert(
      !(list instanceof PyObjectRef) && !(BUILTINS.len instanceof Function),
    );
  },
  "what is this library's or JavaScript's can't be set": () => {
    const point = namespace({ x: 1 });
    for (const name of ["$js", "$x", "then", "toJSON", Symbol("x")]) {
      assertThrows(() => point[name] = 1, TypeError);
      assertThrows(() => delete point[name], TypeError);
    }
    assertEquals(point.$unknown, undefined);
    assert("$js" in point && !("$x" in point) && !("then" in point));
  },
  "proxies are values: as arguments, keywords, items and in containers": () => {
    const list = BUILTINS.list([1]);
    const { len } = BUILTINS;
    const same = python.eval("lambda *a, **k: (a, k)") as PyObjectRef;
    const given = python.proxy(
      same.call([list, { len }], kw({ list, len })) as PyObjectRef,
    );
    assert(given[0][0][0].$is(list) && given[0][0][1].$item("len").$is(len));
    assert(given[1].$item("list").$is(list) && given[1].$item("len").$is(len));
    const called = python.proxy(same.call(list, len) as PyObjectRef);
    assert(called[0][1].$is(len));
    assert(BUILTINS.dict(new Map([[len, list]])).$item(len).$is(list));
    assertEquals(python.eval("f(x)", { names: { f: len, x: list } }), 1);
    assertEquals(
      python.eval("[f(x)]", { names: { f: len, x: [list, list] }, toJs: true }),
      [2],
    );
    assert(list.$ref.is(list) && list.$ref.equals(BUILTINS.list([1])));
    assert(list.$ref.isInstance(BUILTINS.list));
  },
  "the template evaluates an expression with values in it": () => {
    const list = BUILTINS.list([1, 2, 3]);
    assertEquals(py`len(${list}) + ${1}`, 4);
    assertEquals(py<number>`1 + 1`, 2);
    assertEquals(py`${list}[1:]`.$js(), [2, 3]);
    assertEquals(py`sorted(${[3, 1]}, reverse=${true})`.$js(), [3, 1]);
    assertEquals(py.js`{"all": ${list}, "none": []}`, {
      all: [1, 2, 3],
      none: [],
    });
    assertEquals(py.js`1`, 1);
  },
  "py.async evaluates on a thread of its own": async () => {
    const list = BUILTINS.list([1, 2]);
    assertEquals(await py.async`sum(${list}) + ${[3]}[0]`, 6);
    const copy = await py.async`${list} * 2`;
    assertEquals(copy.$js(), [1, 2, 1, 2]);
    assert(
      await py.async`__import__("threading").get_ident() != ${
        python.import("threading").get_ident()
      }`,
    );
  },
  "a scope's template has the scope's names": async () => {
    using scope = new PythonScope();
    python.run("x = 5\ndef double(n): return 2 * n", { scope });
    assertEquals(scope.py`double(x) + ${1}`, 11);
    assertEquals(scope.py.js`[x, double(${[1]})]`, [5, [1, 1]]);
    assertEquals(await scope.py.async`double(${4}) + x`, 13);
    const read = () => scope.py`x`;
    assertEquals(read(), 5);
    python.run("x = 6", { scope });
    assertEquals(read(), 6);
    scope[Symbol.dispose]();
    assertThrows(read, FreedError);
  },
  "modules are imported": () => {
    const path = python.import("os.path");
    assertEquals(path.basename("/a/b"), "b");
    assert(python.import("os").path.$is(path));
    assertStringIncludes(
      assertRaises("ModuleNotFoundError", () => python.import("none_such"))
        .message,
      "none_such",
    );
    assertThrows(() => python.import(1 as never), TypeError);
    assertEquals(python.builtins.len("four"), 4);
  },
  "a module is made of source, and ends with its proxy": () => {
    const name = `made_${crypto.randomUUID().replaceAll("-", "_")}`;
    {
      using made = python.module(
        `
        """Words."""
        import math
        class Thing: pass
        def area(r): return math.floor(r)
        `,
        name,
      );
      assertEquals([made.area(3.5), made.__name__, made.__doc__], [
        3,
        name,
        "Words.",
      ]);
      assert(python.import(name).$is(made));
      const pickle = python.import("pickle");
      assert(pickle.loads(pickle.dumps(made.Thing())) instanceof made.Thing);
    }
    assertRaises("ModuleNotFoundError", () => python.import(name));
    assertRaises("ZeroDivisionError", () => python.module("1 / 0", name));
    assertRaises("SyntaxError", () => python.module("1 /", name));
    assertRaises("ModuleNotFoundError", () => python.import(name));
    assertThrows(() => python.module("", "json"), RangeError);
    assertThrows(() => python.module("", "no name"), RangeError);
    assertEquals(python.module("x = 1").x, 1);
  },
  "a file is a module, run once": () => {
    const folder = Deno.makeTempDirSync({ prefix: "odd name ü " });
    try {
      const file = `${folder}/counted things.py`;
      Deno.writeTextFileSync(
        file,
        "import sys\nsys.counted = getattr(sys, 'counted', 0) + 1\nclass Thing: pass\nbroken = ",
      );
      assertRaises("SyntaxError", () => python.importFile(file));
      Deno.writeTextFileSync(
        file,
        "import sys\nsys.counted = getattr(sys, 'counted', 0) + 1\ndef count(): return sys.counted\nclass Thing: pass\nfile = __file__",
      );
      const url = new URL(`file://${encodeURI(file)}`);
      const module = python.importFile(file);
      const before = module.count();
      for (
        const same of [url, url.href, file, `${folder}/./counted things.py`]
      ) {
        assert(python.importFile(same).$is(module));
      }
      assertEquals([module.count(), module.file], [before, file]);
      const pickle = python.import("pickle");
      assert(
        pickle.loads(pickle.dumps(module.Thing())) instanceof module.Thing,
      );
      Deno.writeTextFileSync(`${folder}/json.py`, "mine = True");
      assertEquals(python.importFile(`${folder}/json.py`).mine, true);
      assert(!("mine" in python.import("json")));
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
    assertRaises("FileNotFoundError", () => python.importFile("/none/such.py"));
    assertRaises("ImportError", () => python.importFile("/none/such.txt"));
    for (const url of ["https://a.b/c.py", new URL("https://a.b/c.py")]) {
      assertThrows(() => python.importFile(url), TypeError, "https://a.b/c.py");
    }
    assertThrows(() => python.importFile(3 as never), TypeError);
  },
  "an error is its exception": async () => {
    using raising = python.module(`
      def fail():
          try: open("/none/such")
          except OSError as e:
              e.add_note("a note")
              raise ExceptionGroup("several", [e, ValueError("v")]) from e
    `);
    const error = assertThrows(() => raising.fail(), PythonError);
    assertEquals([error.type, error.module], ["ExceptionGroup", "builtins"]);
    assertEquals(error.mro[1], "BaseExceptionGroup");
    assert(error.is("Exception") && error.is(BUILTINS.ExceptionGroup));
    assertEquals(error.exception.exceptions.$len, 2);
    assertEquals(error.fields<{ message: string }>().message, "several");
    const [missing] = error.errors!;
    assertEquals([missing.notes, missing.fields().errno], [["a note"], 2]);
    assertEquals((error.cause as PythonError).type, "FileNotFoundError");
    assertStringIncludes(error.traceback, "a note");
    assertStringIncludes(error.stack!, "fluent_cases.ts");
    error[Symbol.dispose]();
    assertThrows(() => error.mro, FreedError);
    const later = await py.async`1 / ${0}`.catch((it) => it);
    assert(later.is("ArithmeticError"));
  },
  "a region ends what was made in it, and keeps what it returns": () => {
    const outside = BUILTINS.list([1]);
    const lost: unknown[] = [];
    const kept = python.region(() => {
      const inside = BUILTINS.list([2]);
      lost.push(inside, inside.append);
      outside.append(3);
      return {
        kept: [BUILTINS.list([4])],
        map: new Map([[BUILTINS.len, 1]]),
        n: 1,
      };
    });
    assertEquals(kept.kept[0].$js(), [4]);
    assertEquals([...kept.map.keys()][0]([1, 2]), 2);
    assertEquals(outside.$js(), [1, 3]);
    for (const it of lost as (typeof outside)[]) {
      assertThrows(() => it.$type, FreedError, "python.region");
    }
  },
};
