/** Runs on threads of their own: JavaScript goes on meanwhile. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  alloc,
  FreedError,
  type PyObjectRef,
  python,
  PythonError,
  PythonScope,
} from "../../mod.ts";
import { until } from "../support/collection.ts";
import { threads } from "./asynchronous.ts";

/** Counts the ticks of a timer of a millisecond. */
function startClock(): { ticks: number } & Disposable {
  const clock = {
    ticks: 0,
    [Symbol.dispose]: () => clearInterval(timer),
  };
  const timer = setInterval(() => clock.ticks++, 1);
  return clock;
}

Deno.test("evalAsync returns the value of an expression, and runAsync runs statements", async () => {
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
    () => python.evalAsync("x", { names: { x: [Symbol()] } }),
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

Deno.test("a thousand short runs all end", async () => {
  const results = await Promise.all(
    Array.from(
      { length: 1000 },
      (_, index) => python.evalAsync("index * 2", { names: { index } }),
    ),
  );
  assertEquals(results, results.map((_, index) => index * 2));
});

Deno.test("runs begun by the results of others end", async () => {
  async function descend(levels: number): Promise<number> {
    const level = await python.evalAsync("n", { names: { n: levels } });
    return levels === 0 ? 0 : 1 + await descend(level as number - 1);
  }
  assertEquals(await Promise.all([descend(50), descend(30)]), [50, 30]);
});

Deno.test("asyncio runs in a run, and Python's threads beside it", async () => {
  const result = await python.evalAsync(
    "asyncio.run(asyncio.wait_for(asyncio.to_thread(sum, [1, 2]), 30))",
    { names: { asyncio: python.eval("__import__('asyncio')") } },
  );
  assertEquals(result, 3);
});

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
