/** The completion queue: every run settles. */

import { assertEquals } from "@std/assert";
import { end } from "./asynchronous.ts";

Deno.test("at every distance from the end of the stack a run ends, or was never begun", async () => {
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

Deno.test("the completion pump goes on where it was interrupted", async () => {
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

Deno.test("a thousand results that JavaScript has not taken are dropped where its thread ends", async () => {
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
    "where the system makes no more threads, runs are refused, and those that go on end",
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
