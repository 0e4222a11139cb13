/** Exceptions of Python are thrown as a `PythonError`, whatever user code did to `Error`. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { PythonError } from "../../mod.ts";
import { run } from "../support/process.ts";
import { raisedBy } from "./errors.ts";

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
