/** Exceptions as objects: what a `PythonError` says of its exception. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  FreedError,
  type PyObjectRef,
  python,
  PythonError,
  PythonScope,
} from "../../mod.ts";
import { raisedBy } from "./errors.ts";

Deno.test("an exception is an instance of its base classes", () => {
  const error = raisedBy("open('/none/such')");
  assertEquals([error.type, error.module], ["FileNotFoundError", "builtins"]);
  assertEquals(error.mro, [
    "FileNotFoundError",
    "OSError",
    "Exception",
    "BaseException",
    "object",
  ]);
  for (const name of error.mro) assert(error.is(name));
  assert(!error.is("ValueError") && !error.is("Error"));
  const { OSError, ValueError } = python.builtins;
  assert(error.is(OSError) && error.is(python.ref(OSError)));
  assert(!error.is(ValueError));
  assert(error.exception instanceof OSError);
});

Deno.test("names of types have their modules, where Python's tracebacks show them", () => {
  const error = raisedBy("import json; json.loads('{')");
  assertEquals(error.type, "json.decoder.JSONDecodeError");
  assertEquals(error.module, "json.decoder");
  assert(error.is("json.decoder.JSONDecodeError") && error.is("ValueError"));
  const { lineno, colno, msg } = error.fields<Record<string, unknown>>();
  assertEquals(lineno, 1);
  assertEquals(colno, 2);
  assertEquals(typeof msg, "string");
});

Deno.test("fields are the attributes of the class, those of the object, and args", () => {
  const missing = raisedBy("open('/none/such')").fields();
  assertEquals(missing, {
    args: [2, "No such file or directory"],
    errno: 2,
    strerror: "No such file or directory",
    filename: "/none/such",
    filename2: null,
  });
  assertEquals(raisedBy("raise SystemExit({'code': [1]})").fields(), {
    args: [{ code: [1] }],
    code: { code: [1] },
  });
  const own = raisedBy(`
    class Base(Exception):
        __slots__ = "slot", "empty"
    class Own(Base):
        computed = property(lambda self: 1 / 0)
        constant = "of the class"
        def method(self): pass
    error = Own("words", 2)
    error.slot, error.given, error._private, error.object = 1, {"a": (1,)}, 2, object
    raise error
  `);
  assertEquals(own.fields(), {
    args: ["words", 2],
    slot: 1,
    given: { a: [1] },
    object: "<class 'object'>",
  });
  assertEquals(
    own.fields<Map<string, unknown>>({ dict: "map" }).get("given"),
    new Map([["a", [1]]]),
  );
});

Deno.test("fields that can't be converted are an error that says where, and the others are reached by the exception", () => {
  const error = raisedBy("e = ValueError(); e.x = {1: 2}; e.y = 3; raise e");
  assertThrows(() => error.fields(), TypeError, "$.x");
  assertEquals(error.exception.y, 3);
});

Deno.test("the exception is a proxy, and one object at each look", () => {
  const error = raisedBy("raise KeyError('k', 2)");
  assertStrictEquals(error.exception, error.exception);
  assertEquals(error.exception.args.$js(), ["k", 2]);
  assertEquals(error.exception.$type, "KeyError");
  const reference = python.ref(error.exception);
  assertEquals(
    python.eval("e.__traceback__.tb_frame.f_code.co_name", {
      names: { e: reference },
    }),
    "<module>",
  );
  python.region(() => error.exception.args);
  assertEquals(error.exception.$type, "KeyError");
  reference[Symbol.dispose]();
  assertEquals(error.exception.$type, "KeyError");
});

Deno.test("an exception that was made in a region is there after it", () => {
  const error = assertThrows(
    () =>
      python.region(() => {
        try {
          python.builtins.int("x");
        } catch (error) {
          assertEquals((error as PythonError).exception.$type, "ValueError");
          throw error;
        }
      }),
    PythonError,
  );
  assertEquals(error.exception.args[0], error.message);
});

Deno.test("notes are texts, whatever was added", () => {
  const error = raisedBy(`
    class Note:
        def __str__(self): return "a note"
    e = ValueError("words")
    e.add_note("first")
    e.add_note("second \\ud800")
    e.__notes__.append(Note())
    raise e
  `);
  assertEquals(error.notes, ["first", "second \\ud800", "a note"]);
  assertEquals(raisedBy("raise ValueError").notes, []);
  assertEquals(raisedBy("e = ValueError(); e.__notes__ = 5; raise e").notes, [
    "5",
  ]);
});

Deno.test("the exceptions of a group are errors, and groups in it have theirs", () => {
  const error = raisedBy(`
    try:
        open('/none/such')
    except OSError as e:
        missing = e
    raise ExceptionGroup("several", [missing, ExceptionGroup("inner", [KeyError("k")])])
  `);
  const [missing, inner] = error.errors!;
  assertEquals(error.message, "several (2 sub-exceptions)");
  assertInstanceOf(missing, PythonError);
  assert(missing.is("OSError"));
  assertEquals(missing.fields<{ errno: number }>().errno, 2);
  assertStringIncludes(missing.traceback, "open('/none/such')");
  assertEquals(inner.errors!.map(({ type, message }) => [type, message]), [[
    "KeyError",
    "'k'",
  ]]);
  assertStrictEquals(error.errors, error.errors);
  assertEquals(missing.errors, undefined);
});

Deno.test("the cause is what Python prints before: the cause, or what was handled, unless that is suppressed", () => {
  const error = raisedBy(`
    try:
        try:
            1 / 0
        except ZeroDivisionError:
            {}["k"]
    except KeyError as e:
        raise ValueError("last") from e
  `);
  const chain: string[] = [];
  let last: unknown = error;
  for (; last instanceof PythonError; last = last.cause) chain.push(last.type);
  assertEquals(chain, ["ValueError", "KeyError", "ZeroDivisionError"]);
  // What Deno shows of an uncaught error: the whole traceback, once.
  assertEquals((last as Error).message, error.traceback.trimEnd());
  assertStrictEquals(error.cause, error.cause);
  const suppressed = raisedBy(`
    try: 1 / 0
    except ZeroDivisionError: raise ValueError from None
  `);
  assertEquals((suppressed.cause as Error).name, "Python");
});

Deno.test("a chain in a circle is shown as Python shows it", () => {
  const error = raisedBy(`
    one, two = ValueError(1), ValueError(2)
    one.__cause__, two.__cause__ = two, one
    raise one
  `);
  assertEquals((error.cause as PythonError).message, "2");
  assertEquals(
    ((error.cause as PythonError).cause as PythonError).message,
    "1",
  );
  assertStringIncludes(error.traceback, "direct cause");
});

Deno.test("an error that is disposed has what was read of it, and its type and message", () => {
  const error = raisedBy(`
    try: 1 / 0
    except ZeroDivisionError as e: raise ValueError("words") from e
  `);
  const { cause, exception } = error;
  error[Symbol.dispose]();
  error[Symbol.dispose]();
  assertEquals([error.type, error.message], ["ValueError", "words"]);
  assertStrictEquals(error.cause, cause);
  assertEquals((cause as PythonError).fields(), { args: ["division by zero"] });
  assert(error.is("ValueError"));
  assertThrows(() => exception.args, FreedError);
  assertStringIncludes(error.traceback, "ValueError: words");
  for (
    const ask of [
      () => error.mro,
      () => error.module,
      () => error.exception,
      () => error.fields(),
      () => error.notes,
      () => error.errors,
      () => error.is("Exception"),
    ]
  ) assertThrows(ask, FreedError);
});

Deno.test("an error that no exception was thrown for answers what it knows", () => {
  const error = new PythonError("Type", "words", "traceback");
  assertEquals([error.mro, error.module, error.notes], [["Type"], "", []]);
  assertEquals([error.errors, error.exception], [undefined, undefined]);
  assert(error.is("Type") && !error.is("Exception"));
  assertEquals(error.fields(), {});
  error[Symbol.dispose]();
});

Deno.test("exceptions whose classes and attributes raise are described as far as they can be", () => {
  const error = raisedBy(`
    class Meta(type):
        def __getattribute__(cls, name): raise RuntimeError(name)
        def __instancecheck__(cls, other): raise KeyError("asked")
    class Own(Exception, metaclass=Meta):
        def __getattribute__(self, name): raise RuntimeError(name)
        def __str__(self): raise RuntimeError("no text")
    raise Own
  `);
  assertEquals(error.type, "Own");
  assertEquals(error.mro, ["Own", "Exception", "BaseException", "object"]);
  assert(error.is("Exception"));
  assertStringIncludes(error.message, "can't be shown");
  assertEquals(error.errors, undefined);
  assertEquals(error.fields(), { args: [] });
  assertThrows(() => error.notes, PythonError);
});

Deno.test("errors of runs on threads of their own are objects too", async () => {
  using scope = new PythonScope();
  const error = await python.runAsync("open('/none/such')", { scope }).catch((
    it,
  ) => it);
  assert(error.is("OSError"));
  assertEquals(error.fields().errno, 2);
  assertEquals(error.exception.errno, 2);
  error[Symbol.dispose]();
});

Deno.test("what an exception refers to lives as long as the error holds it", () => {
  using scope = new PythonScope();
  python.run(
    `
    import weakref
    class Thing: pass
    living = weakref.WeakSet()
    def fail():
        thing = Thing()
        living.add(thing)
        raise ValueError(thing)
    `,
    { scope },
  );
  const error = assertThrows(
    () => (scope.get("fail") as PyObjectRef).call(),
    PythonError,
  );
  assertEquals(python.eval("len(living)", { scope }), 1);
  assertEquals(error.exception.args[0].$type, "Thing");
  error[Symbol.dispose]();
  python.run("import gc; gc.collect()");
  assertEquals(python.eval("len(living)", { scope }), 1, "the proxy of args");
});
