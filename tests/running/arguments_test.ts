/** Sources, scopes, names and signals that are refused. */

import { assertRejects, assertThrows } from "@std/assert";
import {
  Arena,
  type ArenaOptions,
  type PyObjectRef,
  python,
  PythonScope,
  type RunOptions,
} from "../../mod.ts";

Deno.test("a source or a scope of another kind is a TypeError", () => {
  for (const source of [undefined, null, 1, {}, ["1"], Symbol("1")]) {
    for (const use of [python.run, python.eval]) {
      assertThrows(
        () => use(source as unknown as string),
        TypeError,
        "The source must be a string",
      );
    }
  }
  using list = python.eval("[]") as PyObjectRef;
  for (const scope of [null, {}, "scope", 1, list, PythonScope]) {
    assertThrows(
      () => python.run("pass", { scope } as unknown as RunOptions),
      TypeError,
      "The scope must be a PythonScope",
    );
  }
});

Deno.test("options that are null are a TypeError", async () => {
  const options = null as unknown as RunOptions;
  const isRefused = [TypeError, "The options must be an object"] as const;
  assertThrows(() => python.run("pass", options), ...isRefused);
  assertThrows(() => python.eval("1", options), ...isRefused);
  assertThrows(() => python.borrow("bytearray(1)", options), ...isRefused);
  assertThrows(() => new Arena(options as ArenaOptions), ...isRefused);
  await assertRejects(() => python.runAsync("pass", options), ...isRefused);
});

Deno.test("names that are no object of names and values are a TypeError", () => {
  for (const names of [null, "x", 1, ["x", 1], new Map([["x", 1]])]) {
    assertThrows(
      () => python.run("pass", { names } as unknown as RunOptions),
      TypeError,
      "The names must be an object",
    );
  }
});

Deno.test("what only looks like a scope is a TypeError", () => {
  const scope = Object.create(PythonScope.prototype) as PythonScope;
  assertThrows(() => python.run("pass", { scope }), TypeError);
  assertThrows(() => scope.get("x"), TypeError);
});
