/** deno_python in the same process, imported before or after, with the measures that the guide tells of. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { python } from "../../mod.ts";
import { HAS_GIL } from "../support/build.ts";
import { run, type RunResult } from "../support/process.ts";

const DENO_PYTHON = import.meta.resolve("./deno_python.ts");

/** The module that the guide has users write, with the stand-in for deno_python. */
function guideModule(): string {
  const guide = Deno.readTextFileSync(
    new URL("../../docs/guide/beside-deno_python.md", import.meta.url),
  );
  const [, module] = guide.match(/```ts ignore\n(.*?)```/s)!;
  const source = module
    .replace("@oneheap/oneheap", import.meta.resolve("../../mod.ts"))
    .replace("jsr:@denosaurs/python", DENO_PYTHON);
  assertStringIncludes(source, DENO_PYTHON);
  return "data:application/typescript," + encodeURIComponent(source);
}

/** Has what deno_python gives to `FinalizationRegistry` run attached, once `attach` is there. */
const WRAP = `
  let attach = () => undefined;
  const Native = globalThis.FinalizationRegistry;
  globalThis.FinalizationRegistry = class extends Native {
    constructor(release) {
      super((held) => {
        using _attached = attach();
        release(held);
      });
    }
  };
`;

/** Ways to import both. Each says how deno_python is used, and how something is awaited that others do in Python. */
const ORDERS = {
  "deno_python first": `
    ${WRAP}
    const { ProxiedPyObject, PyObject, python: other } = await import("${DENO_PYTHON}");
    const { alloc, detach, PyObjectRef, python, stats, ...oneheap } = await import("@oneheap/oneheap");
    attach = oneheap.attach;
    globalThis.FinalizationRegistry = Native;
    const use = (work) => work();
    const wait = async (work) => {
      using _detached = detach();
      return await work();
    };
  `,
  "oneheap first": `
    const { alloc, attach, PyObjectRef, python, stats } = await import("@oneheap/oneheap");
    const { ProxiedPyObject, PyObject, python: other } = await import("${guideModule()}");
    const use = (work) => {
      using _attached = attach();
      return work();
    };
    const wait = (work) => work();
  `,
};

/** What scripts have at hand besides. */
const PRELUDE = `
  function assertEquals(actual, expected) {
    if (actual !== expected) throw new Error(actual + " is not " + expected);
  }

  const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  async function until(condition) {
    while (!condition()) {
      gc();
      await sleep(5);
    }
  }

  use(() => other.run(\`
def total(block):
    return float(sum(memoryview(block)))
\`));
  const main = use(() => other.import("__main__"));
  const total = use(() => main.attribute("total"));

  /** Has deno_python sum a block; the object that it is given is lost. */
  const sum = (block) => use(() => total.call(new PyObject(block.toPython())).valueOf());
`;

/** Runs a script with both imported, in either order; it has to print "done". */
async function assertDone(script: string): Promise<void> {
  for (const [order, imports] of Object.entries(ORDERS)) {
    const { code, signal, stdout, stderr } = await runBoth(
      `${imports} ${PRELUDE} ${script} console.log("done");`,
    );
    assertEquals(
      { order, code, signal, stdout },
      { order, code: 0, signal: null, stdout: "done\n" },
      stderr,
    );
  }
}

function runBoth(source: string): Promise<RunResult> {
  return run(source, { env: { DENO_PYTHON_PATH: python.library } });
}

const ignore = Deno.build.os !== "linux";

Deno.test({
  name:
    "beside deno_python: one Python, in which each finds what the other does",
  ignore,
  fn: () =>
    assertDone(`
      assertEquals(python.library, Deno.env.get("DENO_PYTHON_PATH"));
      python.run("import __main__; __main__.ours = 42");
      use(() => other.run("assert ours == 42; theirs = 43"));
      assertEquals(python.eval("__import__('__main__').theirs"), 43);
    `),
});

Deno.test({
  name:
    "beside deno_python: its objects are borrowed and referred to, and blocks given to it",
  ignore,
  fn: () =>
    assertDone(`
      use(() => {
        other.run("import array; numbers = array.array('d', [1.5, 2.5])");
        const numbers = main.attribute("numbers");
        {
          using borrowed = python.borrow(numbers[ProxiedPyObject].handle, Float64Array);
          borrowed.view[0] = 10;
          other.run("assert numbers[0] == 10");
          using reference = PyObjectRef.from(numbers.handle);
          assertEquals(python.eval("sum(x)", { names: { x: reference } }), 12.5);
        }
        other.run("numbers.append(1)");
      });
      using block = alloc(Float64Array, [1, 2, 3]);
      assertEquals(sum(block), 6);
      python.run("import __main__; __main__.block = block", { names: { block } });
      use(() => other.run("memoryview(block)[0] = 7; del block"));
      assertEquals(block.view[0], 7);
    `),
});

Deno.test({
  name: "beside deno_python: what JavaScript lost of its objects is released",
  ignore,
  fn: () =>
    assertDone(`
      for (let turn = 0; turn < 100; turn++) {
        using block = alloc(Float64Array, [1, 2, 3]);
        assertEquals(sum(block), 6);
        use(() => other.list([1.5, 2.5]));
      }
      await until(() => stats().blocks === 0);
    `),
});

Deno.test({
  name:
    "beside deno_python: runs, Workers and Python's threads go on while JavaScript awaits, and what it lost is released",
  ignore,
  fn: () =>
    assertDone(`
      for (let turn = 0; turn < 5; turn++) {
        using block = alloc(Float64Array, [1, 2, 3]);
        sum(block);
        await wait(async () => {
          gc();
          assertEquals(await python.evalAsync("__import__('time').sleep(0.01) or 42"), 42);
        });
      }
      await wait(() => until(() => stats().blocks === 0));
      use(() => other.run(\`
import threading
ran = threading.Event()
threading.Thread(target=ran.set).start()
\`));
      await wait(() => until(() => python.eval("__import__('__main__').ran.is_set()")));
      const worker = new Worker("data:text/javascript," + encodeURIComponent(\`
        import { alloc, python } from "@oneheap/oneheap";
        // Freed before the other thread attaches for good: under the debug hooks freeing waits for the GIL.
        const block = alloc(Float64Array, [1, 2]);
        const sum = python.eval("sum(memoryview(block))", { names: { block } });
        const one = await python.evalAsync("1");
        block.free();
        postMessage(sum + one);
      \`), { type: "module" });
      const answer = await wait(() => new Promise((resolve) => worker.onmessage = resolve));
      assertEquals(answer.data, 4);
      worker.terminate();
      assertEquals(sum(alloc(Float64Array, [1, 2, 3])), 6);
    `),
});

Deno.test({
  name: "beside deno_python: Python's exit functions run, whoever started it",
  ignore,
  async fn() {
    for (const imports of Object.values(ORDERS)) {
      const { code, stdout } = await runBoth(`
        ${imports}
        use(() => other.run("import atexit; atexit.register(lambda: print('at exit', end=''))"));
        Deno.exit(3);
      `);
      assertEquals({ code, stdout }, { code: 3, stdout: "at exit" });
    }
  },
});

Deno.test({
  name: "where deno_python was first, a run waits for a detachment",
  ignore: ignore || !HAS_GIL,
  async fn() {
    const { code, stdout, stderr } = await runBoth(`
      ${ORDERS["deno_python first"]}
      let waits = true;
      const running = python.runAsync("pass").then(() => waits = false);
      await new Promise((resolve) => setTimeout(resolve, 100));
      console.log(waits);
      await wait(() => running);
      console.log(waits);
    `);
    assertEquals(
      { code, stdout },
      { code: 0, stdout: "true\nfalse\n" },
      stderr,
    );
  },
});
