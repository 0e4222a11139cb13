import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { run, type RunResult } from "../support/process.ts";

/** Longer than a process needs to end, the two seconds that it may wait for Python among it, and less than for ever. */
const SOON = 20_000;

/** Runs a script after Python code that leaves its output unfinished and has something to do at the end. */
async function runToEnd(script: string): Promise<RunResult> {
  const start = performance.now();
  const result = await run(
    `
    import { attach } from "@oneheap/oneheap";
    import { execute } from "@oneheap/c_api";
    execute(\`
import atexit, threading, time
atexit.register(lambda: print("at exit", end=""))
print("unfinished", end=" ")
\`);
    function startWorker(source) {
      const code = \`
        import { attach } from "@oneheap/oneheap";
        import { execute } from "@oneheap/c_api";
        \${source}
      \`;
      return new Worker(
        "data:text/javascript," + encodeURIComponent(code),
        { type: "module" },
      );
    }
    ${script}
    `,
    { env: { PYTHONUNBUFFERED: "" } },
  );
  assert(performance.now() - start < SOON);
  assertEquals(result.signal, null);
  return result;
}

Deno.test("at a normal end Python's exit functions run, and its output is flushed", async () => {
  const { code, stdout, stderr } = await runToEnd("");
  assertEquals(stderr, "");
  assertEquals(stdout, "unfinished at exit");
  assertEquals(code, 0);
});

Deno.test("at Deno.exit() Python's exit functions run, and the code is kept", async () => {
  const { code, stdout } = await runToEnd("Deno.exit(3);");
  assertEquals(stdout, "unfinished at exit");
  assertEquals(code, 3);
});

Deno.test("at an uncaught error Python's exit functions run", async () => {
  const thrown = await runToEnd("throw new Error('thrown');");
  assertEquals(thrown.stdout, "unfinished at exit");
  assertStringIncludes(thrown.stderr, "Error: thrown");
  assertEquals(thrown.code, 1);
  const rejected = await runToEnd("Promise.reject(new Error('rejected'));");
  assertEquals(rejected.stdout, "unfinished at exit");
  assertStringIncludes(rejected.stderr, "Error: rejected");
  assertEquals(rejected.code, 1);
});

Deno.test("an exit function that fails prints its exception, and the others run", async () => {
  const { code, stdout, stderr } = await runToEnd(
    "execute('atexit.register(lambda: 1 / 0)');",
  );
  assertEquals(stdout, "unfinished at exit");
  assertStringIncludes(stderr, "ZeroDivisionError: division by zero");
  assertEquals(code, 0);
});

Deno.test("Python's exit functions run where the thread that ends the process is attached", async () => {
  const ended = await runToEnd("attach();");
  assertEquals(ended.stdout, "unfinished at exit");
  assertEquals(ended.code, 0);
  const exited = await runToEnd("attach(); attach(); Deno.exit(4);");
  assertEquals(exited.stdout, "unfinished at exit");
  assertEquals(exited.code, 4);
});

Deno.test("Python's exit functions run while its threads do", async () => {
  const { code, stdout } = await runToEnd(`
    execute(\`
def spin():
    while True:
        pass
threading.Thread(target=spin, daemon=True).start()
threading.Thread(target=time.sleep, args=[1_000]).start()
\`);
  `);
  assertEquals(stdout, "unfinished at exit");
  assertEquals(code, 0);
});

Deno.test("the process ends while a Worker stays attached, and while an exit function doesn't end", async () => {
  const results = await Promise.all([
    runToEnd(`
      const worker = startWorker(\`
        attach();
        postMessage("attached");
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      \`);
      worker.onmessage = () => Deno.exit(5);
    `),
    runToEnd(`
      execute("atexit.register(time.sleep, 1_000)");
      Deno.exit(5);
    `),
  ]);
  assertEquals(results.map(({ code }) => code), [5, 5]);
});

Deno.test("Workers end the process for themselves only, and their exit functions run when it ends", async () => {
  const { code, stdout, stderr } = await runToEnd(`
    const ends = ["close();", "Deno.exit(6);", "attach(); Deno.exit(6);"];
    for (const [index, end] of ends.entries()) {
      const worker = startWorker(\`
        execute("atexit.register(lambda: print('worker', \${index}))");
        postMessage("registered");
        \${end}
      \`);
      await new Promise((resolve) => worker.onmessage = resolve);
    }
    execute("print('main goes on')");
  `);
  assertEquals(stderr, "");
  assertEquals(
    stdout,
    "unfinished main goes on\nworker 2\nworker 1\nworker 0\nat exit",
  );
  assertEquals(code, 0);
});

Deno.test("an uncaught error in a Worker ends the process, and Python's exit functions run", async () => {
  const { code, stdout, stderr } = await runToEnd(
    `startWorker("execute('print(1)'); attach(); throw new Error('in Worker');");`,
  );
  assertEquals(stdout, "unfinished 1\nat exit");
  assertStringIncludes(stderr, "Error: in Worker");
  assertEquals(code, 1);
});
