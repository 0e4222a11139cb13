/** `AbortSignal`: `KeyboardInterrupt` in the code that it is for. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { getEventListeners } from "node:events";
import {
  alloc,
  attach,
  BlockInUseError,
  python,
  PythonError,
  PythonScope,
} from "../../mod.ts";
import { HAS_GIL } from "../support/build.ts";
import { until } from "../support/collection.ts";
import { abortOnceBegun } from "./interrupting.ts";

const ENDLESS = "number = 0\nwhile True: number += 1";

/** Fails unless the run is rejected with a `KeyboardInterrupt` whose cause is the signal's reason. */
async function assertInterrupted(
  running: Promise<unknown>,
  signal: AbortSignal,
): Promise<PythonError> {
  const error = await assertRejects(() => running, PythonError);
  assertEquals(error.type, "KeyboardInterrupt");
  assertStrictEquals(error.cause, signal.reason);
  return error;
}

/** A signal that is aborted in a moment. */
function abortSoon(reason?: unknown): AbortController {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 20);
  return controller;
}

/** How many listen to a signal. */
function countListeners(signal: AbortSignal): number {
  return getEventListeners(signal, "abort").length;
}

Deno.test("abort has code that runs raise KeyboardInterrupt, and the reason is the error's cause", async () => {
  using scope = new PythonScope();
  const { signal } = abortOnceBegun(scope, { why: "enough" });
  const running = python.runAsync(`begun = True\n${ENDLESS}`, {
    scope,
    signal,
  });
  const error = await assertInterrupted(running, signal);
  assertEquals(error.cause, { why: "enough" });
  assert(error.traceback.includes("while True: number += 1"));
});

Deno.test("AbortSignal.timeout ends a run", async () => {
  const signal = AbortSignal.timeout(20);
  const running = python.evalAsync(
    "sum(1 for _ in iter(int, 1))",
    { signal },
  );
  await assertInterrupted(running, signal);
});

Deno.test("a signal that was aborted before keeps code from running, asynchronous or not", async () => {
  using scope = new PythonScope();
  const reason = new Error("before");
  const options = { scope, signal: AbortSignal.abort(reason) };
  const thrown = [
    await assertRejects(() => python.runAsync("ran = True", options)),
    await assertRejects(() => python.evalAsync("(ran := True)", options)),
  ];
  for (const execute of [python.run, python.eval]) {
    try {
      execute("ran = True", options);
    } catch (error) {
      thrown.push(error as Error);
    }
  }
  assertEquals(thrown, [reason, reason, reason, reason]);
  assertEquals(scope.get("ran"), undefined);
});

Deno.test("a signal that is aborted by what gives the names keeps code from running", async () => {
  using scope = new PythonScope();
  const controller = new AbortController();
  const options = {
    scope,
    signal: controller.signal,
    names: {
      get name(): number {
        controller.abort();
        return 1;
      },
    },
  };
  await assertRejects(() => python.runAsync("ran = True", options));
  assertEquals(scope.get("ran"), undefined);
});

Deno.test({
  name: "abort before the code has begun keeps it from beginning",
  ignore: !HAS_GIL,
  async fn() {
    using scope = new PythonScope();
    const controller = new AbortController();
    let running;
    {
      using _attached = attach();
      running = python.runAsync("ran = True", {
        scope,
        signal: controller.signal,
      });
      controller.abort();
    }
    const { message } = await assertInterrupted(running, controller.signal);
    assertEquals(message, "interrupted before the code began");
    assertEquals(scope.get("ran"), undefined);
  },
});

Deno.test("abort after the end does nothing to the result of the run, or to what runs then", async () => {
  const controllers = [];
  for (let turn = 0; turn < 100; turn++) {
    const controller = new AbortController();
    const { signal } = controller;
    assertEquals(await python.evalAsync("1 + 1", { signal }), 2);
    controllers.push(controller);
    const next = python.evalAsync("sum(index for index in range(500))");
    for (const ended of controllers) ended.abort();
    assertEquals(await next, 124_750);
  }
});

Deno.test("code may catch KeyboardInterrupt, and goes on", async () => {
  using scope = new PythonScope();
  python.run(
    `
    def catch():
        global begun
        try:
            begun = True
            while True: pass
        except KeyboardInterrupt:
            return "caught"
    `,
    { scope },
  );
  const { signal } = abortOnceBegun(scope);
  assertEquals(await python.evalAsync("catch()", { scope, signal }), "caught");
});

Deno.test("a function in C ends before KeyboardInterrupt is raised", async () => {
  using scope = new PythonScope();
  const { signal } = abortOnceBegun(scope);
  const start = performance.now();
  await assertInterrupted(
    python.runAsync("import time; begun = True; time.sleep(0.2)", {
      scope,
      signal,
    }),
    signal,
  );
  assertGreater(performance.now() - start, 190);
});

Deno.test("code that raises KeyboardInterrupt itself has its own message as the cause", async () => {
  const { signal } = new AbortController();
  const error = await assertRejects(
    () => python.runAsync("raise KeyboardInterrupt('own')", { signal }),
    PythonError,
  );
  assertEquals(error.message, "own");
  assertEquals((error.cause as Error).message, error.traceback.trimEnd());
});

Deno.test("one signal ends all runs that it was passed to, and no other", async () => {
  const { signal } = abortSoon();
  const others = Array.from(
    { length: 10 },
    () => python.evalAsync("__import__('time').sleep(0.1)"),
  );
  const running = Array.from(
    { length: 20 },
    () => python.runAsync(ENDLESS, { signal }),
  );
  await Promise.all(running.map((it) => assertInterrupted(it, signal)));
  assertEquals(await Promise.all(others), others.map(() => null));
});

Deno.test("a signal is listened to only as long as a run of it goes on", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const runs = [
    python.evalAsync("__import__('time').sleep(0.01)", { signal }),
    python.evalAsync("1 / 0", { signal }).catch(() => {}),
    python.evalAsync("x", { signal, names: { x: [Symbol()] } }).catch(
      () => {},
    ),
    python.evalAsync("1 +", { signal }).catch(() => {}),
  ];
  assertEquals(countListeners(signal), 3);
  await Promise.all(runs);
  assertEquals(countListeners(signal), 0);
  const running = python.runAsync(ENDLESS, { signal });
  controller.abort();
  await assertInterrupted(running, signal);
  assertEquals(countListeners(signal), 0);
});

Deno.test("what an interrupted run held is released", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  using block = alloc(Float64Array, 10);
  const running = python.runAsync(
    "held = memoryview(block)\nheld[0] = 1\nwhile True: held[1] += 1",
    { signal, names: { block } },
  );
  await until(() => block.view[0] === 1, "the run");
  assertThrows(() => block.realloc(20), BlockInUseError);
  controller.abort();
  (await assertInterrupted(running, signal))[Symbol.dispose]();
  assertGreater(block.realloc(20).view[1], 0);
});
