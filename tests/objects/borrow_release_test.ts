/** How long a borrowed buffer is held, and what releases it. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  alloc,
  AllocationError,
  attach,
  type BufferErrorReason,
  FreedError,
  PyObjectRef,
  python,
  PythonError,
  PythonScope,
  stats,
  type TypedArray,
} from "../../mod.ts";
import { Fifo } from "../support/fifo.ts";
import {
  addressOf,
  assertPends,
  collectForAWhile,
  HoldingWorker,
} from "../support/holders.ts";
import { HAS_GIL } from "../support/build.ts";
import { leavesNothingInPython, until } from "../support/collection.ts";
import { run } from "../support/process.ts";
import { assertRaises, assertRefused, borrow, newScope } from "./borrowing.ts";

/** Waits until the `bytearray` `it` of a scope can be resized, for nothing holds its buffer any more. */
async function untilGivenBack(scope: PythonScope, what: string): Promise<void> {
  await until(() => {
    try {
      python.run("it.append(1)", { scope });
      return true;
    } catch {
      return false;
    }
  }, what);
}

/** Ways to resize objects that are borrowed. */
const RESIZED: [make: string, resize: string][] = [
  ["bytearray(3)", "it.append(1)"],
  ["bytearray(3)", "del it[0]"],
  ["bytearray(3)", "it.clear()"],
  ["bytearray()", "it.extend(b'abc')"],
  ["array.array('d', [1])", "it.append(2)"],
  ["array.array('d', [1])", "del it[0]"],
  ["array.array('d')", "it.append(2)"],
  ["io.BytesIO(b'abc').getbuffer()", "it.release()"],
  ["memoryview(bytearray(3))", "it.release()"],
  ["mmap.mmap(-1, 4096)", "it.close()"],
];

for (const [make, resize] of RESIZED) {
  Deno.test(`${make} refuses ${resize} while it is borrowed, and not after`, () => {
    using scope = newScope();
    python.run(`it = ${make}`, { scope });
    const attempt = () => python.run(resize, { scope });
    {
      using _borrowed = python.borrow("it", { scope });
      assertRaises(attempt, "BufferError");
      using _again = python.borrow("it", { scope });
      assertRaises(attempt, "BufferError");
    }
    attempt();
  });
}

Deno.test("what is refused holds nothing", () => {
  using scope = newScope();
  python.run("it = bytearray(range(9))", { scope });
  const refused: [string, BufferErrorReason][] = [
    ["memoryview(it)[::2]", "strides"],
    ["memoryview(it).toreadonly()", "readOnly"],
    ["memoryview(it)[1:].cast('d')", "alignment"],
    ["memoryview(it)[1:].cast('P')", "format"],
  ];
  for (const [expression, reason] of refused) {
    assertRefused(() => python.borrow(expression, { scope }), reason);
    python.run("it.append(1); it.pop()", { scope });
  }
  assertRefused(() => python.borrow("it", Float64Array, { scope }), "element");
  python.run("it.append(1)", { scope });
});

Deno.test("using releases the memory at once, attached or not", () => {
  using scope = newScope();
  python.run("it = bytearray(3)", { scope });
  for (const attached of [false, true]) {
    using _attached = attached ? attach() : undefined;
    const borrowed = python.borrow("it", { scope });
    const { view } = borrowed;
    const part = view.subarray(1);
    borrowed[Symbol.dispose]();
    // Attached, no other thread of Python's can have done it.
    python.run("it.append(1)", { scope });
    assertEquals([view.length, part.length], [0, 0]);
    assert(view.buffer.detached);
    assertEquals(borrowed.disposed, true);
    const error = assertThrows(() => borrowed.view, FreedError);
    assertEquals(error.message, "This borrowed memory was released");
    borrowed[Symbol.dispose]();
    assertEquals(borrowed.disposed, true);
  }
});

Deno.test("using lets Python free the memory at once, without another call of Python's", () => {
  const { blocks } = stats();
  const block = alloc(Uint8Array, 5_000);
  const borrowed = python.borrow("b", { names: { b: block } });
  block.free();
  assertEquals(stats().blocks, blocks + 1);
  // No other thread of Python's can do it meanwhile.
  using _attached = attach();
  borrowed[Symbol.dispose]();
  assertEquals(stats().blocks, blocks);
});

Deno.test("an object that only the view holds lives as long as that", () => {
  using scope = newScope();
  python.run(
    `
    gone = []
    class Mortal(ctypes.c_double * 4):
        def __del__(self):
            gone.append(True)
    `,
    { scope },
  );
  const borrowed = python.borrow("Mortal(1, 2, 3, 4)", { scope });
  assertEquals([...borrowed.view], [1, 2, 3, 4]);
  assertEquals(python.eval("len(gone)", { scope }), 0);
  borrowed[Symbol.dispose]();
  assertEquals(python.eval("len(gone)", { scope }), 1);
});

Deno.test("disposing the reference that was borrowed of takes nothing from the view", () => {
  const reference = python.eval("bytearray(b'abc')") as PyObjectRef;
  using borrowed = python.borrow(reference);
  reference[Symbol.dispose]();
  assertEquals([...borrowed.view], [97, 98, 99]);
});

Deno.test("disposing the scope that was borrowed of takes nothing from the view", () => {
  const scope = newScope();
  python.run("it = bytearray(b'abc')", { scope });
  using borrowed = python.borrow("it", { scope });
  scope[Symbol.dispose]();
  assertEquals([...borrowed.view], [97, 98, 99]);
});

Deno.test("the same object is borrowed many times over, and each is released on its own", () => {
  using scope = newScope();
  python.run("it = bytearray(3)", { scope });
  const all = Array.from({ length: 100 }, () => python.borrow("it", { scope }));
  all[0].view[0] = 7;
  assert(all.every(({ view }) => view[0] === 7));
  for (const [index, borrowed] of all.entries()) {
    assertRaises(() => python.run("it.append(1)", { scope }), "BufferError");
    borrowed[Symbol.dispose]();
    assert(all.slice(index + 1).every(({ view }) => view[0] === 7));
  }
  python.run("it.append(1)", { scope });
});

Deno.test("an object without elements is borrowed, held and released", () => {
  using scope = newScope();
  python.run("it = bytearray()", { scope });
  {
    using borrowed = python.borrow("it", { scope });
    assertEquals([borrowed.view.length, borrowed.shape], [0, [0]]);
    assertRaises(() => python.run("it.append(1)", { scope }), "BufferError");
  }
  python.run("it.append(1)", { scope });
  using none = borrow("(ctypes.c_double * 0)()");
  assertEquals(none.view, new Float64Array(0));
  using columns = borrow("((ctypes.c_double * 0) * 3)()");
  assertEquals([columns.view.length, columns.shape], [0, [3, 0]]);
});

Deno.test("a view that is lost releases the memory, without a call of JavaScript's", async () => {
  using scope = newScope();
  python.run(
    `
    import threading
    gone = threading.Event()
    class Mortal(ctypes.c_double * 4):
        def __del__(self):
            gone.set()
    it = bytearray(3)
    none = bytearray()
    `,
    { scope },
  );
  const lose = () => {
    python.borrow("it", { scope });
    python.borrow("it", { scope }).view.subarray(1);
    python.borrow("none", { scope });
    python.borrow("Mortal()", { scope });
  };
  lose();
  // Python code waits for it on another thread.
  const waiting = python.evalAsync("gone.wait(10)", {
    names: { gone: scope.get("gone")! },
  });
  let isGone: unknown;
  waiting.then((result) => isGone = result);
  await until(() => {
    // Without the GIL, the thread that made an object frees it, the next time that it runs Python code.
    if (!HAS_GIL) python.run("pass");
    return isGone !== undefined;
  }, "the lost view");
  assertEquals(isGone, true);
  await until(() => {
    try {
      python.run("it.append(1); none.append(1)", { scope });
      return true;
    } catch {
      return false;
    }
  }, "the other lost views");
});

Deno.test("a part of the view holds the memory when the rest is lost", async () => {
  using scope = newScope();
  python.run("it = bytearray(b'abc')", { scope });
  const held = [
    (() => python.borrow("it", { scope }).view.subarray(1))(),
  ];
  await collectForAWhile();
  assertRaises(() => python.run("it.append(1)", { scope }), "BufferError");
  assertEquals([...held[0]], [98, 99]);
  held.pop();
  await untilGivenBack(scope, "the part");
});

Deno.test("a pending read into the view holds the memory after it is released", async () => {
  await using fifo = await Fifo.open();
  using scope = newScope();
  python.run("it = bytearray(100)", { scope });
  const borrowed = python.borrow("it", Uint8Array, { scope });
  const reading = fifo.reader.read(borrowed.view);
  await assertPends(reading);
  borrowed[Symbol.dispose]();
  await collectForAWhile();
  assertRaises(() => python.run("it.append(1)", { scope }), "BufferError");
  fifo.writer.writeSync(Uint8Array.of(1, 2, 3));
  assertEquals(await reading, 3);
  assertEquals(
    python.eval("bytes(it[:4])", { scope }),
    Uint8Array.of(1, 2, 3, 0),
  );
  await untilGivenBack(scope, "the end of the read");
});

Deno.test("structuredClone with transfer keeps the hold, and takes it from the borrowed", () => {
  using scope = newScope();
  python.run("it = bytearray(b'abc')", { scope });
  const borrowed = python.borrow("it", { scope });
  const { view } = borrowed;
  const address = addressOf(view);
  const clone = structuredClone(view, { transfer: [view.buffer] });
  assertEquals(addressOf(clone), address);
  assertEquals([view.length, borrowed.view.length], [0, 0]);
  borrowed[Symbol.dispose]();
  assertRaises(() => python.run("it.append(1)", { scope }), "BufferError");
  clone[0] = 65;
  assertEquals(python.eval("it == b'Abc'", { scope }), true);
  clone.buffer.transfer(0);
  python.run("it.append(1)", { scope });
});

Deno.test("structuredClone without transfer copies", () => {
  using scope = newScope();
  python.run("it = bytearray(b'abc')", { scope });
  let clone: TypedArray;
  {
    using borrowed = python.borrow("it", { scope });
    clone = structuredClone(borrowed.view);
  }
  python.run("it.append(1)", { scope });
  assertEquals([...clone], [97, 98, 99]);
});

Deno.test("a view goes to a Worker and back, and is held all the while", async () => {
  using scope = newScope();
  python.run("it = bytearray(b'abc')", { scope });
  using worker = await HoldingWorker.start();
  using borrowed = python.borrow("it", Uint8Array, { scope });
  const back = await worker.ask({
    kind: "fill and give back",
    view: borrowed.view,
  });
  assertEquals(python.eval("it == b'\\x07' * 3", { scope }), true);
  assertRaises(() => python.run("it.append(1)", { scope }), "BufferError");
  back.buffer.transfer(0);
  python.run("it.append(1)", { scope });
});

Deno.test("a Worker that ends releases what was sent to it", async () => {
  using scope = newScope();
  python.run("it = bytearray(b'abc')", { scope });
  {
    using worker = await HoldingWorker.start();
    const { view } = python.borrow("it", Uint8Array, { scope });
    await worker.ask({ kind: "keep", view });
    await collectForAWhile();
    assertRaises(() => python.run("it.append(1)", { scope }), "BufferError");
  }
  await untilGivenBack(scope, "the Worker's end");
});

Deno.test("a class of Python's own is borrowed of, and notified once when it is released", () => {
  using scope = newScope();
  // From 3.12 on there are such classes.
  if (python.eval("__import__('sys').version_info < (3, 12)")) return;
  python.run(
    `
    class Exporter:
        def __init__(self):
            self.memory = bytearray(b"abc")
            self.given = self.released = 0
        def __buffer__(self, flags):
            self.given += 1
            return memoryview(self.memory)
        def __release_buffer__(self, view):
            self.released += 1
            view.release()
    class Failing:
        def __buffer__(self, flags):
            raise RuntimeError("on purpose")
    it = Exporter()
    `,
    { scope },
  );
  {
    using borrowed = python.borrow("it", { scope });
    assertEquals([...borrowed.view], [97, 98, 99]);
    assertEquals(python.eval("it.given - it.released", { scope }), 1);
    borrowed[Symbol.dispose]();
    assertEquals(python.eval("it.given - it.released", { scope }), 0);
  }
  assertRefused(
    () => python.borrow("it", Float64Array, { scope }),
    "element",
  );
  assertEquals(python.eval("it.given - it.released", { scope }), 0);
  assertEquals(python.eval("it.given > 1", { scope }), true);
  assertRaises(() => python.borrow("Failing()", { scope }), "RuntimeError");
});

Deno.test("what is borrowed of a block is the block's memory, and holds it", () => {
  const block = alloc(Float32Array, [1, 2, 3, 4]);
  using reference = new PyObjectRef(block.toPython({ shape: [2, 2] }));
  using borrowed = python.borrow(reference, Float32Array);
  assertEquals(borrowed.shape, [2, 2]);
  assertEquals(addressOf(borrowed.view), block.address);
  borrowed.view[3] = 9;
  assertEquals([...block.view], [1, 2, 3, 9]);
  block.free();
  assertEquals([...borrowed.view], [1, 2, 3, 9]);
});

Deno.test("a block that was exported read-only is refused as such", () => {
  using block = alloc(Float32Array, 4);
  using reference = new PyObjectRef(block.toPython({ readonly: true }));
  assertRefused(() => python.borrow(reference), "readOnly");
  using copied = python.borrow(reference, { copy: true });
  copied.view[0] = 1;
  assertEquals(block.view[0], 0);
});

Deno.test("what is borrowed while the thread is attached is the same", () => {
  using scope = newScope();
  using _attached = attach();
  python.run("it = bytearray(b'abc')", { scope });
  using borrowed = python.borrow("it", { scope });
  borrowed.view[0] = 65;
  assertEquals(python.eval("bytes(it)", { scope }), Uint8Array.of(65, 98, 99));
});

Deno.test("borrowing, releasing and refusing leave nothing in Python", async () => {
  using scope = newScope();
  python.run("it = bytearray(64); constant = bytes(64)", { scope });
  await leavesNothingInPython(() => {
    {
      using whole = python.borrow("it", Uint8Array, { scope });
      using part = python.borrow("memoryview(it)[8:]", Uint8Array, { scope });
      part.view[0] = whole.view[8] + 1;
    }
    using _copied = python.borrow("constant", { scope, copy: true });
    assertRefused(() => python.borrow("constant", { scope }), "readOnly");
    assertRefused(
      () => python.borrow("it", Float64Array, { scope }),
      "element",
    );
    assertThrows(() => python.borrow("7", { scope }), PythonError);
  });
});

Deno.test("lost views of 16 MiB are released before they fill the memory", async () => {
  const { code, stdout, stderr } = await run(`
    import { python, PythonScope } from "@oneheap/oneheap";
    const scope = new PythonScope();
    python.run(\`
    alive = most = 0
    class Mortal(bytearray):
        def __init__(self):
            global alive, most
            super().__init__(2**24)
            alive += 1
            most = max(most, alive)
        def __del__(self):
            global alive
            alive -= 1
    \`, { scope });
    for (let index = 0; index < 150; index++) {
      python.borrow("Mortal()", { scope });
      if (index % 10 === 0) await new Promise((resolve) => setTimeout(resolve));
    }
    console.log(scope.get("most"));
  `);
  assertEquals([code, stderr], [0, ""]);
  assert(Number(stdout) < 75, `${stdout} at a time`);
});

Deno.test({
  name:
    "a copy that is larger than all memory is an AllocationError, and nothing is held",
  // Without a GIL the allocator reserves any size, and the system ends the process when the memory is used.
  ignore: Deno.build.os !== "linux" || !HAS_GIL,
  fn() {
    using scope = new PythonScope();
    python.run(
      `
      import mmap, tempfile
      size = 2**40
      with tempfile.TemporaryFile() as file:
          file.truncate(size)
          it = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
      `,
      { scope },
    );
    const error = assertThrows(
      () => python.borrow("it", { scope, copy: true }),
      AllocationError,
    );
    assertEquals(error.requested, 2 ** 40);
    python.run("it.close()", { scope });
  },
});
