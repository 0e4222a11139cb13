/** The traceback of a `PythonError`: formatted when it is read, as Python's own module does. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { HeldException } from "../../ffi/errors.ts";
import {
  type PyObjectRef,
  python,
  PythonError,
  PythonScope,
} from "../../mod.ts";
import { until } from "../support/collection.ts";
import { run } from "../support/process.ts";
import { raisedBy } from "./errors.ts";

Deno.test("a traceback that is read late shows its source, which isn't kept any more", () => {
  using scope = new PythonScope();
  python.run("def fail():\n    1 / 0  # the line", { scope });
  const errors = [1, 2].map(() => raisedBy("fail()  # the call", scope));
  const shown = errors[0].traceback;
  for (let time = 0; time < 60; time++) {
    python.run(`#${time}${"x".repeat(100_000)}`);
  }
  python.run("import linecache; linecache.clearcache()");
  for (
    const line of ["\n    1 / 0  # the line\n", "\n    fail()  # the call\n"]
  ) {
    assertStringIncludes(errors[1].traceback, line);
  }
  assertEquals(
    errors[1].traceback.replaceAll(/run \d+/g, ""),
    shown.replaceAll(/run \d+/g, ""),
  );
  assertEquals(
    raisedBy("fail()", scope).traceback.includes("# the line"),
    false,
  );
});

Deno.test("an error that is disposed keeps nothing of the code that raised alive, and its traceback if that was read", () => {
  using scope = new PythonScope();
  python.run("import weakref\nliving = weakref.WeakSet()", { scope });
  using living = scope.get("living") as PyObjectRef;
  const error = assertThrows(() =>
    python.run(
      `
      class Thing: pass
      class Own(Exception):
          def method(self): return held
      def fail():
          local = Thing()
          living.add(local)
          living.add(Own)
          error = Own(local)
          error.__notes__ = [local]
          try: raise KeyError(local)
          except KeyError as e: raise error from e
      held = Thing()
      living.add(held)
      fail()
      `,
      { names: { living } },
    ), PythonError);
  const { traceback } = error;
  error[Symbol.dispose]();
  assertEquals(python.eval("len(living)", { scope }), 0);
  assertEquals(error.traceback, traceback);
  assertStringIncludes(
    error.traceback,
    "The above exception was the direct cause",
  );
  assertStringIncludes(error.traceback, "\nOwn: <");
});

Deno.test("what an error that is lost has held is freed", async () => {
  using scope = new PythonScope();
  python.run(
    "import gc\ndef count(): return sum(type(it).__name__ == 'HeldException' for it in gc.get_objects())\nclass HeldException(list): pass\nprobe = HeldException()",
    { scope },
  );
  const before = python.eval("count()", { scope }) as number;
  (() => {
    for (let time = 0; time < 500; time++) raisedBy("1 / 0");
  })();
  await until(
    () => (python.eval("count()", { scope }) as number) <= before + 50,
    "errors that are lost",
  );
});

Deno.test("tracebacks are what Python's own module formats", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/oneheap_tracebacks.py`, TRACEBACKS);
  try {
    using scope = new PythonScope();
    python.run(
      `
      import sys, traceback
      sys.path.insert(0, folder)
      import oneheap_tracebacks
      sys.path.remove(folder)
      def formatted(name):
          try:
              getattr(oneheap_tracebacks, name)()
          except BaseException as e:
              return "".join(traceback.format_exception(type(e), e, e.__traceback__.tb_next))
      `,
      { scope, names: { folder } },
    );
    const names = [...TRACEBACKS.matchAll(/^def (fails_\w+)/gm)].map((
      [, name],
    ) => name);
    for (const name of names) {
      using function_ = python.eval(`oneheap_tracebacks.${name}`, {
        scope,
      }) as PyObjectRef;
      const error = assertThrows(() => function_.call(), PythonError);
      using text = python.eval("[formatted(name)]", {
        scope,
        names: { name },
      }) as PyObjectRef;
      assertEquals(
        error.traceback,
        python.eval("text[0].encode('utf-8', 'backslashreplace').decode()", {
          names: { text },
        }),
        name,
      );
    }
    python.run("del sys.modules['oneheap_tracebacks']", { scope });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const TRACEBACKS = `
import json

known_name = 3

def fails_plainly():
    1 / 0

def fails_from():
    try:
        fails_plainly()
    except ZeroDivisionError as e:
        raise ValueError("two\\\\nlines") from e

def fails_while():
    try:
        fails_from()
    except ValueError:
        raise KeyError("k")

def fails_from_none():
    try:
        fails_from()
    except ValueError:
        raise KeyError("k") from None

def fails_with_group():
    members = [ValueError(1), ExceptionGroup("inner", [OSError(2, "gone")])] + [KeyError(i) for i in range(20)]
    try:
        fails_from()
    except ValueError as e:
        members.insert(0, e)
    group = ExceptionGroup("outer", members)
    group.add_note("a note\\\\nof two lines")
    raise group

def fails_to_compile():
    compile("x = = 2", "<some>", "exec")

def fails_by_name():
    known_nam

def fails_by_attribute():
    [].appendd

def fails_by_import():
    from collections import OrderedDic

def fails_over_lines():
    return (1 +
        2 / (
            1 - 1))

def fails_in_module():
    json.loads("{")

def recurse(n):
    if n == 0:
        1 / 0
    recurse(n - 1)

def fails_deep():
    recurse(100)

def fails_four_deep():
    recurse(4)

def fails_in_class():
    class Outer:
        class Inner(Exception): pass
    raise Outer.Inner("words")

def fails_with_odd_notes():
    e = ValueError("words")
    e.__notes__ = ["a", 5]
    raise e

def fails_with_surrogate():
    raise ValueError(chr(0xdc00))

def fails_in_circle():
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    raise one
`;

Deno.test("a deep recursion's error is thrown at once, and shown shortened", async () => {
  const { stdout, stderr } = await run(`
    import { python, PythonScope } from "@oneheap/oneheap";
    using scope = new PythonScope();
    python.run(\`
import sys
sys.setrecursionlimit(10**6)
def plain(n):
    if n == 0: raise KeyError
    plain(n - 1)
def one(n):
    if n == 0: raise KeyError
    two(n - 1)
def two(n):
    one(n - 1)
\`, { scope });
    for (const name of ["plain", "one"]) {
      const before = performance.now();
      try { await python.evalAsync(name + "(100_000)", { scope }) } catch (error) {
        const { traceback } = error;
        const took = performance.now() - before;
        console.log(name, error.type, took < 10_000 || took, traceback.length < 200_000);
        console.log(traceback.match(/\\[.*\\]/)[0]);
      }
    }
  `);
  assertEquals(
    stdout,
    "plain KeyError true true\n[Previous line repeated 99997 more times]\n" +
      "one KeyError true true\n[99002 earlier entries are not shown]\n",
    stderr,
  );
});

Deno.test("a traceback that Python can't be asked for has a text in its place, until it can be", () => {
  const texts: string[] = [];
  const held = new class extends HeldException {
    traceback = () => texts[0];
    cause = () => undefined;
    errors = () => undefined;
    module = () => "";
    mro = () => [];
    isInstance = () => false;
    exception = () => undefined;
    fields = () => undefined;
    notes = () => [];
    release(): void {}
  }();
  const error = new PythonError("Type", "words", held as unknown as string);
  const instead = "Type: words\n(Python can't be asked for the traceback)";
  assertEquals(error.traceback, `${instead}\n`);
  assertEquals((error.cause as Error).message, instead);
  assert(error.stack!.startsWith("PythonError: Type: words\n    at "));
  assert(error.stack!.endsWith(`\n\n${instead}`));
  texts.push("Traceback");
  assertEquals(error.traceback, "Traceback");
  assertEquals((error.cause as Error).message, "Traceback");
  assert(error.stack!.endsWith("\n\nTraceback"));
});
