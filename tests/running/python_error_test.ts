/** What a `PythonError` says of an exception. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  type PyObjectRef,
  python,
  PythonError,
  PythonScope,
} from "../../mod.ts";
import { HAS_GIL } from "../support/build.ts";
import { leavesNothingInPython } from "../support/collection.ts";
import { run } from "../support/process.ts";
import { raised, raisedBy } from "./raising.ts";

Deno.test("an exception is an Error with its type, its message and Python's traceback", () => {
  const error = raised(() => python.eval("1 / 0"));
  assert(error instanceof Error);
  assertEquals(error.name, "PythonError");
  assertEquals(error.type, "ZeroDivisionError");
  assertEquals(error.message, "division by zero");
  assertEquals((error.cause as Error).message, error.traceback.trimEnd());
  const lines = error.traceback.split("\n");
  assertEquals(lines[0], "Traceback (most recent call last):");
  assertEquals(lines.at(-2), "ZeroDivisionError: division by zero");
});

Deno.test("a type is named with its module, unless that is builtins or the code's own", () => {
  const cases = {
    "raise KeyError('k')": "KeyError",
    "import json\njson.loads('{')": "json.decoder.JSONDecodeError",
    "import subprocess\nraise subprocess.TimeoutExpired('x', 1)":
      "subprocess.TimeoutExpired",
    "class Own(Exception): pass\nraise Own": "Own",
    "class Outer:\n    class Inner(Exception): pass\nraise Outer.Inner":
      "Outer.Inner",
    "def f():\n    class Local(Exception): pass\n    raise Local\nf()":
      "f.<locals>.Local",
    "raise type('Größe', (Exception,), {})": "Größe",
  };
  for (const [source, type] of Object.entries(cases)) {
    assertEquals(raisedBy(source).type, type);
  }
});

Deno.test("a message is what str() of the exception says", () => {
  const cases: [string, string][] = [
    ["raise ValueError", ""],
    ["raise ValueError('')", ""],
    ["raise ValueError('ü 日 😀')", "ü 日 😀"],
    ["raise ValueError('nul ' + chr(0))", "nul \0"],
    ["raise ValueError('two\\nlines')", "two\nlines"],
    ["raise ValueError(1, 2)", "(1, 2)"],
    ["raise KeyError('k')", "'k'"],
    ["raise OSError(2, 'gone', 'file')", "[Errno 2] gone: 'file'"],
    ["raise ValueError('x' * 100_000)", "x".repeat(100_000)],
    ["assert 1 == 2, 'told'", "told"],
    ["raise ValueError('\\n    at pretended')", "\n    at pretended"],
  ];
  for (const [source, message] of cases) {
    assertEquals(raisedBy(source).message, message);
  }
});

Deno.test("the stack has JavaScript's frames, the caller's too, and then the traceback", () => {
  function theCaller() {
    python.run("raise ValueError('told\\n    at twice')");
  }
  const { stack, traceback } = raised(theCaller);
  const text = stack!;
  const start = "PythonError: ValueError: told\n    at twice\n    at ";
  assertStringIncludes(text, start);
  assert(text.startsWith(start), text);
  assertStringIncludes(text, "theCaller");
  assertStringIncludes(text, "python_error_test.ts");
  assert(text.endsWith(`\n\n${traceback.trimEnd()}`), text);
});

Deno.test("the stack is right for every way into Python", () => {
  using parse = python.eval("int") as PyObjectRef;
  const ways = {
    viaEval: () => python.eval("1 / 0"),
    viaCall: () => parse.call("x"),
    viaGet: () => parse.get("missing"),
    viaRun: () => python.run("1 / 0"),
  };
  for (const [name, way] of Object.entries(ways)) {
    const { stack, type, message } = raised(way);
    assert(stack!.startsWith(`PythonError: ${type}: ${message}\n    at `));
    assertStringIncludes(stack!, name);
  }
  const { stack } = raisedBy("raise ValueError");
  assert(stack!.startsWith("PythonError: ValueError\n    at "), stack);
});

Deno.test("the console prints the traceback once", () => {
  const shown = Deno.inspect(raisedBy("raise ValueError('printed')"));
  assertEquals(shown.split("Traceback (most recent call last)").length, 2);
  assertStringIncludes(shown, "ValueError: printed");
});

Deno.test("SystemExit and KeyboardInterrupt are exceptions like any other", () => {
  const cases: [string, string, string][] = [
    ["raise SystemExit", "SystemExit", ""],
    ["raise SystemExit(3)", "SystemExit", "3"],
    ["import sys\nsys.exit('with words')", "SystemExit", "with words"],
    ["exit(1)", "SystemExit", "1"],
    ["raise KeyboardInterrupt", "KeyboardInterrupt", ""],
    ["raise KeyboardInterrupt('by code')", "KeyboardInterrupt", "by code"],
    ["raise GeneratorExit", "GeneratorExit", ""],
    ["raise BaseException('base')", "BaseException", "base"],
  ];
  for (const [source, type, message] of cases) {
    const error = raisedBy(source);
    assertEquals([error.type, error.message], [type, message]);
    assertEquals((error.cause as Error).message, error.traceback.trimEnd());
  }
});

Deno.test("an error that nobody catches shows Python's traceback; in the console it stands there once", async () => {
  const source = 'python.run("def fail():\\n    1 / 0\\nfail()")';
  const uncaught = await run(`
    import { python } from "@oneheap/oneheap";
    ${source};
  `);
  assertEquals(uncaught.code, 1);
  assertStringIncludes(uncaught.stderr, "in fail\n    1 / 0");
  assertStringIncludes(uncaught.stderr, "ZeroDivisionError: division by zero");
  const shown = await run(`
    import { python } from "@oneheap/oneheap";
    try { ${source} } catch (error) { console.log(error) }
  `);
  assertEquals(shown.stdout.match(/in fail/g)?.length, 1);
});

Deno.test("SystemExit doesn't end the process, nor does it set its exit code", async () => {
  const { code, stdout } = await run(`
    import { python } from "@oneheap/oneheap";
    for (const source of ["raise SystemExit(3)", "import sys; sys.exit(4)", "quit(5)"]) {
      try { python.run(source) } catch (error) { console.log(error.type) }
    }
    const exit = python.eval("__import__('sys').exit");
    try { exit.call(6) } catch (error) { console.log(error.type) }
    await python.runAsync("raise SystemExit(7)").catch((error) => console.log(error.type));
    python.run("import threading\\nt = threading.Thread(target=exit)\\nt.start()\\nt.join()");
    console.log(python.eval("1 + 1"));
  `);
  assertEquals(stdout, "SystemExit\n".repeat(5) + "2\n");
  assertEquals(code, 0);
});

Deno.test("an exception whose message can't be shown is thrown without it", () => {
  for (const raises of ["1 / 0", "raise_(SystemExit)", "raise_(self)", "5"]) {
    const error = raisedBy(`
      def raise_(exception): raise exception
      class Silent(Exception):
          def __str__(self): return ${raises}
      raise Silent("not told")
    `);
    assertEquals(error.type, "Silent");
    assertEquals(error.message, "<its message can't be shown>");
    assertStringIncludes(error.traceback, 'raise Silent("not told")');
  }
});

Deno.test("an exception whose message is no plain string is reported", () => {
  const error = raisedBy(`
    class Own(str):
        def encode(self, *given): return 5
        def __format__(self, how): return 5
    class Odd(Exception):
        def __str__(self): return Own("of a subclass")
    raise Odd
  `);
  assertEquals([error.type, error.message], ["Odd", "of a subclass"]);
});

Deno.test("an exception of a class that breaks every question is reported by its name", () => {
  const error = raisedBy(`
    class Meta(type):
        __module__ = property(lambda self: 1 / 0)
    class Broken(Exception, metaclass=Meta): pass
    raise Broken("words")
  `);
  assertEquals(error.type, "Broken");
});

Deno.test("lone surrogates in an exception are reported in Python's notation", () => {
  const error = raisedBy("raise ValueError('a' + chr(0xd800) + '😀')");
  assertEquals(error.message, "a\\ud800😀");
  assertStringIncludes(error.traceback, "ValueError: a\\ud800😀");
});

Deno.test("an exception that is caught in Python is none to JavaScript, and leaves none behind", () => {
  python.run("try:\n    1 / 0\nexcept ZeroDivisionError:\n    pass");
  raisedBy("raise ValueError");
  using exception = python.eval("__import__('sys').exc_info()") as PyObjectRef;
  assertEquals(`${exception}`, "(None, None, None)");
});

Deno.test("an error keeps the variables of the code that raised until it is disposed", () => {
  using scope = new PythonScope();
  python.run(
    `
    import weakref
    class Thing: pass
    living = weakref.WeakSet()
    def fail():
        local = Thing()
        living.add(local)
        raise ValueError(Thing())
    `,
    { scope },
  );
  for (let time = 0; time < 3; time++) {
    const error = raised(() => python.eval("fail()", { scope }));
    assertEquals(error.type, "ValueError");
    assertEquals(python.eval("len(living)", { scope }), 1);
    error[Symbol.dispose]();
    error[Symbol.dispose]();
    assertEquals(python.eval("len(living)", { scope }), 0);
  }
});

Deno.test("errors on many threads at a time each show their own source", async () => {
  // Threads take turns as often as they can.
  using scope = new PythonScope();
  python.run(
    "import sys\nbefore = sys.getswitchinterval()\nsys.setswitchinterval(1e-6)",
    { scope },
  );
  const fail = async (number: number) => {
    const line = `raise ValueError(${number})`;
    const error = await python.runAsync(`if True:\n    ${line}`).catch((it) =>
      it
    );
    assertEquals(error.message, `${number}`);
    assertStringIncludes(error.traceback, `\n    ${line}\n`);
  };
  try {
    for (let round = 0; round < 10; round++) {
      const numbers = Array.from({ length: 40 }, (_, at) => round * 40 + at);
      await Promise.all(numbers.map(fail));
    }
  } finally {
    python.run("sys.setswitchinterval(before)", { scope });
  }
});

Deno.test("errors leave nothing in Python", async () => {
  using scope = new PythonScope();
  python.run(
    `
    lone = chr(0xd800)
    class Silent(Exception):
        def __str__(self): raise self
    def chain():
        try:
            1 / 0
        except ZeroDivisionError as e:
            raise ValueError([1]) from e
    def group():
        raise ExceptionGroup("many", [ValueError(1), KeyError(2)])
    `,
    { scope },
  );
  using chain = scope.get("chain") as PyObjectRef;
  const undefinedValue = [undefined];
  // So long that few are kept for tracebacks.
  const padding = "#".repeat(50_000);
  const failures: (() => unknown)[] = [
    () => python.run("1 / 0", { scope }),
    () => python.run("raise SystemExit(3)"),
    () => python.eval("missing", { names: { given: 1.5 } }),
    () => python.eval("Silent()", { names: { given: "\ud800" } }),
    () => python.run("raise Silent", { scope }),
    () => python.run("raise ValueError(lone)", { scope }),
    () => python.run("group()", { scope }),
    () => chain.call(),
    () => chain.get("missing"),
    () => python.eval("1", { names: { "no name": 1 } }),
    () => python.eval("1", { names: { good: 1.5, bad: undefinedValue } }),
    () => python.eval("1", { scope: {} as PythonScope }),
  ];
  // Without the GIL, 3.13 keeps classes for good.
  if (HAS_GIL) {
    failures.push(() => python.run("class Own(Exception): pass\nraise Own"));
  }
  const failuresToCompile: (() => unknown)[] = [
    () => python.run(`x = = 1${padding}`),
    () => python.eval(`1\0${padding}`),
    () => python.eval(`'\ud800'${padding}`),
  ];
  await leavesNothingInPython(() => {
    for (const failure of failures) assertThrows(failure);
  }, { repetitions: 500, warmUp: 20 });
  await leavesNothingInPython(() => {
    for (const failure of failuresToCompile) assertThrows(failure);
  }, { repetitions: 500, warmUp: 100 });
});

Deno.test({
  name: "the sources that are kept for tracebacks are bounded",
  // Without the GIL, Python keeps the file name of all code for good.
  ignore: !HAS_GIL,
  fn: async () => {
    const fail = (number: number) => {
      const source = `raise ValueError #${number}${"x".repeat(100_000)}`;
      assertThrows(() => python.run(source), PythonError);
    };
    for (let number = 0; number < 50; number++) fail(number);
    let number = 50;
    await leavesNothingInPython(() => fail(number++), {
      repetitions: 150,
      warmUp: 10,
    });
  },
});
