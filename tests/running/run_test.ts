/** Running code while JavaScript waits. */

import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { attach, python, PythonScope } from "../../mod.ts";
import { FREES_FUNCTIONS } from "../support/build.ts";
import { leavesNothingInPython } from "../support/collection.ts";
import { assertRaises } from "./evaluating.ts";

Deno.test("code runs within an attachment", () => {
  using _outer = attach();
  using _inner = attach();
  assertEquals(python.eval("1 + 1"), 2);
  assertRaises("ZeroDivisionError", () => python.run("1 / 0"));
});

Deno.test("a signal that is aborted keeps code from beginning", () => {
  using scope = new PythonScope();
  const reason = new Error("no more");
  for (const use of [python.run, python.eval]) {
    const signal = AbortSignal.abort(reason);
    const thrown = assertThrows(() => use("(ran := 1)", { scope, signal }));
    assertStrictEquals(thrown, reason);
  }
  assertStrictEquals(scope.get("ran"), undefined);
  assertThrows(
    () => python.run("ran = 1", { scope, signal: AbortSignal.abort() }),
    DOMException,
  );
  assertStrictEquals(scope.get("ran"), undefined);
});

Deno.test("a signal that is aborted while the names are asked for keeps code from beginning", () => {
  using scope = new PythonScope();
  const controller = new AbortController();
  const names = {
    get given() {
      controller.abort(new Error("by a getter"));
      return 1;
    },
  };
  assertThrows(
    () => python.run("ran = 1", { scope, names, signal: controller.signal }),
    Error,
    "by a getter",
  );
  assertStrictEquals(scope.get("ran"), undefined);
});

Deno.test("a signal that is aborted later, or meanwhile, doesn't end a run that JavaScript waits for", async () => {
  const controller = new AbortController();
  using scope = new PythonScope();
  python.run("first = 1", { scope, signal: controller.signal });
  controller.abort();
  assertEquals(scope.get("first"), 1);
  const signal = AbortSignal.timeout(1);
  python.run("import time\ntime.sleep(0.01)\nfor _ in range(1000): pass", {
    signal,
  });
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert(signal.aborted);
  assertEquals(python.eval("sum(range(1000))"), 499_500);
});

Deno.test("running code leaves nothing in Python", async () => {
  await leavesNothingInPython(() => {
    python.run("x = [1]");
    python.eval("x", { names: { x: 2.5 } });
    if (!FREES_FUNCTIONS) return;
    python.run("def function(): return x\nx = function");
    using scope = new PythonScope();
    python.run("y = [given]", { scope, names: { given: "text" } });
    python.run("def function(): return y", { scope });
    scope.get("given");
    scope.get("missing");
  });
});

Deno.test({
  name: "a scope that is lost is released",
  ignore: !FREES_FUNCTIONS,
  fn: () =>
    leavesNothingInPython(() => {
      const scope = new PythonScope();
      python.run("x = [1, 2, 3]", { scope });
    }, { repetitions: 1_000 }),
});
