/** Threads in a subinterpreter, which share the GIL with the main one unless they have one of their own. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { run } from "../support/process.ts";

/** Runs a script in which `call(source)` runs Python code in a subinterpreter, on the thread that calls it. */
function runWithSubinterpreter(script: string) {
  return run(`
    import { alloc, attach, detach, python, raw } from "@oneheap/oneheap";
    const minor = Number(python.version.split(".")[1]);
    const module = minor >= 13 ? "_interpreters" : "_xxsubinterpreters";
    // \`_ctypes\` is refused to isolated ones.
    const options = ["", "isolated=False", "'legacy'"][Math.max(minor - 11, 0)] ?? "'legacy'";
    python.run(\`
      import __main__, \${module}
      __main__.interpreters = \${module}
      __main__.interpreter = \${module}.create(\${options})
    \`);
    const call = (source) => python.run(
      "import __main__; __main__.interpreters.run_string(__main__.interpreter, source)",
      { names: { source } },
    );
    const addressOf = (callback) => Number(Deno.UnsafePointer.value(callback.pointer));
    const callbackOf = (work) =>
      new Deno.UnsafeCallback({ parameters: [], result: "void" }, () => {
        try {
          console.log(work());
        } catch (error) {
          console.log(error.name, error.message);
        }
      });
    ${script}
    console.log("end");
  `);
}

/** Runs a script that has to come to its end, and returns what it printed. */
async function output(script: string): Promise<string[]> {
  const { code, signal, stdout, stderr } = await runWithSubinterpreter(script);
  assertEquals({ code, signal }, { code: 0, signal: null }, stderr);
  return stdout.trimEnd().split("\n");
}

Deno.test("a callback that holds a subinterpreter's GIL gets an error, not the main interpreter", async () => {
  const [evaluated, attached, allocated, after, ...rest] = await output(`
    for (const work of [
      () => python.eval("1 + 1"),
      () => attach(),
      () => alloc(Uint8Array, 8),
    ]) {
      const callback = callbackOf(work);
      call("import ctypes; ctypes.PYFUNCTYPE(None)(" + addressOf(callback) + ")()");
      callback.close();
    }
    console.log(python.eval("1 + 1"));
  `);
  for (const message of [evaluated, attached, allocated]) {
    assertStringIncludes(
      message,
      "LibraryError This thread is attached to a subinterpreter",
    );
  }
  assertEquals([after, ...rest], ["2", "end"]);
});

Deno.test("a callback that released the subinterpreter's GIL may use the main interpreter", async () => {
  const printed = await output(`
    const callback = callbackOf(() => python.eval("1 + 1"));
    call("import ctypes; ctypes.CFUNCTYPE(None)(" + addressOf(callback) + ")()");
    callback.close();
  `);
  assertEquals(printed, ["2", "end"]);
});

Deno.test("memory that is freed in a subinterpreter waits for the main one, whatever its size", async () => {
  const printed = await output(`
    const small = raw.malloc(64), large = raw.malloc(1_000_000);
    const callback = callbackOf(() => {
      raw.free(small);
      raw.free(large);
      return "freed";
    });
    call("import ctypes; ctypes.PYFUNCTYPE(None)(" + addressOf(callback) + ")()");
    callback.close();
    console.log(python.eval("1 + 1"));
  `);
  assertEquals(printed, ["freed", "2", "end"]);
});

Deno.test("the thread that made a subinterpreter may use the main one while another thread runs code in it", async () => {
  const printed = await output(`
    let evaluated = 0;
    const source = "import time\\nend = time.monotonic() + 1\\nwhile time.monotonic() < end: sum(range(20_000)); time.sleep(0)";
    const running = python.runAsync(
      "import __main__; __main__.interpreters.run_string(__main__.interpreter, source)",
      { names: { source } },
    );
    const end = performance.now() + 900;
    while (performance.now() < end) evaluated += python.eval("1");
    await running;
    console.log(evaluated > 10);
  `);
  assertEquals(printed, ["true", "end"]);
});

Deno.test("the thread that made a subinterpreter may use the main one while another thread enters and leaves it", async () => {
  const printed = await output(`
    const running = python.runAsync(\`
      import __main__
      for _ in range(3_000):
        __main__.interpreters.run_string(__main__.interpreter, "1")
    \`);
    let isRunning = true, evaluated = 0;
    const ended = running.finally(() => isRunning = false);
    while (isRunning) {
      for (let time = 0; time < 100; time++) evaluated += python.eval("1");
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    await ended;
    console.log(evaluated > 10);
  `);
  assertEquals(printed, ["true", "end"]);
});

Deno.test("a callback in a subinterpreter that another thread made gets an error", async () => {
  const printed = await output(`
    // On a thread of Python's: JavaScript's thread runs the code.
    await python.runAsync(\`
      import __main__
      __main__.first = __main__.interpreter
      __main__.interpreter = __main__.interpreters.create(\${options})
    \`);
    const callback = callbackOf(() => python.eval("1 + 1"));
    call("import ctypes; ctypes.PYFUNCTYPE(None)(" + addressOf(callback) + ")()");
    callback.close();
  `);
  assertStringIncludes(printed[0], "attached to a subinterpreter");
  assertEquals(printed[1], "end");
});
