/** What can be borrowed only as a copy. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { type BufferErrorReason, FreedError, python } from "../../mod.ts";
import { assertRefused, newScope, type Row } from "./borrowing.ts";

/** What is refused as it is and can be copied, why, and what the copy has. */
const COPIED: [expression: string, BufferErrorReason, Row][] = [
  ["b'abc'", "readOnly", ["", Uint8Array.of(97, 98, 99), "B", [3]]],
  ["b''", "readOnly", ["", new Uint8Array(0), "B", [0]]],
  ["memoryview(b'abcd').cast('H')", "readOnly", [
    "",
    Uint16Array.of(25185, 25699),
    "H",
    [2],
  ]],
  ["memoryview(bytearray(b'ab')).toreadonly()", "readOnly", [
    "",
    Uint8Array.of(97, 98),
    "B",
    [2],
  ]],
  ["memoryview(bytes(range(6))).cast('B', (2, 3))", "readOnly", [
    "",
    Uint8Array.of(0, 1, 2, 3, 4, 5),
    "B",
    [2, 3],
  ]],
  ["memoryview(bytearray(range(10)))[::2]", "strides", [
    "",
    Uint8Array.of(0, 2, 4, 6, 8),
    "B",
    [5],
  ]],
  ["memoryview(bytearray(range(4)))[::-1]", "strides", [
    "",
    Uint8Array.of(3, 2, 1, 0),
    "B",
    [4],
  ]],
  ["memoryview(bytes(range(10)))[::3]", "strides", [
    "",
    Uint8Array.of(0, 3, 6, 9),
    "B",
    [4],
  ]],
  ["memoryview(array.array('d', [1, 2, 3]))[::2]", "strides", [
    "",
    Float64Array.of(1, 3),
    "d",
    [2],
  ]],
  ["memoryview(bytearray(range(9)))[1:].cast('d')", "alignment", [
    "",
    new Float64Array(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer),
    "d",
    [1],
  ]],
  ["memoryview(bytearray(range(5)))[1:].cast('h')", "alignment", [
    "",
    Int16Array.of(513, 1027),
    "h",
    [2],
  ]],
];

for (const [expression, reason, [, view, format, shape]] of COPIED) {
  Deno.test(`${expression} is refused for its ${reason}, and copied where that is allowed`, () => {
    using scope = newScope();
    python.run(`it = ${expression}`, { scope });
    const error = assertRefused(() => python.borrow("it", { scope }), reason);
    assertEquals([error.format, error.shape], [format, shape]);
    assert(error.message.includes("{ copy: true }"));
    using copied = python.borrow("it", { scope, copy: true });
    assertEquals(copied.view, view);
    assertEquals(copied.format, format);
    assertEquals(copied.shape, shape);
    assertEquals(copied.copied, true);
    if (view.length === 0) return;
    const before = python.eval("bytes(it)", { scope });
    (copied.view as Uint8Array).reverse();
    new Uint8Array(copied.view.buffer).fill(255);
    assertEquals(python.eval("bytes(it)", { scope }), before);
  });
}

Deno.test("what needn't be copied isn't, where it would be allowed", () => {
  using scope = newScope();
  python.run("it = bytearray(3)", { scope });
  using borrowed = python.borrow("it", { scope, copy: true });
  assertEquals(borrowed.copied, false);
  borrowed.view[0] = 1;
  assertEquals(python.eval("it[0]", { scope }), 1);
});

Deno.test("a copy holds nothing of Python's, and outlives the original", () => {
  using scope = newScope();
  python.run("it = bytearray(range(4))", { scope });
  using copied = python.borrow("memoryview(it)[::2]", { scope, copy: true });
  python.run("it.clear(); del it", { scope });
  assertEquals([...copied.view], [0, 2]);
  copied.view[0] = 5;
  copied[Symbol.dispose]();
  assertThrows(() => copied.view, FreedError);
});
