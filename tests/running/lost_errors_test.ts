/** Exceptions of Python's are thrown as a `PythonError`, whatever user code did to `Error`, and whatever they say of themselves. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { LazyTraceback } from "../../ffi/errors.ts";
import {
  type PyObjectRef,
  python,
  PythonError,
  PythonScope,
} from "../../mod.ts";
import { run, until } from "../support/helpers.ts";

/** What a program of `run` has for each place: it prints what is thrown where that code raises. */
const SHOW = `
  import { python, PythonError } from "@oneheap/oneheap";
  const { log } = console;
  function show(code = "1 / 0") {
    try {
      python.run(code);
    } catch (error) {
      const { type, message, traceback, stack, cause } = error;
      log(error instanceof PythonError, error.name, type, message);
      log(traceback.includes(type), typeof stack, stack.startsWith("PythonError: " + type));
      log(stack.includes(traceback.trimEnd()), cause instanceof Error, cause.message === traceback.trimEnd());
    }
  }
`;

const SHOWN = `true PythonError ZeroDivisionError division by zero
true string true
true true true
`;

/** What user code can do to \`Error\` and others, in a process of its own. */
const HOSTILE: Record<string, string> = {
  "Error is frozen": "Object.freeze(Error); Object.freeze(Error.prototype);",
  "all intrinsics are frozen": `
    for (const name of Object.getOwnPropertyNames(globalThis)) {
      const value = globalThis[name];
      if (typeof value !== "function" || name === "console") continue;
      Object.freeze(value);
      if (typeof value.prototype === "object") Object.freeze(value.prototype);
    }
  `,
  "prepareStackTrace gives an object":
    "Error.prepareStackTrace = () => ({ sites: [] });",
  "prepareStackTrace gives what lies about itself": `
    Error.prepareStackTrace = () => ({ toString() { throw 1 }, indexOf: 5, slice: null });
  `,
  "prepareStackTrace throws":
    "Error.prepareStackTrace = () => { throw new TypeError('mine') };",
  "prepareStackTrace is a getter": `
    Object.defineProperty(Error, "prepareStackTrace", { get() { throw new TypeError("mine") } });
  `,
  "prepareStackTrace raises in Python": `
    let depth = 0;
    Error.prepareStackTrace = () => {
      if (depth++ > 3) return "";
      try { python.run("raise KeyError") } catch (error) { return error.stack + depth }
    };
  `,
  "stackTraceLimit is 0": "Error.stackTraceLimit = 0;",
  "stackTraceLimit is infinite": "Error.stackTraceLimit = Infinity;",
  "stackTraceLimit is no number": "Error.stackTraceLimit = 'many';",
  "stackTraceLimit is gone": "delete Error.stackTraceLimit;",
  "stackTraceLimit can't be written": `
    Object.defineProperty(Error, "stackTraceLimit", { value: 5, writable: false, configurable: false });
  `,
  "stackTraceLimit is a getter": `
    Object.defineProperty(Error, "stackTraceLimit", { get() { throw 1 }, set() { throw 1 } });
  `,
  "Error.prototype has setters": `
    for (const name of ["name", "message", "type", "stack", "cause"]) {
      Object.defineProperty(Error.prototype, name, { get() { return "theirs" }, set() { throw new TypeError("mine") } });
    }
  `,
  "Object.prototype has what descriptors have": `
    Object.prototype.get = () => "theirs";
    Object.prototype.set = () => {};
    Object.prototype.cause = "theirs";
    Object.prototype.value = "theirs";
  `,
  "what the library calls is patched": `
    const fail = () => { throw new TypeError("mine") };
    Array.isArray = Array.prototype[Symbol.iterator] = Error.captureStackTrace = fail;
    Object.defineProperty = Reflect.defineProperty = Reflect.apply = fail;
  `,
  "Error is another": "globalThis.Error = class Mine {};",
};

for (const [name, hostile] of Object.entries(HOSTILE)) {
  Deno.test(`an exception is thrown as a PythonError where ${name}`, async () => {
    // What is read of the error is patched as well in some places.
    const native = name === "what the library calls is patched"
      ? SHOW.replace("cause instanceof Error", "true")
      : name === "Error is another"
      ? SHOW.replace("cause instanceof Error", "typeof cause === 'object'")
      : SHOW;
    const { stdout, stderr } = await run(`${native}\n${hostile}\nshow();`);
    assertEquals(stdout, SHOWN, stderr);
  });
}

/** Fails unless the statements raise; returns the error. */
function raisedBy(source: string, scope?: PythonScope): PythonError {
  return assertThrows(() => python.run(source, { scope }), PythonError);
}

Deno.test("nothing of Error is changed by an exception, by its stack or by its cause", () => {
  const before = Object.getOwnPropertyDescriptors(Error);
  const error = raisedBy("1 / 0");
  assertStringIncludes(error.stack!, "Traceback");
  assertStringIncludes((error.cause as Error).message, "Traceback");
  assertEquals(Object.getOwnPropertyDescriptors(Error), before);
});

Deno.test("the stack is a string that can be set, as that of any error", () => {
  const error = raisedBy("1 / 0");
  assertEquals(error.stack, error.stack);
  assertEquals(Object.keys(error).includes("stack"), false);
  assertEquals(Object.hasOwn(error, "stack"), true);
  error.stack = "mine";
  assertEquals(error.stack, "mine");
  error.cause = "why";
  assertEquals(error.cause, "why");
  const inheriting = Object.create(raisedBy("1 / 0"));
  assertEquals([inheriting.stack, inheriting.cause], [undefined, undefined]);
});

Deno.test("a PythonError that users make has what they give", () => {
  const error = new PythonError("Type", "message", "Traceback\n");
  assertEquals([error.type, error.message, error.traceback, error.name], [
    "Type",
    "message",
    "Traceback\n",
    "PythonError",
  ]);
  assert(error.stack!.startsWith("PythonError: Type: message\n    at "));
  assert(error.stack!.endsWith("\n\nTraceback"));
  assertEquals((error.cause as Error).message, "Traceback");
  assertEquals(new PythonError("T", "m", "t", { cause: 5 }).cause, 5);
  assertEquals(new PythonError("T", "m", "t", {}).cause, undefined);
});

Deno.test("an error that is cloned keeps its stack, with the traceback", () => {
  const { stack, message, traceback } = raisedBy(
    "def fail():\n    1 / 0\nfail()",
  );
  const error = raisedBy("def fail():\n    1 / 0\nfail()");
  const clone = structuredClone(error);
  assert(clone instanceof Error);
  assertEquals(clone.message, message);
  assertStringIncludes(clone.stack!, "in fail");
  assert(stack!.endsWith(traceback.trimEnd()));
});

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

Deno.test("an error that isn't read keeps nothing of the code that raised alive", () => {
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
  assertEquals(python.eval("len(living)", { scope }), 0);
  assertStringIncludes(
    error.traceback,
    "The above exception was the direct cause",
  );
  assertStringIncludes(error.traceback, "\nOwn: <");
});

Deno.test("what an error that is lost keeps of its traceback is freed", async () => {
  using scope = new PythonScope();
  python.run(
    "import gc\ndef count(): return sum(type(it).__name__ == 'Report' for it in gc.get_objects())\nclass Report(list): pass\nprobe = Report()",
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

/** A message of one character repeated, and how long what JavaScript gets of it is. */
const LONG: [string, number, number][] = [
  ["x", 300_000_000, 300_000_000],
  ["ü", 300_000_000, 300_000_000],
  ["x", 2 ** 29 - 24, 2 ** 29 - 24],
  ["x", 2 ** 29 - 23, 65_536 + "… (536805353 more characters)".length],
  ["x", 600_000_000, 65_536 + "… (599934464 more characters)".length],
  ["😀", 2 ** 28, 2 * 65_536 + "… (268369920 more characters)".length],
];

for (const [character, length, expected] of LONG) {
  Deno.test(`a message of ${length} times ${character} is told, in texts made of it shortened`, async () => {
    const { stdout, stderr } = await run(`
      import { python, PythonError } from "@oneheap/oneheap";
      try {
        python.run("raise ValueError('${character}' * ${length})");
      } catch (error) {
        const { type, message, traceback, stack, cause } = error;
        console.log(error instanceof PythonError, type, message.length);
        for (const text of [traceback, stack, cause.message]) {
          console.log(text.length < 400_000, /\\d+ more characters/.test(text), text.includes("Traceback"));
        }
        console.log(stack.includes("\\n    at "), stack.startsWith("PythonError: ValueError: "));
      }
    `);
    assertEquals(
      stdout,
      `true ValueError ${expected}\n${"true true true\n".repeat(3)}true true\n`,
      stderr,
    );
  });
}

/** Exceptions that say odd things of themselves: the source, and what JavaScript gets of them. */
const ODD: Record<string, [string, string, string | RegExp]> = {
  "a metaclass that answers with errors": [
    "class Meta(type):\n    def __getattribute__(self, name): raise KeyError(name)\nclass Own(Exception, metaclass=Meta): pass\nraise Own('words')",
    "Own",
    "words",
  ],
  "a metaclass that lies": [
    "class Meta(type):\n    def __getattribute__(self, name): return 5\nclass Own(Exception, metaclass=Meta): pass\nraise Own('words')",
    "Own",
    "words",
  ],
  "a module that is none": [
    "class Own(Exception): pass\nOwn.__module__ = 5\nraise Own('words')",
    "<unknown>.Own",
    "words",
  ],
  "a module and a name of str's subclass": [
    "class S(str):\n    def __format__(self, how): raise KeyError\n    def __eq__(self, other): raise KeyError\n    __hash__ = str.__hash__\nclass Own(Exception): pass\nOwn.__module__ = S('m')\nOwn.__qualname__ = S('q')\nraise Own('words')",
    "m.q",
    "words",
  ],
  "a class that is no class to isinstance": [
    "class Own(Exception):\n    __class__ = property(lambda self: 1 / 0)\nraise Own('words')",
    "Own",
    "words",
  ],
  "attributes that raise": [
    "class Own(Exception):\n    def __getattribute__(self, name): raise KeyError(name)\nraise Own('words')",
    "Own",
    "words",
  ],
  "a traceback that raises": [
    "class Own(Exception):\n    __traceback__ = property(lambda self: 1 / 0)\n    __cause__ = property(lambda self: 1 / 0)\nraise Own('words')",
    "Own",
    "words",
  ],
  "a message of lone surrogates": [
    "raise ValueError('\\udc00' + chr(0x10ffff))",
    "ValueError",
    "\\udc00\u{10ffff}",
  ],
  "a message that raises SystemExit": [
    "class Own(Exception):\n    def __str__(self): raise SystemExit\nraise Own",
    "Own",
    "<its message can't be shown>",
  ],
  "notes that aren't": [
    "e = ValueError('words')\ne.__notes__ = 5\nraise e",
    "ValueError",
    "words",
  ],
  "notes that raise": [
    "class N:\n    def __str__(self): raise KeyError\n    __repr__ = __str__\ne = ValueError('words')\ne.__notes__ = [N(), 'x' * 1_000_000]\nraise e",
    "ValueError",
    "words",
  ],
  "a SyntaxError of odd parts": [
    "raise SyntaxError('words', (object(), [], {}, b'', None, ()))",
    "SyntaxError",
    /^words/,
  ],
  "a group that changes": [
    "class G(ExceptionGroup):\n    exceptions = property(lambda self: [1, 2])\nraise G('words', [ValueError()])",
    "G",
    /^words/,
  ],
};

for (const [name, [source, type, message]] of Object.entries(ODD)) {
  Deno.test(`an exception with ${name} is told`, () => {
    const error = raisedBy(source);
    assertEquals(error.type, type);
    if (typeof message === "string") assertEquals(error.message, message);
    else assert(message.test(error.message), error.message);
    assertStringIncludes(error.traceback, type.split(".").at(-1)!);
    assert(error.traceback.length < 200_000);
    assertEquals(python.eval("6 * 7"), 42);
  });
}

Deno.test("an exception whose str() runs JavaScript, which raises in Python, is told", async () => {
  const { stdout, stderr } = await run(`
    import { python, PythonScope } from "@oneheap/oneheap";
    let inner;
    const callback = new Deno.UnsafeCallback({ parameters: [], result: "void" }, () => {
      try { python.run("raise KeyError('inner')") } catch (error) { inner = error }
    });
    using scope = new PythonScope();
    python.run(\`
    import ctypes
    call = ctypes.CFUNCTYPE(None)(address)
    class Own(Exception):
        def __str__(self):
            call()
            return "outer"
    \`, { scope, names: { address: Number(Deno.UnsafePointer.value(callback.pointer)) } });
    try { python.run("raise Own", { scope }) } catch (error) {
      console.log(error.type, error.message, error.traceback.includes("Own: outer"));
    }
    console.log(inner.type, inner.message, inner.traceback.includes("KeyError: 'inner'"));
    callback.close();
  `);
  assertEquals(stdout, "Own outer true\nKeyError 'inner' true\n", stderr);
});

Deno.test("at the end of JavaScript's stack an exception is a PythonError or JavaScript's RangeError, and its stack is read later", async () => {
  const { stdout, stderr } = await run(`
    import { python, PythonError } from "@oneheap/oneheap";
    const outcomes = new Set(), errors = [];
    const made = (() => { try { python.run("1 / 0") } catch (error) { return error } })();
    const descend = (levels, use) => levels === 0 ? use() : descend(levels - 1, use);
    const attempt = (use) => {
      let levels = 1;
      try { while (true) { descend(levels, () => 0); levels += 50 } } catch {}
      for (let level = Math.floor(levels * 0.85); level < levels + 50; level += 5) {
        try { descend(level, use) } catch (error) {
          outcomes.add(error instanceof PythonError ? "PythonError" : error instanceof RangeError ? "RangeError" : String(error));
          if (error instanceof PythonError && errors.length < 2000) errors.push(error);
        }
      }
    };
    attempt(() => python.run("1 / 0"));
    attempt(() => { made.stack; });
    attempt(() => { made.cause; });
    console.log([...outcomes].sort().join());
    console.log(made.stack.includes("ZeroDivisionError: division by zero\\n    at ") , made.stack.endsWith(made.traceback.trimEnd()), made.cause.message.includes("Traceback"));
    console.log(errors.every((error) => error.type === "ZeroDivisionError" && error.stack.includes("Traceback (most recent")));
  `);
  assertEquals(
    stdout,
    "PythonError,RangeError\ntrue true true\ntrue\n",
    stderr,
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
  let released = 0;
  const lazy = new LazyTraceback(() => texts[0], () => released++);
  const error = new PythonError("Type", "words", lazy as unknown as string);
  const instead = "Type: words\n(Python can't be asked for the traceback)";
  assertEquals(error.traceback, `${instead}\n`);
  assertEquals((error.cause as Error).message, instead);
  assert(error.stack!.startsWith("PythonError: Type: words\n    at "));
  assert(error.stack!.endsWith(`\n\n${instead}`));
  assertEquals(released, 0);
  texts.push("Traceback");
  assertEquals(error.traceback, "Traceback");
  assertEquals((error.cause as Error).message, "Traceback");
  assert(error.stack!.endsWith("\n\nTraceback"));
  assertEquals(released, 1);
});

Deno.test("a finaliser that runs while code is compiled may run code itself", async () => {
  const { stdout, stderr } = await run(`
    import { python, PythonScope } from "@oneheap/oneheap";
    let n = 0, depth = 0;
    const callback = new Deno.UnsafeCallback({ parameters: [], result: "void" }, () => {
      if (depth > 0) return;
      depth++;
      try { python.run(\`y = \${n++}\`); python.run("1 +") } catch { /* raised */ } finally { depth--; }
    });
    using scope = new PythonScope();
    python.run(\`
import ctypes, gc
call = ctypes.CFUNCTYPE(None)(a)
class D:
    def __init__(self): self.me = self
    def __del__(self): call()
def garbage():
    for _ in range(3): D()
gc.disable()
\`, { scope, names: { a: Number(Deno.UnsafePointer.value(callback.pointer)) } });
    for (let i = 0; i < 3000; i++) {
      python.run(\`garbage(); gc.set_threshold(\${1 + (i % 60)}); gc.enable()\`, { scope });
      python.run(\`x = \${i}\`);
      python.run("gc.disable()", { scope });
    }
    console.log("ok", n > 0);
    callback.close();
  `);
  assertEquals(stdout, "ok true\n", stderr);
});
