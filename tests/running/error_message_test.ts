/** Messages of exceptions: very long ones, odd ones, and those that can't be shown. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { python } from "../../mod.ts";
import { run } from "../support/process.ts";
import { raisedBy } from "./errors.ts";

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
  Deno.test(`a message of ${length} times ${character} is reported, in texts made of it shortened`, async () => {
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
  Deno.test(`an exception with ${name} is reported`, () => {
    const error = raisedBy(source);
    assertEquals(error.type, type);
    if (typeof message === "string") assertEquals(error.message, message);
    else assert(message.test(error.message), error.message);
    assertStringIncludes(error.traceback, type.split(".").at(-1)!);
    assert(error.traceback.length < 200_000);
    assertEquals(python.eval("6 * 7"), 42);
  });
}

Deno.test("an exception whose str() runs JavaScript, which raises in Python, is reported", async () => {
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
