/** The type `oneheap.Block`. */

import { assert, assertEquals } from "@std/assert";
import { alloc, python } from "../../mod.ts";
import { ask, assertRaises, repr } from "./exporting.ts";

Deno.test("no block can be made from Python", () => {
  using block = alloc(Uint8Array, 1);
  const attempts = [
    "type(b)()",
    "type(b)(b)",
    "type(b).__new__(type(b))",
    "object.__new__(type(b))",
    "type('Sub', (type(b),), {})",
    "__import__('copy').copy(b)",
    "__import__('copy').deepcopy(b)",
    "__import__('pickle').dumps(b)",
    "setattr(type('Other', (), {})(), '__class__', type(b))",
    "setattr(b, '__class__', type('Other', (), {}))",
  ];
  for (const attempt of attempts) {
    assertRaises(() => ask(attempt, block), "TypeError");
  }
  assertEquals(repr("bytes(b)", block), "b'\\x00'");
});

Deno.test("neither a block nor its type can be changed from Python", () => {
  using block = alloc(Uint8Array, 1);
  const attempts: [string, string][] = [
    ["setattr(type(b), 'x', 1)", "TypeError"],
    ["setattr(type(b), '__repr__', None)", "TypeError"],
    ["delattr(type(b), '__doc__')", "TypeError"],
    ["setattr(b, 'x', 1)", "AttributeError"],
    ["b.x", "AttributeError"],
    ["b.__dict__", "AttributeError"],
    ["__import__('weakref').ref(b)", "TypeError"],
    ["len(b)", "TypeError"],
    ["b[0]", "TypeError"],
  ];
  for (const [attempt, type] of attempts) {
    assertRaises(() => ask(attempt, block), type);
  }
});

Deno.test("the type says what it is", () => {
  using block = alloc(Uint8Array, 1);
  assertEquals(
    repr(
      "(type(b).__module__, type(b).__qualname__, type(b).__bases__)",
      block,
    ),
    "('oneheap', 'Block', (<class 'object'>,))",
  );
  assertEquals(repr("type(b)", block), "<class 'oneheap.Block'>");
  assert(
    (ask("type(b).__doc__", block) as string).includes("nothing is copied"),
  );
  assertEquals(ask("__import__('gc').is_tracked(b)", block), false);
  assertEquals(ask("b == b and hash(b) == hash(b)", block), true);
  using other = alloc(Uint8Array, 1);
  assertEquals(
    python.eval("type(b) is type(other)", { names: { b: block, other } }),
    true,
  );
});
