import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { AllocationError, attach, python, raw, stats } from "../../mod.ts";
import { DEFERRED } from "../support/debug_hooks.ts";
import { evaluate, execute } from "../support/c_api.ts";

/** The C functions that `raw` answers to, called directly. The thread has to be attached. */
const c = Deno.dlopen(python.library, {
  PyMem_Malloc: { parameters: [/* bytes */ "usize"], result: "usize" },
  PyMem_Free: { parameters: [/* address */ "usize"], result: "void" },
}).symbols;

/** The memory at an address. */
function bytesAt(address: number, length: number): Uint8Array<ArrayBuffer> {
  const pointer = Deno.UnsafePointer.create(BigInt(address))!;
  return new Uint8Array(
    Deno.UnsafePointerView.getArrayBuffer(pointer, length),
  );
}

Deno.test("malloc gives memory that can be written, a multiple of 16, whatever the size", () => {
  const addresses: number[] = [];
  for (let size = 0; size < 600; size++) {
    const address = raw.malloc(size);
    assert(address > 0);
    assertEquals(address % 16, 0);
    if (size > 0) bytesAt(address, size).fill(size);
    addresses.push(address);
  }
  assertEquals(new Set(addresses).size, addresses.length);
  for (const [size, address] of addresses.entries()) {
    const expected = size & 0xff;
    if (size > 0) {
      assert(bytesAt(address, size).every((byte) => byte === expected));
    }
    raw.free(address);
  }
});

Deno.test("calloc gives count times size bytes of zeroes, where used memory was too", () => {
  const counts = [[0, 0], [0, 8], [8, 0], [1, 1], [25, 4], [1_000, 1_000]];
  for (const [count, size] of counts) {
    const length = count * size;
    const used = raw.malloc(length);
    if (length > 0) bytesAt(used, length).fill(0xff);
    raw.free(used);
    const address = raw.calloc(count, size);
    assertEquals(address % 16, 0);
    if (length > 0) {
      assert(bytesAt(address, length).every((byte) => byte === 0));
    }
    raw.free(address);
  }
});

Deno.test("realloc keeps the contents, growing and shrinking", () => {
  let address = raw.malloc(4);
  bytesAt(address, 4).set([1, 2, 3, 4]);
  for (const size of [16, 17, 600, 70_000, 5_000_000, 100, 4]) {
    address = raw.realloc(address, size);
    assertEquals(address % 16, 0);
    assertEquals([...bytesAt(address, 4)], [1, 2, 3, 4]);
    bytesAt(address, size).fill(9, 4);
  }
  raw.free(address);
});

Deno.test("realloc of 0 allocates, and free of 0 does nothing", () => {
  const address = raw.realloc(0, 8);
  bytesAt(address, 8).fill(1);
  raw.free(address);
  raw.free(0);
  raw.free(-0);
});

Deno.test("an address is what PyMem_Free takes, and what PyMem_Malloc gave can be freed and resized", () => {
  using _attached = attach();
  for (const size of [0, 8, 64, 513, 100_000]) {
    c.PyMem_Free(BigInt(raw.malloc(size)));
    c.PyMem_Free(BigInt(raw.calloc(2, size)));
    c.PyMem_Free(BigInt(raw.realloc(raw.malloc(size), size * 2)));
    raw.free(Number(c.PyMem_Malloc(BigInt(Math.max(size, 8)))));
    const foreign = Number(c.PyMem_Malloc(BigInt(Math.max(size, 8))));
    raw.free(raw.realloc(foreign, size * 3));
  }
});

Deno.test("what PyMem_Malloc gave can be freed by a thread that is not attached", () => {
  let address: number;
  {
    using _attached = attach();
    address = Number(c.PyMem_Malloc(64n));
  }
  raw.free(address);
});

Deno.test("Python counts raw memory while it is allocated", () => {
  const traced = () => Number(evaluate("tracemalloc.get_traced_memory()[0]"));
  execute("import tracemalloc; tracemalloc.start()");
  try {
    const before = traced();
    let address = raw.malloc(10_000_000);
    assertEquals(Math.round((traced() - before) / 10_000), 1_000);
    address = raw.realloc(address, 20_000_000);
    assertEquals(Math.round((traced() - before) / 10_000), 2_000);
    raw.free(address);
    assertEquals(Math.round((traced() - before) / 10_000), 0);
  } finally {
    execute("tracemalloc.stop()");
  }
});

Deno.test("raw memory is no block", () => {
  const before = stats();
  const address = raw.malloc(1_000);
  assertEquals(stats().blocks, before.blocks);
  assertEquals(stats().bytes, before.bytes);
  raw.free(address);
  assertEquals(stats().blocks, before.blocks);
});

Deno.test("a free is deferred only where the thread is not attached", () => {
  {
    using _attached = attach();
    const before = stats().deferred;
    for (let index = 0; index < 100; index++) raw.free(raw.malloc(64));
    assertEquals(stats().deferred, before);
  }
  const before = stats().deferred;
  raw.free(raw.malloc(64));
  assertEquals(stats().deferred, before + DEFERRED);
});

Deno.test("deferred frees reach Python when somebody attaches", () => {
  const addresses = Array.from({ length: 1_000 }, () => raw.malloc(10_000));
  const blocks = () => Number(evaluate("len(_oneheap_traced())"));
  execute(`
import tracemalloc
tracemalloc.start()
def _oneheap_traced():
    return [it for it in tracemalloc.take_snapshot().traces if it.size == 10016]
`);
  try {
    for (let index = 0; index < 1_000; index++) {
      addresses.push(raw.malloc(10_016));
    }
    assertEquals(blocks(), 1_000);
    for (const address of addresses) raw.free(address);
    for (let portion = 0; portion < 10; portion++) raw.free(raw.malloc(16));
    assertEquals(blocks(), 0);
  } finally {
    execute("tracemalloc.stop(); del _oneheap_traced");
  }
});

for (const number of [NaN, -1, 0.5, 2 ** 53, Infinity, -Infinity]) {
  Deno.test(`raw given ${number} throws a RangeError`, () => {
    const address = raw.malloc(16);
    const calls = [
      () => raw.malloc(number),
      () => raw.calloc(number, 1),
      () => raw.calloc(1, number),
      () => raw.realloc(address, number),
      () => raw.realloc(number, 16),
      () => raw.free(number),
    ];
    bytesAt(address, 16).fill(7);
    for (const call of calls) assertThrows(call, RangeError, `${number}`);
    assert(bytesAt(address, 16).every((byte) => byte === 7));
    raw.free(address);
  });
}

Deno.test("raw given what is no number throws a TypeError", () => {
  for (const given of ["16", 16n, null, undefined, {}, [16], true]) {
    const number = given as number;
    const calls = [
      () => raw.malloc(number),
      () => raw.calloc(number, 1),
      () => raw.calloc(1, number),
      () => raw.realloc(0, number),
      () => raw.realloc(number, 16),
      () => raw.free(number),
    ];
    for (const call of calls) assertThrows(call, TypeError, "must be a number");
  }
});

Deno.test("an AllocationError tells the bytes that were asked for", () => {
  for (const bytes of [2 ** 47, 2 ** 52, Number.MAX_SAFE_INTEGER]) {
    const calls = [
      () => raw.malloc(bytes),
      () => raw.calloc(1, bytes),
      () => raw.realloc(0, bytes),
    ];
    for (const call of calls) {
      assertEquals(assertThrows(call, AllocationError).requested, bytes);
    }
  }
  const error = assertThrows(() => raw.calloc(2 ** 40, 2 ** 40));
  assertEquals((error as AllocationError).requested, 2 ** 80);
});

Deno.test("a realloc that fails leaves the old memory as it was", () => {
  const address = raw.malloc(100);
  bytesAt(address, 100).fill(5);
  assertThrows(() => raw.realloc(address, 2 ** 52), AllocationError);
  assert(bytesAt(address, 100).every((byte) => byte === 5));
  const grown = raw.realloc(address, 200);
  assertGreater(grown, 0);
  assert(bytesAt(grown, 100).every((byte) => byte === 5));
  raw.free(grown);
});

Deno.test("raw can't be changed", () => {
  assert(Object.isFrozen(raw));
  assertThrows(() => Object.assign(raw, { malloc: () => 0 }), TypeError);
});
