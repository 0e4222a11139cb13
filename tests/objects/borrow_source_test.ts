/** What memory is borrowed of: objects, references, pointers, expressions, and what has none. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  alloc,
  BlockInUseError,
  type BorrowSource,
  FreedError,
  type PyObjectRef,
  python,
  type PythonScope,
  type TypedArray,
  type TypedArrayConstructor,
} from "../../mod.ts";
import { addressOf } from "../support/holders.ts";
import { assertRaises, newScope } from "./borrowing.ts";

Deno.test("a mmap is borrowed", () => {
  using scope = newScope();
  python.run("m = mmap.mmap(-1, 10_000); m[:3] = b'abc'", { scope });
  {
    using borrowed = python.borrow("m", { scope });
    assertEquals(borrowed.shape, [10_000]);
    assertEquals([...borrowed.view.subarray(0, 4)], [97, 98, 99, 0]);
    borrowed.view[9_999] = 7;
    assertEquals(python.eval("m[-1]", { scope }), 7);
    assertRaises(() => python.run("m.close()", { scope }), "BufferError");
  }
  python.run("m.close()", { scope });
  assertRaises(() => python.borrow("m", { scope }), "ValueError");
});

/** Objects, and their address in their own words. */
const ADDRESSES: [source: string, address: string][] = [
  ["bytearray(64)", "ctypes.addressof(ctypes.c_char.from_buffer(it))"],
  [
    "memoryview(bytearray(64))[5:]",
    "ctypes.addressof(ctypes.c_char.from_buffer(it))",
  ],
  ["array.array('d', [1] * 8)", "it.buffer_info()[0]"],
  ["(ctypes.c_int * 16)()", "ctypes.addressof(it)"],
  ["ctypes.c_double(1)", "ctypes.addressof(it)"],
  ["mmap.mmap(-1, 4096)", "ctypes.addressof(ctypes.c_char.from_buffer(it))"],
  [
    "io.BytesIO(bytes(64)).getbuffer()",
    "ctypes.addressof(ctypes.c_char.from_buffer(it))",
  ],
];

for (const [source, address] of ADDRESSES) {
  Deno.test(`the view is where ${source} is, and both see what the other writes`, () => {
    using scope = newScope();
    python.run(`it = ${source}`, { scope });
    using borrowed = python.borrow("it", { scope });
    assertEquals(
      addressOf(borrowed.view),
      python.eval(address, { scope }),
    );
    const bytes = new Uint8Array(
      borrowed.view.buffer,
      0,
      borrowed.view.byteLength,
    );
    bytes[3] = 77;
    assertEquals(python.eval("bytes(memoryview(it))[3]", { scope }), 77);
    python.run("memoryview(it).cast('B')[2] = 66", { scope });
    assertEquals(bytes[2], 66);
  });
}

Deno.test("memory is borrowed of an expression, a reference and a pointer", () => {
  using scope = newScope();
  python.run("it = bytearray(b'abc')", { scope });
  using reference = scope.get("it") as PyObjectRef;
  const sources: [BorrowSource, { scope?: PythonScope }][] = [
    ["it", { scope }],
    [reference, {}],
    [reference.pointer, {}],
    ["  it  ", { scope }],
  ];
  for (const [source, options] of sources) {
    using borrowed = python.borrow(source, options);
    assertEquals([...borrowed.view], [97, 98, 99]);
    using typed = python.borrow(source, Uint8Array, options);
    typed.view[0]++;
    typed.view[0]--;
    using clamped = python.borrow(source, Uint8ClampedArray, options);
    assert(clamped.view instanceof Uint8ClampedArray);
  }
});

Deno.test("memory is borrowed of names, in a scope or none", () => {
  using block = alloc(Float64Array, [1, 2, 3]);
  {
    using borrowed = python.borrow("memoryview(b)[1:]", Float64Array, {
      names: { b: block },
    });
    assertEquals(addressOf(borrowed.view), block.address + 8);
    borrowed.view[0] = 9;
    assertEquals([...block.view], [1, 9, 3]);
    assertThrows(() => block.realloc(4), BlockInUseError);
  }
  block.realloc(4);
});

Deno.test("what is no source is a TypeError", () => {
  using block = alloc(Uint8Array, 1);
  for (const source of [undefined, null, 5, 5n, {}, [], block, block.view]) {
    assertThrows(
      () => python.borrow(source as unknown as BorrowSource),
      TypeError,
    );
  }
  for (const type of [DataView, Array, "Uint8Array", 3, null]) {
    assertThrows(
      () =>
        python.borrow(
          "bytearray(8)",
          type as unknown as TypedArrayConstructor<TypedArray>,
          {},
        ),
      TypeError,
    );
  }
  const reference = python.eval("bytearray(8)") as PyObjectRef;
  reference[Symbol.dispose]();
  assertThrows(() => python.borrow(reference), FreedError);
});

Deno.test("an expression that raises, doesn't compile or has no buffer is a PythonError", () => {
  assertRaises(() => python.borrow("1 / 0"), "ZeroDivisionError");
  assertRaises(() => python.borrow("1 +"), "SyntaxError");
  assertRaises(() => python.borrow("nowhere"), "NameError");
  for (const expression of ["42", "None", "'text'", "[1, 2]", "object()"]) {
    assertRaises(() => python.borrow(expression), "TypeError");
    assertRaises(() => python.borrow(expression, { copy: true }), "TypeError");
  }
});

Deno.test("a memoryview that was released is a PythonError", () => {
  using scope = newScope();
  python.run("m = memoryview(bytearray(3)); m.release()", { scope });
  assertRaises(() => python.borrow("m", { scope }), "ValueError");
});
