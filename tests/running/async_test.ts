import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import {
  alloc,
  FreedError,
  type PyObjectRef,
  python,
  PythonError,
  PythonScope,
  stats,
} from "../../mod.ts";
import { run, until } from "../support/helpers.ts";

/** Counts the ticks of a timer of a millisecond. */
function startClock(): { ticks: number } & Disposable {
  const clock = {
    ticks: 0,
    [Symbol.dispose]: () => clearInterval(timer),
  };
  const timer = setInterval(() => clock.ticks++, 1);
  return clock;
}

Deno.test("evalAsync gives what an expression comes to, and runAsync runs statements", async () => {
  const given = [null, true, 1, 2.5, "ü", 2n ** 100n, new Uint8Array([1, 2])];
  for (const value of given) {
    assertEquals(await python.evalAsync("x", { names: { x: value } }), value);
  }
  using scope = new PythonScope();
  assertEquals(await python.runAsync("x = 6", { scope }), undefined);
  assertEquals(await python.evalAsync("x * 7", { scope }), 42);
  using list = await python.evalAsync("[1, 2]") as PyObjectRef;
  assertEquals(`${list}`, "[1, 2]");
});

Deno.test("JavaScript's timers tick while Python computes, in a scope that both use", async () => {
  using scope = new PythonScope();
  using clock = startClock();
  python.run("going, count = True, 0", { scope });
  const computing = python.runAsync("while going: count += 1", { scope });
  await until(() => clock.ticks >= 10, "ticks");
  python.run("going = False", { scope });
  await computing;
  assertGreater(scope.get("count") as number, 0);
});

Deno.test("JavaScript's timers tick while Python sleeps", async () => {
  using scope = new PythonScope();
  using clock = startClock();
  python.run("import threading; woken = threading.Event()", { scope });
  const sleeping = python.evalAsync("woken.wait(30)", { scope });
  await until(() => clock.ticks >= 10, "ticks");
  python.run("woken.set()", { scope });
  assertEquals(await sleeping, true);
});

Deno.test("runs that wait for the GIL keep JavaScript from nothing", async () => {
  using flag = alloc(Int32Array, 1);
  using clock = startClock();
  // One call in C, which holds the GIL for a good tenth of a second.
  const hog = python.evalAsync(
    "memoryview(flag).__setitem__(0, 1) or sum(range(8_000_000))",
    { names: { flag } },
  );
  while (flag.view[0] === 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const before = clock.ticks;
  const waiting = Array.from({ length: 10 }, () => python.evalAsync("1 + 1"));
  await hog;
  assertGreater(clock.ticks - before, 5);
  assertEquals(await Promise.all(waiting), waiting.map(() => 2));
});

Deno.test("what keeps code from running rejects the promise", async () => {
  const disposed = new PythonScope();
  disposed[Symbol.dispose]();
  await assertRejects(
    () => python.runAsync("1", { scope: disposed }),
    FreedError,
  );
  await assertRejects(
    () => python.runAsync("1", { names: { "a b": 1 } }),
    RangeError,
  );
  await assertRejects(
    () => python.evalAsync("x", { names: { x: {} as never } }),
    TypeError,
  );
  await assertRejects(() => python.runAsync(1 as never), TypeError);
  const unwell = await assertRejects(
    () => python.runAsync("'\ud800'"),
    PythonError,
  );
  assertEquals(unwell.type, "UnicodeEncodeError");
  const wrong = await assertRejects(
    () => python.runAsync("def"),
    PythonError,
  );
  assertEquals(wrong.type, "SyntaxError");
});

Deno.test("an exception in Python rejects with its traceback and the stack of JavaScript's callers", async () => {
  async function askPython(): Promise<void> {
    await python.runAsync("def fail():\n  raise KeyError('no')\nfail()");
  }
  async function askAll(): Promise<void> {
    await Promise.all([1].map(() => python.evalAsync("1 / 0")));
  }
  const error = await assertRejects(askPython, PythonError);
  assertEquals(error.type, "KeyError");
  assertEquals(error.message, "'no'");
  assertStringIncludes(error.traceback, "raise KeyError('no')");
  assertStringIncludes(error.stack!, "askPython");
  assertStringIncludes(error.stack!, error.traceback.trimEnd());
  assertEquals((error.cause as Error).message, error.traceback.trimEnd());
  const { stack } = await assertRejects(askAll, PythonError);
  assertStringIncludes(stack!, "askAll");
});

Deno.test("SystemExit in a run is an error like others", async () => {
  const { type, message } = await assertRejects(
    () => python.runAsync("import sys; sys.exit(3)"),
    PythonError,
  );
  assertEquals([type, message], ["SystemExit", "3"]);
});

Deno.test("fifty runs at once, each of which waits for all others", async () => {
  using scope = new PythonScope();
  python.run(
    "import threading; barrier = threading.Barrier(50, timeout=30)",
    { scope },
  );
  const places = await Promise.all(
    Array.from(
      { length: 50 },
      () => python.evalAsync("barrier.wait()", { scope }),
    ),
  );
  assertEquals(new Set(places).size, 50);
});

Deno.test("fifty runs at once, each of which waits for the one that was started after it", async () => {
  using scope = new PythonScope();
  python.run(
    "import queue; queues = [queue.Queue() for _ in range(51)]",
    { scope },
  );
  const runs = Array.from({ length: 50 }, (_, index) =>
    python.runAsync(
      `queues[${index}].put(queues[${index + 1}].get(timeout=30) + 1)`,
      { scope },
    ));
  python.run("queues[50].put(0)", { scope });
  await Promise.all(runs);
  assertEquals(python.eval("queues[0].get(timeout=30)", { scope }), 50);
});

Deno.test("a thousand short runs all come to their ends", async () => {
  const results = await Promise.all(
    Array.from(
      { length: 1000 },
      (_, index) => python.evalAsync("index * 2", { names: { index } }),
    ),
  );
  assertEquals(results, results.map((_, index) => index * 2));
});

Deno.test("runs begun by what comes of others come to their ends", async () => {
  async function descend(levels: number): Promise<number> {
    const level = await python.evalAsync("n", { names: { n: levels } });
    return levels === 0 ? 0 : 1 + await descend(level as number - 1);
  }
  assertEquals(await Promise.all([descend(50), descend(30)]), [50, 30]);
});

Deno.test("a block is used in place by a run, and comes back as the block that it is", async () => {
  using block = alloc(Float64Array, [1, 2, 3]);
  await python.runAsync(
    `
    numbers = memoryview(block)
    for index, number in enumerate(numbers):
        numbers[index] = number ** 2
    `,
    { names: { block } },
  );
  assertEquals([...block.view], [1, 4, 9]);
  const returned = await python.evalAsync("block", { names: { block } });
  assertStrictEquals(returned, block);
  assertEquals(block.realloc(4).view[3], 0);
});

Deno.test("a block that is freed while a run uses it lives until that run ends", async () => {
  const before = stats().blocks;
  using scope = new PythonScope();
  python.run("import threading; freed = threading.Event()", { scope });
  const block = alloc(Float64Array, 1_000);
  block.view.fill(2);
  const sum = python.evalAsync(
    "freed.wait(30) and sum(memoryview(block))",
    { scope, names: { block } },
  );
  block.free();
  assertEquals(stats().blocks, before + 1);
  python.run("freed.set()", { scope });
  assertEquals(await sum, 2_000);
  python.run("del block", { scope });
  assertEquals(stats().blocks, before);
});

Deno.test("a scope that is disposed while a run uses it is emptied, and the run goes on", async () => {
  const scope = new PythonScope();
  python.run(
    "import threading; begun, disposed = threading.Event(), threading.Event()",
    { scope },
  );
  using begun = scope.get("begun") as PyObjectRef;
  using disposed = scope.get("disposed") as PyObjectRef;
  const running = python.evalAsync(
    "(begun.set(), disposed.wait(30), 'disposed' in globals())[1:]",
    { scope },
  );
  (begun.get("wait") as PyObjectRef).call(30);
  scope[Symbol.dispose]();
  (disposed.get("set") as PyObjectRef).call();
  using found = await running as PyObjectRef;
  assertEquals(`${found}`, "(True, False)");
});

Deno.test("what runs held is let go when they have ended", async () => {
  using scope = new PythonScope();
  python.run(
    `
    alive = 0
    class Counted:
        def __init__(self):
            global alive
            alive += 1
        def __del__(self):
            global alive
            alive -= 1
    `,
    { scope },
  );
  const before = stats();
  for (let turn = 0; turn < 20; turn++) {
    using counted = python.eval("Counted()", { scope }) as PyObjectRef;
    using block = alloc(Uint8Array, 1_000);
    const names = { counted, block, bytes: new Uint8Array(100) };
    await python.evalAsync("len(bytes)", { names });
    await python.evalAsync("1 / 0", { names }).catch(() => {});
    await python.evalAsync("1 +", { names }).catch(() => {});
    using _lost = await python.evalAsync("[counted]", { names }) as PyObjectRef;
  }
  python.run("Counted = None", { scope });
  assertEquals(scope.get("alive"), 0);
  const after = stats();
  assertEquals(after.blocks, before.blocks);
  assertEquals(after.bytes, before.bytes);
});

Deno.test("an object that a run gave and JavaScript lost is let go", async () => {
  using scope = new PythonScope();
  python.run(
    "import weakref\nclass Thing: pass\nthings = weakref.WeakSet()",
    { scope },
  );
  for (let turn = 0; turn < 20; turn++) {
    await python.evalAsync("things.add(thing := Thing()) or thing", { scope });
  }
  python.run("del thing", { scope });
  await until(() => python.eval("len(things)", { scope }) === 0, "release");
});

Deno.test("asyncio runs in a run, and Python's threads beside it", async () => {
  const result = await python.evalAsync(
    "asyncio.run(asyncio.wait_for(asyncio.to_thread(sum, [1, 2]), 30))",
    { names: { asyncio: python.eval("__import__('asyncio')") } },
  );
  assertEquals(result, 3);
});

/** How many threads of a name there are in this process. */
function threads(name: string): number {
  let count = 0;
  for (const { name: thread } of Deno.readDirSync("/proc/self/task")) {
    try {
      const path = `/proc/self/task/${thread}/comm`;
      if (Deno.readTextFileSync(path).trim() === name) count++;
    } catch {
      // It has ended just now.
    }
  }
  return count;
}

Deno.test({
  name: "threads are used again, and few wait for more to do",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using scope = new PythonScope();
    python.run("import threading", { scope });
    const barrier = "threading.Barrier(30, timeout=30)";
    python.run(`barrier = ${barrier}`, { scope });
    const waiting = () => python.evalAsync("barrier.wait()", { scope });
    await Promise.all(Array.from({ length: 30 }, waiting));
    await until(() => threads("oneheap-run") <= 8, "threads end");
    const used = new Set<unknown>();
    for (let turn = 0; turn < 100; turn++) {
      used.add(await python.evalAsync("threading.get_native_id()", { scope }));
    }
    assertLess(used.size, 10);
    assert(threads("oneheap-run") <= 9);
  },
});

/** Runs a script, which has to end soon by itself; tells its exit code and what it printed. */
async function end(
  source: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const start = performance.now();
  const { code, signal, stdout, stderr } = await run(
    `
    import { alloc, python, stats } from "@oneheap/oneheap";
    const soon = (then, milliseconds = 100) => setTimeout(then, milliseconds);
    /** Runs a script in a Worker, which tells when it is there. */
    async function work(source) {
      const worker = new Worker(
        "data:text/javascript," + encodeURIComponent(\`
          import { alloc, python } from "@oneheap/oneheap";
          \${source}
        \`),
        { type: "module" },
      );
      await new Promise((resolve) => worker.onmessage = resolve);
      return worker;
    }
    ${source}
    `,
    { env: { PYTHONUNBUFFERED: "" } },
  );
  assertEquals(signal, null, stderr);
  assertLess(performance.now() - start, 20_000);
  return { code, stdout, stderr };
}

Deno.test("a run that nobody awaits comes to its end before the process does", async () => {
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

Deno.test("at every distance from the end of the stack a run comes to its end, or was never begun", async () => {
  const { code, stdout, stderr } = await end(`
    import { getEventListeners } from "node:events";
    const { PythonScope } = await import("@oneheap/oneheap");
    addEventListener("unhandledrejection", (event) => event.preventDefault());
    using scope = new PythonScope();
    python.run("import itertools; begun = itertools.count()", { scope });
    const { signal } = new AbortController();
    using block = alloc(Uint8Array, 8);
    const names = { block, number: 1, text: "x" };
    const promises = [];
    let calls = 0;
    function call() {
      try {
        promises[promises.length] = python.evalAsync("next(begun) * 0 + 42", { scope, names, signal });
      } catch {
        // At the very end.
      }
    }
    function descend() {
      try {
        descend();
      } catch {
        calls = 3_000;
      }
      if (calls-- > 0) call();
    }
    /** The same distances, and those between: frames of other sizes come before. */
    function begin(levels) {
      if (levels === 0) descend();
      else new Function("begin", "levels", "const a = levels, b = a + 1, c = b; begin(levels - 1); return c")(begin, levels);
    }
    let settled = [];
    for (const levels of [0, 1, 2, 3]) {
      begin(levels);
      const waiting = new Promise((resolve) => soon(() => resolve([{ value: "waits" }]), 15_000));
      settled = settled.concat(await Promise.race([Promise.allSettled(promises), waiting]));
      promises.length = 0;
    }
    const ended = settled.filter(({ value }) => value === 42).length;
    const refused = settled.filter(({ reason }) => reason !== undefined).length;
    const begun = python.eval("next(begun)", { scope });
    console.log(ended > 100, refused > 0, ended + refused === settled.length, begun === ended);
    console.log(getEventListeners(signal, "abort").length, await python.evalAsync("6 * 7"));
    Deno.exit();
  `);
  assertEquals(
    { code, stdout },
    { code: 0, stdout: "true true true true\n0 42\n" },
    stderr,
  );
});

Deno.test("the delivery of what came of runs goes on where it was interrupted", async () => {
  const { stdout, stderr } = await end(`
    const { napi } = await import("@oneheap/oneheap".replace("mod.ts", "ffi/loading/native.ts"));
    for (const name of ["waitHandle", "nextCompletion", "takeResult"]) {
      const original = napi[name];
      let interruptions = 0;
      napi[name] = (...args) => {
        if (interruptions++ < 3) throw new RangeError(name);
        return original(...args);
      };
      const runs = Array.from({ length: 10 }, (_, index) => python.evalAsync("index", { names: { index } }));
      console.log(String(await Promise.all(runs)), interruptions > 3);
      napi[name] = original;
    }
  `);
  assertEquals(stdout, "0,1,2,3,4,5,6,7,8,9 true\n".repeat(3), stderr);
});

Deno.test("a run that is refused natively leaves no listener, and nothing that keeps the process alive", async () => {
  const { code, stdout, stderr } = await end(`
    import { getEventListeners } from "node:events";
    const { napi } = await import("@oneheap/oneheap".replace("mod.ts", "ffi/loading/native.ts"));
    const { signal } = new AbortController();
    const { runAsync } = napi;
    napi.runAsync = () => { throw new RangeError("the stack"); };
    console.log(await python.evalAsync("1", { signal }).catch(String));
    napi.runAsync = () => [1, -6];
    console.log(await python.evalAsync("1", { signal }).catch(({ name }) => name));
    console.log(getEventListeners(signal, "abort").length);
    napi.runAsync = runAsync;
    console.log(await python.evalAsync("6 * 7", { signal }));
    napi.runAsync = () => [1, -6];
    python.evalAsync("1", { signal }).catch(() => {});
  `);
  assertEquals(
    { code, stdout },
    { code: 0, stdout: "RangeError: the stack\nLibraryError\n0\n42\n" },
    stderr,
  );
});

Deno.test("a thousand outcomes that JavaScript has not taken are dropped where its thread ends", async () => {
  const { code, stdout, stderr } = await end(`
    const worker = await work(\`
      const block = alloc(Uint8Array, 8);
      for (let index = 0; index < 1_000; index++) {
        python.evalAsync("block", { names: { block } });
      }
      postMessage("there");
    \`);
    worker.terminate();
    while (stats().blocks > 0) await new Promise((resolve) => soon(resolve, 5));
    console.log(stats().blocks, await python.evalAsync("6 * 7"));
  `);
  assertEquals({ code, stdout }, { code: 0, stdout: "0 42\n" }, stderr);
});

Deno.test({
  name:
    "where the system makes no more threads, runs are refused, and those that go on come to their ends",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const { code, stdout, stderr } = await end(`
      const { LibraryError, PythonScope } = await import("@oneheap/oneheap");
      const RLIMIT_AS = 9;
      const { symbols: c } = Deno.dlopen("libc.so.6", {
        setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
      });
      using scope = new PythonScope();
      await python.runAsync("import threading; ended = threading.Event()", { scope });
      const [, kilobytes] = Deno.readTextFileSync("/proc/self/status").match(/VmSize:\\s+(\\d+)/);
      // Room for a few stacks more.
      const limit = BigInt(kilobytes) * 1024n + 500n * 1024n ** 2n;
      if (c.setrlimit(RLIMIT_AS, new BigUint64Array([limit, limit])) !== 0) throw new Error("no limit");
      const runs = Array.from({ length: 50 }, () => python.evalAsync("ended.wait(30)", { scope }));
      const settled = Promise.allSettled(runs);
      python.run("ended.set()", { scope });
      const outcomes = await settled;
      const refused = outcomes.filter(({ reason }) => reason instanceof LibraryError);
      const ended = outcomes.filter(({ value }) => value === true);
      console.log(refused.length > 0, ended.length > 0, refused.length + ended.length);
      console.log(await python.evalAsync("6 * 7"));
    `);
    assertEquals(
      { code, stdout },
      { code: 0, stdout: "true true 50\n42\n" },
      stderr,
    );
  },
});
