/** Runs at the end of the process and of Workers. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { end } from "./asynchronous.ts";

Deno.test("a run that nobody awaits ends before the process does", async () => {
  const { code, stdout } = await end(`
    python.runAsync("import time; time.sleep(0.1); print('Python')");
    console.log("JavaScript");
  `);
  assertEquals(stdout, "JavaScript\nPython\n");
  assertEquals(code, 0);
});

Deno.test("a run that nobody awaits and that fails is an uncaught error", async () => {
  const { code, stderr } = await end(`python.runAsync("1 / 0");`);
  assertStringIncludes(stderr, "PythonError: division by zero");
  assertEquals(code, 1);
});

Deno.test("the process ends while runs compute and sleep, by Deno.exit and by an uncaught error", async () => {
  const runs = `
    python.run("import atexit; atexit.register(lambda: print('at exit'))");
    for (let index = 0; index < 10; index++) {
      python.runAsync("while True: pass");
      python.runAsync("import time; time.sleep(1_000)");
    }
  `;
  const ends = await Promise.all([
    end(`${runs} soon(() => Deno.exit(3));`),
    end(`${runs} Deno.exit(3);`),
    end(`${runs} soon(() => { throw new Error("thrown"); });`),
  ]);
  assertEquals(ends.map(({ code }) => code), [3, 3, 1]);
  for (const { stdout } of ends) assertEquals(stdout, "at exit\n");
});

Deno.test("Workers await runs while the main thread does", async () => {
  const { code, stdout, stderr } = await end(`
    const workers = await Promise.all([1, 2, 3].map((number) => work(\`
      using block = alloc(Float64Array, [\${number}]);
      const results = await Promise.all(Array.from({ length: 50 }, (_, index) =>
        python.evalAsync("memoryview(block)[0] + index", { names: { block, index } })));
      if (!results.every((result, index) => result === \${number} + index)) {
        throw new Error("another thread's results");
      }
      postMessage("done");
    \`)));
    console.log(await python.evalAsync("6 * 7"));
    for (const worker of workers) worker.terminate();
  `);
  assertEquals({ code, stdout }, { code: 0, stdout: "42\n" }, stderr);
});

Deno.test("what a Worker has running is interrupted when the Worker ends, and the process goes on", async () => {
  // Were it not interrupted, the run would keep the block.
  const { code, stdout, stderr } = await end(`
    const until = async (condition) => {
      while (!condition()) await new Promise((resolve) => soon(resolve, 5));
    };
    for (const ending of ["", "close();", "throw new Error('end');"]) {
      const worker = await work(\`
        const block = alloc(Float64Array, 1_000);
        const soon = (then) => setTimeout(then, 50);
        for (let index = 0; index < 10; index++) {
          python.runAsync("while True: len(block.__class__.__name__)", { names: { block } });
          python.runAsync("import time\\\\nwhile True: time.sleep(0.001)", { names: { block } });
          python.runAsync("1 + 1");
        }
        onmessage = () => { \${ending} };
        soon(() => postMessage("there"));
      \`);
      worker.onerror = (event) => event.preventDefault();
      if (ending === "") worker.terminate();
      else worker.postMessage("end");
      await until(() => stats().blocks === 0);
      console.log(await python.evalAsync("6 * 7"));
      worker.terminate();
    }
  `);
  assertEquals({ code, stdout }, { code: 0, stdout: "42\n42\n42\n" }, stderr);
});
