import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  type PyObjectRef,
  python,
  PythonError,
  PythonScope,
  type PythonValue,
  type RunOptions,
} from "../../mod.ts";
import { HAS_GIL, leavesNothingInPython, run } from "../support/helpers.ts";

/** Fails unless the code raises; returns the error. Python goes on after it. */
function raised(run: () => unknown): PythonError {
  const error = assertThrows(run, PythonError);
  assertEquals(python.eval("1 + 1"), 2);
  return error;
}

/** Fails unless the statements raise; returns the error. */
function raisedBy(source: string, options?: RunOptions): PythonError {
  return raised(() => python.run(source, options));
}

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

Deno.test("the traceback shows the lines of the source, as JavaScript gave them", () => {
  const error = raisedBy(`
    def inner(value):
        return value / 0  # the line

    def outer():
        return inner(1)

    outer()
  `);
  const lines = error.traceback.split("\n").filter((line) =>
    !/^ +[~^]+$/.test(line)
  );
  const name = lines[1].match(/"(<python\.run \d+>)"/)?.[1];
  assertEquals(lines, [
    "Traceback (most recent call last):",
    `  File "${name}", line 8, in <module>`,
    "    outer()",
    `  File "${name}", line 6, in outer`,
    "    return inner(1)",
    `  File "${name}", line 3, in inner`,
    "    return value / 0  # the line",
    "ZeroDivisionError: division by zero",
    "",
  ]);
});

Deno.test("the traceback shows the lines of every source that took part", () => {
  using scope = new PythonScope();
  python.run("def deepest():\n    raise ValueError('deep')", { scope });
  python.run("def middle():\n    return deepest()  # in the middle", { scope });
  const { traceback } = raised(() => python.eval("middle() + 1", { scope }));
  for (
    const line of [
      "\n    raise ValueError('deep')\n",
      "\n    return deepest()  # in the middle\n",
      "\n    middle() + 1\n",
      '  File "<python.eval ',
      '  File "<python.run ',
    ]
  ) {
    assertStringIncludes(traceback, line);
  }
});

Deno.test("the traceback shows Python's own files", () => {
  const { traceback } = raisedBy("import json\njson.loads('{')");
  assertStringIncludes(traceback, "\n    json.loads('{')\n");
  assertStringIncludes(traceback, "decoder.py");
});

Deno.test("the traceback shows source after it failed once, and after linecache was emptied", () => {
  for (let time = 0; time < 3; time++) {
    assertStringIncludes(
      raisedBy("raise ValueError('again')").traceback,
      "\n    raise ValueError('again')\n",
    );
    python.run("import linecache; linecache.checkcache()");
    if (time === 1) python.run("import linecache; linecache.clearcache()");
  }
});

Deno.test("exceptions that lead to another are told, with the lines of each", () => {
  using scope = new PythonScope();
  python.run("def first():\n    raise KeyError('one')", { scope });
  python.run(
    "def second():\n    try:\n        first()\n    except KeyError as e:\n        raise ValueError('two') from e",
    { scope },
  );
  const error = raisedBy(
    "try:\n    second()\nexcept ValueError:\n    raise RuntimeError('three')",
    { scope },
  );
  assertEquals([error.type, error.message], ["RuntimeError", "three"]);
  for (
    const part of [
      "    raise KeyError('one')\nKeyError: 'one'\n",
      "The above exception was the direct cause of the following exception:",
      "    raise ValueError('two') from e\nValueError: two\n",
      "During handling of the above exception, another exception occurred:",
      "    raise RuntimeError('three')\nRuntimeError: three\n",
    ]
  ) {
    assertStringIncludes(error.traceback, part);
  }
});

Deno.test("an exception that is said to come from none tells no other", () => {
  const { traceback } = raisedBy(
    "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise ValueError from None",
  );
  assertEquals(traceback.includes("ZeroDivisionError:"), false);
});

Deno.test("exceptions that lead to each other in a circle are told", () => {
  const error = raisedBy(`
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    raise one
  `);
  assertEquals(error.message, "one");
  assertStringIncludes(error.traceback, "raise one");
});

Deno.test("a group tells its exceptions, with their lines, and notes are told", () => {
  using scope = new PythonScope();
  python.run("def fail():\n    raise ValueError('member')", { scope });
  const error = raisedBy(
    `
    try:
        fail()
    except ValueError as e:
        e.add_note("a note")
        member = e
    raise ExceptionGroup("many", [member, KeyError("k")])
    `,
    { scope },
  );
  assertEquals(error.type, "ExceptionGroup");
  assertEquals(error.message, "many (2 sub-exceptions)");
  for (const part of ["raise ValueError('member')", "a note", "KeyError"]) {
    assertStringIncludes(error.traceback, part);
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

Deno.test("an exception whose message is no plain string is told", () => {
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

Deno.test("an exception of a class that breaks every question is told by its name", () => {
  const error = raisedBy(`
    class Meta(type):
        __module__ = property(lambda self: 1 / 0)
    class Broken(Exception, metaclass=Meta): pass
    raise Broken("words")
  `);
  assertEquals(error.type, "Broken");
});

Deno.test("lone surrogates in an exception are told in Python's notation", () => {
  const error = raisedBy("raise ValueError('a' + chr(0xd800) + '😀')");
  assertEquals(error.message, "a\\ud800😀");
  assertStringIncludes(error.traceback, "ValueError: a\\ud800😀");
});

Deno.test("source that is no Python is a SyntaxError that shows the place", () => {
  const error = raisedBy("x = 1\ny = = 2\n");
  assertEquals(error.type, "SyntaxError");
  assert(/^invalid syntax \(<python\.run \d+>, line 2\)$/.test(error.message));
  assertStringIncludes(error.traceback, "line 2\n    y = = 2\n        ^\n");
  const indented = raisedBy(`
    x = 1
    y = = 2
  `);
  assertStringIncludes(indented.traceback, "line 3\n    y = = 2\n        ^\n");
  const expressions = {
    "": "SyntaxError",
    "  \n ": "SyntaxError",
    "x = 1": "SyntaxError",
    "import sys": "SyntaxError",
    "1 +": "SyntaxError",
    "(1": "SyntaxError",
    "'open": "SyntaxError",
    "1; 2": "SyntaxError",
    "return 1": "SyntaxError",
    "\ufeff1": "SyntaxError",
  };
  for (const [source, type] of Object.entries(expressions)) {
    assertEquals(raised(() => python.eval(source)).type, type, source);
  }
});

Deno.test("the traceback of source that doesn't compile shows none of this library's frames", () => {
  for (const source of ["x = = 1", "nul\0", "  x = 1\n y = 2"]) {
    const { traceback } = raisedBy(source);
    assertEquals(traceback.includes("oneheap"), false, traceback);
    assertEquals(traceback.includes("compile_source"), false, traceback);
  }
});

Deno.test("a NUL in the source is an error of Python's", () => {
  for (const source of ["x = 1\0", "\0", "'a\0b'", "# comment \0"]) {
    for (const use of [python.run, python.eval]) {
      const { type, message } = raised(() => use(source));
      // What 3.11.3 and before raise.
      assert(type === "SyntaxError" || type === "ValueError", type);
      assertStringIncludes(message, "null bytes");
    }
  }
});

Deno.test("a lone surrogate in the source is a UnicodeEncodeError, and nothing runs", () => {
  using scope = new PythonScope();
  for (const character of ["\ud800", "\udc00", "\udfff"]) {
    for (const source of [`ran = '${character}'`, `ran = 1 # ${character}`]) {
      const { type, message } = raisedBy(source, { scope });
      assertEquals(type, "UnicodeEncodeError");
      assertStringIncludes(message, "surrogates not allowed");
    }
  }
  assertStrictEquals(scope.get("ran"), undefined);
});

Deno.test("a lone surrogate in the name of a variable that is asked for is one of the name", () => {
  using scope = new PythonScope();
  assertStrictEquals(scope.get("a\ud800"), undefined);
  python.run("globals()['a' + chr(0xd800)] = 1", { scope });
  assertEquals(scope.get("a\ud800"), 1);
});

Deno.test("source that nests without end is refused", () => {
  const sources = [
    "(".repeat(100_000) + "1",
    "[".repeat(1_000) + "]".repeat(1_000),
    "-".repeat(100_000) + "1",
    "+1".repeat(100_000),
    "x" + ".x".repeat(100_000),
    "lambda: ".repeat(10_000) + "1",
  ];
  for (const source of sources) {
    const { type } = raised(() => python.eval(source));
    assert(
      ["SyntaxError", "MemoryError", "RecursionError"].includes(type),
      type,
    );
  }
});

Deno.test("recursion without end is a RecursionError", () => {
  const sources = [
    "def f(): return f()\nf()",
    "class C:\n    def __repr__(self): return repr(self)\nrepr(C())",
    "class C:\n    def __getattr__(self, name): return getattr(self, name)\nC().x",
    "def f(x): return sorted([1, 2], key=f)\nf(1)",
    "x = []\nfor _ in range(100_000): x = [x]\nrepr(x)",
  ];
  for (const source of sources) {
    assertEquals(raisedBy(source).type, "RecursionError", source);
  }
});

Deno.test("memory that there isn't is a MemoryError", () => {
  assertEquals(
    raised(() => python.eval("bytearray(2**62)")).type,
    "MemoryError",
  );
});

Deno.test("an import that fails tells why", () => {
  const error = raisedBy("import no_such_module_anywhere");
  assertEquals(error.type, "ModuleNotFoundError");
  assertEquals(error.message, "No module named 'no_such_module_anywhere'");
});

Deno.test("an exception that is caught in Python is none to JavaScript, and leaves none behind", () => {
  python.run("try:\n    1 / 0\nexcept ZeroDivisionError:\n    pass");
  raisedBy("raise ValueError");
  using exception = python.eval("__import__('sys').exc_info()") as PyObjectRef;
  assertEquals(`${exception}`, "(None, None, None)");
});

Deno.test("nothing of code that raised is kept: its variables are gone when JavaScript sees the error", () => {
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
  const undefinedValue = undefined as unknown as PythonValue;
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
