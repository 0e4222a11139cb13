/**
 * A holder for every byte: what JavaScript lets go of lives on as long as Python holds it, and not longer; what Python holds isn't
 * resized. `stats()` says so, and a hook in front of Python's own allocator.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  alloc,
  AllocationError,
  type Block,
  BlockInUseError,
  free,
  FreedError,
  PyObjectRef,
  python,
  PythonError,
  PythonScope,
  realloc,
  type Stats,
  stats,
} from "../../mod.ts";
import { canCount, CountingHook } from "../support/counting_hook.ts";
import { Fifo } from "../support/fifo.ts";
import {
  addressOf,
  assertPends,
  collectForAWhile,
  HoldingWorker,
} from "../support/holders.ts";
import { collectGarbage, HAS_GIL, run, until } from "../support/helpers.ts";

/** Sizes that the hook counts: one that is freed later where the thread isn't attached, and one that is freed at once. */
const SIZES = [5_008, 100_008];

type Bytes = Uint8Array<ArrayBuffer>;

/** What lives of one test's blocks, as `stats()` and the hook say. */
class Living implements Disposable {
  readonly #before: Stats = stats();
  readonly #hook: CountingHook | undefined = canCount
    ? new CountingHook()
    : undefined;

  /** Fails unless so many blocks live, of so many bytes in all. */
  assert(blocks: number, bytes: number): void {
    const now = stats();
    const counted = this.#hook?.read() ?? { blocks, bytes };
    assertEquals(
      {
        blocks: now.blocks - this.#before.blocks,
        bytes: now.bytes - this.#before.bytes,
        counted,
      },
      { blocks, bytes, counted: { blocks, bytes } },
    );
  }

  /** Waits until nothing lives, collecting garbage meanwhile. */
  async untilNothing(): Promise<void> {
    await until(() => {
      // Without the GIL, the thread that made an object frees it, the next time that it runs Python code.
      if (!HAS_GIL) python.run("pass");
      return stats().blocks === this.#before.blocks;
    }, "the last holder");
    this.assert(0, 0);
  }

  /** How many blocks have ended without a `free`. */
  get reclaimed(): number {
    return stats().reclaimed - this.#before.reclaimed;
  }

  [Symbol.dispose](): void {
    this.#hook?.[Symbol.dispose]();
  }
}

/** A block full of sevens. */
function sevens(bytes: number): Block<Bytes> {
  const block = alloc(Uint8Array, bytes);
  block.view.fill(7);
  return block;
}

/** Takes memory that was let go of, and writes all over it. */
function scribble(bytes: number): void {
  const blocks = Array.from({ length: 20 }, () => alloc(Uint8Array, bytes));
  for (const block of blocks) block.view.fill(0xee);
  for (const block of blocks) block.free();
}

/** How JavaScript lets go of a block. The last way takes until it is collected. */
const WAYS: Record<string, (block: Block<Bytes>) => void> = {
  "block.free()": (block) => block.free(),
  "free(block)": (block) => free(block),
  "the end of using": (block) => {
    using _ = block;
  },
  "losing it": () => {},
};

/** How Python holds a block `b`, as `kept`. */
const HOLDERS: Record<string, string> = {
  "the object": "kept = b",
  "a memoryview": "kept = memoryview(b)",
  "a part of one": "kept = memoryview(b)[1:9]",
  "a list": "kept = [b]",
  "a function": "kept = (lambda it: lambda: it)(b)",
  "an array of ctypes":
    "import ctypes; kept = (ctypes.c_uint8 * 8).from_buffer(b)",
  "a BytesIO's copy, and the object": "import io; kept = b, io.BytesIO(b)",
};

/** Those of them that are tried where it takes long. */
const SOME_HOLDERS = ["the object", "a part of one", "a function"];

for (const [way, letGo] of Object.entries(WAYS)) {
  for (const [holder, source] of Object.entries(HOLDERS)) {
    if (way === "losing it" && !SOME_HOLDERS.includes(holder)) continue;
    Deno.test(`memory lives on after ${way} while Python holds it by ${holder}`, async () => {
      for (const bytes of SIZES) {
        using living = new Living();
        using scope = new PythonScope();
        const address = ((block) => {
          python.run(`${source}; del b`, { scope, names: { b: block } });
          const { address, view } = block;
          letGo(block);
          assertEquals(block.freed, way !== "losing it");
          assertEquals(view.length, block.freed ? 0 : bytes);
          return address;
        })(sevens(bytes));
        if (way === "losing it") await collectForAWhile();
        living.assert(1, bytes);
        scribble(bytes);
        const held = python.eval(
          "(lambda c: bytes((c.c_uint8 * 8).from_address(address)))(__import__('ctypes'))",
          { names: { address } },
        );
        assertEquals(held, new Uint8Array(8).fill(7));
        living.assert(1, bytes);
        python.run("del kept", { scope });
        living.assert(0, 0);
        assertEquals(living.reclaimed, way === "losing it" ? 1 : 0);
      }
    });
  }
}

Deno.test("memory lives on after a block is freed whose view was never made", () => {
  using living = new Living();
  using scope = new PythonScope();
  const block = alloc(Uint8Array, 5_008);
  python.run("kept = memoryview(b); del b", { scope, names: { b: block } });
  block.free();
  living.assert(1, 5_008);
  python.run("kept[:3] = b'abc'", { scope });
  assertEquals(
    python.eval("bytes(kept[:4])", { scope }),
    Uint8Array.of(97, 98, 99, 0),
  );
  python.run("del kept", { scope });
  living.assert(0, 0);
});

Deno.test("a function fills a block and returns it as Python's own", () => {
  using living = new Living();
  const filled = () => {
    using block = alloc(Float64Array, 626);
    for (let i = 0; i < block.length; i++) block.view[i] = i / 2;
    return python.eval("memoryview(b)", { names: { b: block } }) as PyObjectRef;
  };
  {
    using result = filled();
    living.assert(1, 5_008);
    scribble(5_008);
    assertEquals(
      python.eval("it.tolist() == [i / 2 for i in range(626)]", {
        names: { it: result },
      }),
      true,
    );
  }
  living.assert(0, 0);
});

Deno.test("memory is freed by the last of many holders, in whatever order they let go", () => {
  for (let order = 0; order < 6; order++) {
    using living = new Living();
    using scope = new PythonScope();
    const block = sevens(5_008);
    python.run("first = b; second = memoryview(b); third = [memoryview(b)]", {
      scope,
      names: { b: block },
    });
    python.run("del b", { scope });
    const names = ["first", "second", "third"];
    if (order % 2 === 0) block.free();
    const sequence = [
      ...names.slice(order / 2),
      ...names.slice(0, order / 2),
    ];
    for (const name of sequence) {
      living.assert(1, 5_008);
      python.run(`del ${name}`, { scope });
    }
    if (order % 2 === 1) {
      living.assert(1, 5_008);
      assertEquals(block.view[5_007], 7);
      block.free();
    }
    living.assert(0, 0);
  }
});

Deno.test("a block that Python has let go of is JavaScript's alone again", () => {
  using living = new Living();
  const block = sevens(5_008);
  for (let round = 0; round < 3; round++) {
    python.run("memoryview(b)", { names: { b: block } });
    living.assert(1, 5_008);
  }
  const { address } = block;
  block.realloc(5_008);
  assertEquals(block.address, address);
  block.free();
  living.assert(0, 0);
});

Deno.test("a pointer that toPython gave holds the memory until its reference is disposed", () => {
  using living = new Living();
  const block = sevens(5_008);
  const pointer = block.toPython();
  block.free();
  living.assert(1, 5_008);
  {
    using reference = new PyObjectRef(pointer);
    assertEquals(
      python.eval("memoryview(it)[5007]", { names: { it: reference } }),
      7,
    );
  }
  living.assert(0, 0);
});

Deno.test("a scope that is disposed lets go of the blocks in it", () => {
  using living = new Living();
  const scope = new PythonScope();
  const block = sevens(5_008);
  python.run("kept = b; f = lambda: kept", { scope, names: { b: block } });
  block.free();
  living.assert(1, 5_008);
  scope[Symbol.dispose]();
  living.assert(0, 0);
});

Deno.test("a run without a scope holds nothing after it, also if it raised", () => {
  using living = new Living();
  using block = sevens(5_008);
  const names = { b: block };
  python.run("kept = b; m = memoryview(b)", { names });
  block.realloc(5_008);
  for (
    const source of [
      "m = memoryview(b); 1 / 0",
      "try:\n    1 / 0\nexcept Exception as error:\n    m = memoryview(b)\n    raise ValueError(m) from error",
      "raise ExceptionGroup('several', [ValueError(b), ValueError(memoryview(b))])",
    ]
  ) {
    assertThrows(() => python.run(source, { names }), PythonError);
    block.realloc(5_008);
  }
  living.assert(1, 5_008);
});

Deno.test({
  name: "nor does one that made functions and classes, which refer to it",
  // Without the GIL, 3.13 keeps functions for good.
  ignore: !HAS_GIL,
  fn: () => {
    using living = new Living();
    using block = sevens(5_008);
    const names = { b: block };
    for (
      const source of [
        "kept = lambda: b",
        "class Kept:\n    it = b\n    def get(self): return b",
        "def f():\n    return memoryview(b)\nkept = f()",
      ]
    ) {
      python.run(source, { names });
      block.realloc(5_008);
    }
    assertThrows(
      () =>
        python.run(
          "def f():\n    m = memoryview(b)\n    raise ValueError(m)\nf()",
          { names },
        ),
      PythonError,
    );
    block.realloc(5_008);
    living.assert(1, 5_008);
  },
});

Deno.test("a Python thread holds the memory until it ends", () => {
  using living = new Living();
  using scope = new PythonScope();
  const block = sevens(5_008);
  python.run(
    `
    import threading
    go_on = threading.Event()
    sums = []
    def add(it):
        go_on.wait()
        sums.append(sum(memoryview(it)))
    thread = threading.Thread(target=add, args=(b,))
    thread.start()
    del b
    `,
    { scope, names: { b: block } },
  );
  assertThrows(() => block.realloc(10), BlockInUseError);
  block.free();
  scribble(5_008);
  living.assert(1, 5_008);
  python.run("go_on.set(); thread.join()", { scope });
  assertEquals(python.eval("sums[0]", { scope }), 7 * 5_008);
  living.assert(0, 0);
});

Deno.test("code that runs elsewhere holds the memory until it has ended", async () => {
  using living = new Living();
  using scope = new PythonScope();
  python.run("import threading; gate = threading.Event()", { scope });
  using gate = scope.get("gate") as PyObjectRef;
  const start = (b: Block<Bytes>) =>
    python.evalAsync("gate.wait() and sum(memoryview(b))", {
      names: { gate, b },
    });
  const block = sevens(5_008);
  const freed = sevens(5_008);
  const running = [start(block), start(freed), start(sevens(5_008))];
  const error = assertThrows(() => block.realloc(10), BlockInUseError);
  assertEquals(error.holders, 1);
  freed.free();
  await collectForAWhile();
  living.assert(3, 3 * 5_008);
  scribble(5_008);
  python.run("gate.set()", { scope });
  assertEquals(await Promise.all(running), Array(3).fill(7 * 5_008));
  block.realloc(10).free();
  await living.untilNothing();
});

for (
  const [what, source, holders] of [
    ["the object", "kept = b", 1],
    ["a memoryview", "kept = memoryview(b)", 1],
    ["two memoryviews of one object", "kept = memoryview(b), memoryview(b)", 1],
    ["a part of a memoryview", "kept = memoryview(b)[1:2]", 1],
    ["two objects", "kept = b, other", 2],
    [
      "the memoryviews of three objects",
      "kept = memoryview(b), memoryview(other), memoryview(third)",
      3,
    ],
  ] as const
) {
  Deno.test(`a block that Python holds by ${what} isn't resized, and nothing is changed`, () => {
    using living = new Living();
    using scope = new PythonScope();
    using block = alloc(Uint8Array, 5_008);
    for (const viewed of [false, true]) {
      if (viewed) block.view.fill(7);
      const view = viewed ? block.view : undefined;
      const { address } = block;
      python.run(`${source}; del b, other, third`, {
        scope,
        names: { b: block, other: block, third: block },
      });
      const attempts = [
        () => block.realloc(10_008),
        () => realloc(block, 10),
        () => block.realloc(0),
        () => block.realloc(5_008),
        () => block.realloc(2 ** 52),
        () => block.realloc(10_008, { zeroed: false }),
      ];
      for (const attempt of attempts) {
        const error = assertThrows(attempt, BlockInUseError);
        assertEquals(error.holders, holders);
        assertEquals(
          error.message,
          `The block can't be resized while ${
            holders === 1
              ? "1 Python object holds"
              : `${holders} Python objects hold`
          } its memory. Let go of it in Python (del, or dispose the scope) first`,
        );
        assertEquals([block.address, block.length], [address, 5_008]);
        assertEquals(block.freed, false);
      }
      if (viewed) {
        assert(block.view === view);
        assertEquals(view.length, 5_008);
        assert(view.every((byte) => byte === 7));
      }
      living.assert(1, 5_008);
      python.run("del kept", { scope });
      assert(block.realloc(10_008) === block);
      block.realloc(5_008);
      assertEquals(block.view[5_007], viewed ? 7 : 0);
      living.assert(1, 5_008);
      block.realloc(10_008).realloc(5_008);
    }
  });
}

Deno.test("a block is resized again when the last of its holders let go", () => {
  using scope = new PythonScope();
  using block = sevens(5_008);
  const names = { one: block, two: block, three: block };
  python.run("pass", { scope, names });
  for (const [index, name] of Object.keys(names).entries()) {
    const error = assertThrows(() => block.realloc(9_008), BlockInUseError);
    assertEquals(error.holders, 3 - index);
    python.run(`del ${name}`, { scope });
  }
  block.realloc(9_008);
  assertEquals([block.view[5_007], block.view[5_008]], [7, 0]);
});

Deno.test("what JavaScript borrows of its own block keeps that from being resized", () => {
  using living = new Living();
  using block = sevens(5_008);
  {
    using _borrowed = python.borrow("b", { names: { b: block } });
    const error = assertThrows(() => block.realloc(10), BlockInUseError);
    assertEquals(error.holders, 1);
  }
  block.realloc(6_008);
  living.assert(1, 6_008);
});

Deno.test("a block that failed to be resized for want of memory goes on, with Python too", () => {
  using living = new Living();
  using block = sevens(5_008);
  for (let round = 0; round < 3; round++) {
    assertThrows(() => block.realloc(2 ** 52), AllocationError);
    assertEquals(
      python.eval("sum(memoryview(b))", { names: { b: block } }),
      7 * 5_008,
    );
    if (round === 1) assertEquals(block.view[0], 7);
  }
  living.assert(1, 5_008);
});

Deno.test("a pending read and Python hold the memory side by side", async () => {
  for (const pythonFirst of [true, false]) {
    await using fifo = await Fifo.open();
    using living = new Living();
    using scope = new PythonScope();
    const block = sevens(5_008);
    python.run("kept = memoryview(b); del b", { scope, names: { b: block } });
    const reading = fifo.reader.read(block.view);
    await assertPends(reading);
    assertThrows(() => block.realloc(10), BlockInUseError);
    block.free();
    await collectForAWhile();
    living.assert(1, 5_008);
    if (pythonFirst) python.run("del kept", { scope });
    living.assert(1, 5_008);
    scribble(5_008);
    fifo.writer.writeSync(Uint8Array.of(1, 2, 3));
    assertEquals(await reading, 3);
    if (!pythonFirst) {
      await collectForAWhile();
      living.assert(1, 5_008);
      assertEquals(
        python.eval("bytes(kept[:4])", { scope }),
        Uint8Array.of(1, 2, 3, 7),
      );
      python.run("del kept", { scope });
    }
    await living.untilNothing();
  }
});

Deno.test("after a realloc during a pending read Python gets the copy, not what is read into", async () => {
  await using fifo = await Fifo.open();
  using living = new Living();
  using scope = new PythonScope();
  using block = sevens(5_008);
  const reading = fifo.reader.read(block.view);
  await assertPends(reading);
  block.realloc(6_008);
  python.run("kept = memoryview(b)", { scope, names: { b: block } });
  living.assert(2, 5_008 + 6_008);
  fifo.writer.writeSync(Uint8Array.of(1, 2, 3));
  await reading;
  assertEquals(python.eval("kept[0]", { scope }), 7);
  await until(() => {
    try {
      living.assert(1, 6_008);
      return true;
    } catch {
      return false;
    }
  }, "the end of the read");
});

Deno.test("memory that was transferred away is held by its new owner and by Python", () => {
  for (const pythonFirst of [true, false]) {
    using living = new Living();
    using scope = new PythonScope();
    const block = sevens(5_008);
    python.run("kept = memoryview(b); del b", { scope, names: { b: block } });
    const { view, address } = block;
    const clone = structuredClone(view, { transfer: [view.buffer] });
    assert(block.freed);
    assertThrows(() => block.realloc(10), FreedError);
    assertEquals(addressOf(clone), address);
    clone[0] = 9;
    assertEquals(python.eval("kept[0]", { scope }), 9);
    living.assert(1, 5_008);
    if (pythonFirst) python.run("del kept", { scope });
    else clone.buffer.transfer(0);
    living.assert(1, 5_008);
    scribble(5_008);
    if (pythonFirst) {
      assertEquals([clone[0], clone[5_007]], [9, 7]);
      clone.buffer.transfer(0);
    } else {
      assertEquals(
        python.eval("(kept[0], kept[5007]) == (9, 7)", { scope }),
        true,
      );
      python.run("del kept", { scope });
    }
    living.assert(0, 0);
  }
});

Deno.test("a lost part of a view, a lost block and Python let go in any order", async () => {
  for (const pythonFirst of [true, false]) {
    using living = new Living();
    using scope = new PythonScope();
    const parts = [
      ((block) => {
        python.run("kept = b; del b", { scope, names: { b: block } });
        return block.view.subarray(1, 3);
      })(sevens(5_008)),
    ];
    await collectForAWhile();
    if (pythonFirst) python.run("del kept", { scope });
    living.assert(1, 5_008);
    scribble(5_008);
    assertEquals([...parts[0]], [7, 7]);
    parts.pop();
    if (!pythonFirst) {
      await collectForAWhile();
      living.assert(1, 5_008);
      assertEquals(python.eval("memoryview(kept)[0]", { scope }), 7);
      python.run("del kept", { scope });
    }
    await living.untilNothing();
    assertEquals(living.reclaimed, 1);
  }
});

Deno.test("memory in a circle of Python objects is freed by Python's collector", () => {
  using living = new Living();
  using scope = new PythonScope();
  const block = sevens(5_008);
  python.run(
    `
    import gc
    circle = [memoryview(b)]
    circle.append(circle)
    del circle, b
    `,
    { scope, names: { b: block } },
  );
  block.free();
  living.assert(1, 5_008);
  python.run("import gc; gc.collect()");
  living.assert(0, 0);
});

Deno.test("a circle of a lost Python reference and a lost block is no circle: both go", async () => {
  using living = new Living();
  const lose = () => {
    const block = sevens(5_008);
    const holder = python.eval("[b]", { names: { b: block } }) as PyObjectRef;
    Object.assign(block, { holder });
  };
  lose();
  await living.untilNothing();
});

Deno.test("memory that a Worker allocated outlives it in Python", async () => {
  using living = new Living();
  using scope = new PythonScope();
  const name = "oneheap_ownership_test";
  {
    using worker = await HoldingWorker.start();
    await worker.ask({ kind: "make for Python", name, bytes: 5_008 });
    living.assert(1, 5_008);
  }
  await collectForAWhile();
  living.assert(1, 5_008);
  scribble(5_008);
  python.run("import sys; kept = getattr(sys, name)", {
    scope,
    names: { name },
  });
  assertEquals(python.eval("set(kept) == {7}", { scope }), true);
  // It is not known as a block of this thread's.
  using object = python.eval("kept.obj", { scope }) as PyObjectRef;
  assertEquals(`${object}`, "<oneheap.Block of uint8, shape (5008,)>");
  python.run("delattr(sys, name); kept.release(); del kept", { scope });
  living.assert(1, 5_008);
  object[Symbol.dispose]();
  await living.untilNothing();
});

Deno.test("a view that a Worker was given and Python lives as long as either holds it", async () => {
  using living = new Living();
  using scope = new PythonScope();
  const block = sevens(5_008);
  python.run("kept = memoryview(b); del b", { scope, names: { b: block } });
  {
    using worker = await HoldingWorker.start();
    await worker.ask({ kind: "keep", view: block.view });
    assert(block.freed);
    living.assert(1, 5_008);
  }
  await collectForAWhile();
  scribble(5_008);
  assertEquals(python.eval("set(kept) == {7}", { scope }), true);
  living.assert(1, 5_008);
  python.run("del kept", { scope });
  await living.untilNothing();
});

Deno.test("a block that is freed while Python's thread lets go of it ends once", async () => {
  using living = new Living();
  using scope = new PythonScope();
  python.run(
    `
    import queue, threading
    waiting = queue.SimpleQueue()
    def let_go():
        while (it := waiting.get()) is not None:
            del it
    thread = threading.Thread(target=let_go)
    thread.start()
    put = waiting.put
    `,
    { scope },
  );
  {
    using put = scope.get("put") as PyObjectRef;
    for (let round = 0; round < 3_000; round++) {
      const block = alloc(Uint8Array, SIZES[round % 2]);
      if (round % 3 === 0) block.view[0] = 7;
      put.call(block);
      if (round % 5 === 0) {
        try {
          block.realloc(6_008);
        } catch (error) {
          if (!(error instanceof BlockInUseError)) throw error;
          assert(error.holders > 0);
        }
      }
      block.free();
    }
  }
  python.run("waiting.put(None); thread.join()", { scope });
  await living.untilNothing();
});

Deno.test("the end of the process finds Python and JavaScript holding memory, and ends", async () => {
  for (
    const ending of ["", "Deno.exit(0);", "throw new Error('on purpose');"]
  ) {
    const { code, signal, stdout, stderr } = await run(`
      import { alloc, python, PythonScope } from "@oneheap/oneheap";
      const scope = new PythonScope();
      const [block, freed] = [alloc(Uint8Array, 100_000), alloc(Uint8Array, 100)];
      python.run("import atexit, sys; sys.kept = memoryview(b), memoryview(f)", { scope, names: { b: block, f: freed } });
      python.run("atexit.register(lambda: print(sum(sys.kept[0])))", { scope });
      const borrowed = python.borrow("bytearray(1000)");
      freed.free();
      block.view.fill(1);
      ${ending}
    `);
    assertEquals([signal, stdout], [null, "100000\n"]);
    assertEquals(code, ending.startsWith("throw") ? 1 : 0);
    assertEquals(stderr.includes("on purpose"), ending.startsWith("throw"));
  }
});

Deno.test("blocks that are lost in Python and JavaScript in a loop are freed in time", async () => {
  const before = stats().blocks;
  let most = 0;
  for (let round = 0; round < 20_000; round++) {
    python.eval("memoryview(b)", { names: { b: alloc(Uint8Array, 2_000) } });
    if (round % 100 === 0) await new Promise((resolve) => setTimeout(resolve));
    most = Math.max(most, stats().blocks - before);
  }
  assert(most < 10_000, `${most} at a time`);
  collectGarbage();
  await until(() => {
    if (!HAS_GIL) python.run("pass");
    return stats().blocks <= before;
  }, "the lost blocks");
});
