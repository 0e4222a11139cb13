/** Bytes of every kind of memory. */

import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { alloc, python, PythonScope } from "../../mod.ts";
import { collectGarbage } from "../support/collection.ts";
import { evaluate } from "./table.ts";

Deno.test("bytes are those of the view, not of its buffer", () => {
  const buffer = Uint8Array.from({ length: 10 }, (_, at) => at).buffer;
  const cases: [Uint8Array, number[]][] = [
    [new Uint8Array(buffer, 3), [3, 4, 5, 6, 7, 8, 9]],
    [new Uint8Array(buffer, 3, 2), [3, 4]],
    [new Uint8Array(buffer, 10), []],
    [new Uint8Array(buffer).subarray(2, 5).subarray(1), [3, 4]],
  ];
  for (const [view, bytes] of cases) {
    assertEquals(evaluate("x", { x: view }), new Uint8Array(bytes));
  }
});

Deno.test("bytes of every kind of memory go to Python", () => {
  const shared = new Uint8Array(new SharedArrayBuffer(6), 1, 3).fill(7);
  assertEquals(evaluate("x", { x: shared }), new Uint8Array([7, 7, 7]));
  const memory = new WebAssembly.Memory({ initial: 1 });
  const ofWasm = new Uint8Array(memory.buffer, 8, 2).fill(5);
  assertEquals(evaluate("x", { x: ofWasm }), new Uint8Array([5, 5]));
  const buffer = Buffer.from("node's");
  assertEquals(evaluate("x.decode()", { x: buffer }), "node's");
  class Own extends Uint8Array {}
  assertEquals(evaluate("x[0]", { x: new Own([3]) }), 3);
  using block = alloc(Uint8Array, [1, 2, 3]);
  assertEquals(
    evaluate("type(x).__name__", { x: block.view.subarray(1) }),
    "bytes",
  );
  assertEquals(
    evaluate("x", { x: block.view.subarray(1) }),
    new Uint8Array([2, 3]),
  );
});

Deno.test("bytes of memory that was resized or detached are those that are left", () => {
  const resizable = new ArrayBuffer(8, { maxByteLength: 16 });
  const tracking = new Uint8Array(resizable, 2);
  const fixed = new Uint8Array(resizable, 4, 4);
  tracking.fill(1);
  resizable.resize(16);
  assertEquals(evaluate("len(x)", { x: tracking }), 14);
  assertEquals(evaluate("len(x)", { x: fixed }), 4);
  resizable.resize(5);
  assertEquals(evaluate("x", { x: tracking }), new Uint8Array([1, 1, 1]));
  assertEquals(evaluate("x", { x: fixed }), new Uint8Array());
  const growable = new SharedArrayBuffer(2, { maxByteLength: 4 });
  const grown = new Uint8Array(growable);
  growable.grow(4);
  assertEquals(evaluate("len(x)", { x: grown }), 4);
  const detached = new Uint8Array(5).fill(1);
  structuredClone(detached, { transfer: [detached.buffer] });
  assertEquals(evaluate("x", { x: detached }), new Uint8Array());
});

Deno.test("bytes are copied both ways", () => {
  using scope = new PythonScope();
  const bytes = new Uint8Array([1, 2, 3]);
  python.run("pass", { scope, names: { bytes } });
  bytes[0] = 9;
  const back = scope.get("bytes") as Uint8Array<ArrayBuffer>;
  assertEquals(back, new Uint8Array([1, 2, 3]));
  back[1] = 9;
  assertEquals(scope.get("bytes"), new Uint8Array([1, 2, 3]));
  assertEquals(back.byteOffset, 0);
  assertEquals(back.buffer.byteLength, 3);
  const moved = structuredClone(back, { transfer: [back.buffer] });
  assertEquals([...moved], [1, 9, 3]);
  assertEquals(back.length, 0);
});

Deno.test("bytes outlive the scope that they came from", () => {
  let bytes: Uint8Array;
  {
    using scope = new PythonScope();
    python.run("data = b'abc' * 100_000", { scope });
    bytes = scope.get("data") as Uint8Array;
  }
  collectGarbage();
  python.run("import gc; gc.collect(); other = [b'xyz' * 100_000] * 9");
  assertEquals(new TextDecoder().decode(bytes), "abc".repeat(100_000));
});
