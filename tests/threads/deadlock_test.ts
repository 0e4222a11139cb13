/**
 * The rules of the README's "Attachments", by which threads don't wait for each other for ever: the right way of each comes to its
 * end. What could block JavaScript's thread runs in a process of its own, which is killed if it does.
 */

import { assertEquals } from "@std/assert";
import {
  alloc,
  attach,
  detach,
  type PyObjectRef,
  python,
  PythonScope,
} from "../../mod.ts";
import { HAS_GIL } from "../support/build.ts";
import { run } from "../support/process.ts";

/** Gives a promise so many milliseconds: what came of it by then, or "waits". */
async function within<R>(
  milliseconds: number,
  promise: Promise<R>,
): Promise<R | "waits"> {
  let timer;
  const deadline = new Promise<"waits">((resolve) => {
    timer = setTimeout(() => resolve("waits"), milliseconds);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

const DEADLINE = 20_000;

/** Runs a script, which has to come to its end by itself; `worker` is what each Worker does that it starts. */
async function assertEnds(main: string, worker = ""): Promise<void> {
  const { code, signal, stdout, stderr } = await run(`
    import { alloc, attach, detach, python, PythonScope } from "@oneheap/oneheap";

    const messageOf = (target) =>
      new Promise((resolve) => target.onmessage = ({ data }) => resolve(data));

    /** Starts a Worker that is ready for messages. */
    async function startWorker() {
      const worker = new Worker(import.meta.url + "#worker", { type: "module" });
      await messageOf(worker);
      return worker;
    }

    /** Blocks this thread until it is its turn. */
    function waitForTurn(turns, whose) {
      for (let turn; (turn = Atomics.load(turns, 0)) % 2 !== whose;) {
        Atomics.wait(turns, 0, turn);
      }
    }

    function passTurn(turns) {
      Atomics.add(turns, 0, 1);
      Atomics.notify(turns, 0);
    }

    if (import.meta.url.endsWith("#worker")) {
      const message = messageOf(self);
      self.postMessage("ready");
      ${worker}
    } else {
      ${main}
      console.log("done");
    }
  `);
  assertEquals(
    { code, signal, stdout },
    { code: 0, signal: null, stdout: "done\n" },
    stderr,
  );
}

Deno.test("a run that was started while attached begins when the thread is detached, and is awaited then", async () => {
  let running;
  {
    using _attached = attach();
    running = python.evalAsync("6 * 7");
    assertEquals(await within(50, running), HAS_GIL ? "waits" : 42);
  }
  assertEquals(await within(DEADLINE, running), 42);
});

Deno.test("a run is awaited within an attachment, but in a detachment", async () => {
  using _attached = attach();
  for (let turn = 0; turn < 3; turn++) {
    using _detached = detach();
    assertEquals(await within(DEADLINE, python.evalAsync("6 * 7")), 42);
  }
});

Deno.test("code that waits for JavaScript runs in runAsync, and JavaScript answers", async () => {
  using scope = new PythonScope();
  python.run("import queue; asked, answers = queue.Queue(), queue.Queue()", {
    scope,
  });
  const running = python.evalAsync(
    "asked.put('what is it?') or answers.get(timeout=60)",
    { scope },
  );
  const question = await within(
    DEADLINE,
    python.evalAsync("asked.get(timeout=60)", { scope }),
  );
  assertEquals(question, "what is it?");
  python.run("answers.put(answer)", { scope, names: { answer: 42 } });
  assertEquals(await within(DEADLINE, running), 42);
});

Deno.test("a lock that a run holds while it waits is waited for by others, and JavaScript goes on", async () => {
  using scope = new PythonScope();
  python.run(
    `
    import threading
    lock, go = threading.Lock(), threading.Event()
    def hold():
        with lock:
            return go.wait(60)
    def take():
        with lock:
            return "taken"
    `,
    { scope },
  );
  const holding = python.evalAsync("hold()", { scope });
  const taking = python.evalAsync("take()", { scope });
  using isLocked = python.eval("lock.locked", { scope }) as PyObjectRef;
  while (!isLocked.call()) await within(1, new Promise(() => {}));
  using block = alloc(Int32Array, [1, 2]);
  assertEquals(block.view[1], 2);
  python.run("go.set()", { scope });
  assertEquals(
    await within(DEADLINE, Promise.all([holding, taking])),
    [true, "taken"],
  );
});

Deno.test("code that waits for a thread of Python's runs on JavaScript's thread: Python's own waiting detaches it", () =>
  assertEnds(`
    python.run(\`
    import threading
    done = threading.Event()
    def work():
        for _ in range(10):
            sum(range(10_000))
        done.set()
    threading.Thread(target=work).start()
    if not done.wait(60):
        raise TimeoutError
    \`);
  `));

Deno.test("Python's threads run while JavaScript computes, sleeps in Atomics.wait and awaits", () =>
  assertEnds(`
    using counts = alloc(Int32Array, 2);
    const STOP = 1;
    const scope = new PythonScope();
    python.run(\`
    import threading, time
    view = memoryview(counts)
    def count():
        while not view[1]:
            view[0] += 1
            time.sleep(0.0005)
    threading.Thread(target=count).start()
    \`, { scope, names: { counts } });
    const { view } = counts;
    async function assertCounts(wait) {
      const until = view[0] + 10;
      while (view[0] < until) await wait();
    }
    await assertCounts(() => {});
    const never = new Int32Array(new SharedArrayBuffer(4));
    await assertCounts(() => { Atomics.wait(never, 0, 0, 5); });
    await assertCounts(() => new Promise((resolve) => setTimeout(resolve, 1)));
    view[STOP] = 1;
  `));

Deno.test("Workers and the main thread are in Python at once", () =>
  assertEnds(
    `
    const scope = new PythonScope();
    python.run("import sys, threading; sys.barrier = threading.Barrier(4, timeout=60)");
    const workers = await Promise.all([1, 2, 3].map(startWorker));
    for (const worker of workers) worker.postMessage("go");
    const places = workers.map(messageOf);
    const place = python.eval("__import__('sys').barrier.wait()");
    if (new Set([place, ...await Promise.all(places)]).size !== 4) throw new Error("wrong places");
    for (const worker of workers) worker.terminate();
    `,
    `
    await message;
    self.postMessage(python.eval("__import__('sys').barrier.wait()"));
    `,
  ));

Deno.test("threads that aren't attached wait for each other by Atomics.wait, and use Python in turn", () =>
  assertEnds(
    `
    const worker = await startWorker();
    const turns = new Int32Array(new SharedArrayBuffer(4));
    worker.postMessage(turns);
    for (let turn = 0; turn < 50; turn++) {
      waitForTurn(turns, 0);
      python.run("6 * 7");
      passTurn(turns);
    }
    await messageOf(worker);
    worker.terminate();
    `,
    `
    const turns = await message;
    for (let turn = 0; turn < 50; turn++) {
      waitForTurn(turns, 1);
      {
        using _attached = attach();
        using block = alloc(Int32Array, 100);
        python.run("6 * 7", { names: { block } });
      }
      passTurn(turns);
    }
    self.postMessage("done");
    `,
  ));

Deno.test("a thread that stays attached waits for another by Atomics.wait in a detachment", () =>
  assertEnds(
    `
    const worker = await startWorker();
    const turns = new Int32Array(new SharedArrayBuffer(4));
    worker.postMessage(turns);
    {
      using _attached = attach();
      for (let turn = 0; turn < 50; turn++) {
        {
          using _detached = detach();
          waitForTurn(turns, 0);
        }
        python.run("6 * 7");
        passTurn(turns);
      }
    }
    await messageOf(worker);
    worker.terminate();
    `,
    `
    const turns = await message;
    for (let turn = 0; turn < 50; turn++) {
      waitForTurn(turns, 1);
      python.run("6 * 7");
      passTurn(turns);
    }
    self.postMessage("done");
    `,
  ));

Deno.test("the main thread waits in Python for what a Worker does in a run", () =>
  assertEnds(
    `
    python.run("import sys, threading; sys.event = threading.Event()");
    const worker = await startWorker();
    worker.postMessage("go");
    if (!python.eval("__import__('sys').event.wait(60)")) throw new Error("in vain");
    worker.terminate();
    `,
    `
    await message;
    await python.runAsync("import sys; sys.event.set()");
    `,
  ));

Deno.test("Python calls JavaScript on its own thread, and from runs while JavaScript awaits; JavaScript uses Python in it", () => {
  const script = `
    const callback = new Deno.UnsafeCallback(
      { parameters: ["i32"], result: "i32" },
      (number) => python.eval("number * 2", { names: { number } }),
    );
    callback.ref();
    const scope = new PythonScope();
    python.run(
      "import ctypes; double = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(address)",
      { scope, names: { address: Deno.UnsafePointer.value(callback.pointer) } },
    );
    const assertDouble = (number) => {
      if (number !== 42) throw new Error("wrong: " + number);
    };
    assertDouble(python.eval("double(21)", { scope }));
    {
      using _attached = attach();
      assertDouble(python.eval("double(21)", { scope }));
    }
    // Deno 2.9 may not hear of a call from another thread until something else wakes it.
    const waking = setInterval(() => {}, 10);
    const doubles = [1, 2, 3].map(() => python.evalAsync("double(21)", { scope }));
    (await Promise.all(doubles)).forEach(assertDouble);
    clearInterval(waking);
    callback.close();
  `;
  return assertEnds(
    `
    ${script}
    const worker = await startWorker();
    worker.postMessage("go");
    await messageOf(worker);
    worker.terminate();
    `,
    `
    await message;
    ${script}
    self.postMessage("done");
    `,
  );
});
