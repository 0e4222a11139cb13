/** Who holds a block's memory: it is released when the last of them releases it, not before and not never. */

import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import {
  alloc,
  AllocationError,
  Arena,
  type Block,
  stats,
  type TypedArray,
} from "../../mod.ts";
import { evaluate, execute } from "../support/c_api.ts";
import { Fifo } from "../support/fifo.ts";
import { until } from "../support/collection.ts";
import { run } from "../support/process.ts";
import {
  addressOf,
  assertPends,
  collectForAWhile,
  HoldingWorker,
} from "../support/holders.ts";

/** How much a pipe takes before a write into it pends. */
const PIPE_BYTES = 64 * 1024;

/** Reads until the array is full. */
async function readFully(file: Deno.FsFile, into: Uint8Array): Promise<void> {
  for (let done = 0; done < into.length;) {
    done += (await file.read(into.subarray(done))) ?? into.length;
  }
}

/** Takes memory that was freed, of the size, and writes all over it. */
function scribble(bytes: number): Disposable & { untouched(): boolean } {
  const length = bytes > PIPE_BYTES ? 30 : 300;
  const blocks = Array.from({ length }, () => alloc(Uint8Array, bytes));
  for (const block of blocks) block.view.fill(0xee);
  return {
    untouched: () =>
      blocks.every(({ view }) => view.every((byte) => byte === 0xee)),
    [Symbol.dispose]() {
      for (const block of blocks) block.free();
    },
  };
}

/** Waits until so many blocks are alive, and fails if they become fewer. */
async function untilAlive(blocks: number, what: string): Promise<void> {
  await until(() => stats().blocks <= blocks, what);
  assertEquals(stats().blocks, blocks);
}

for (const bytes of [100, 5_000, 200_000]) {
  Deno.test(`a pending read of ${bytes} bytes keeps the memory of a freed block from everybody else`, async () => {
    await using fifo = await Fifo.open();
    const before = stats().blocks;
    const block = alloc(Uint8Array, bytes);
    const reading = fifo.reader.read(block.view);
    await assertPends(reading);
    block.free();
    assert(block.freed);
    assertEquals(stats().blocks, before + 1);
    await collectForAWhile();
    assertEquals(stats().blocks, before + 1);
    {
      using others = scribble(bytes);
      fifo.writer.writeSync(new Uint8Array(bytes).fill(9).slice(0, 4_096));
      assertEquals(await reading, Math.min(bytes, 4_096));
      assert(others.untouched());
    }
    await untilAlive(before, "the memory of the read");
  });

  Deno.test(`realloc of ${bytes} bytes during a pending read goes on with a copy`, async () => {
    await using fifo = await Fifo.open();
    const before = stats().blocks;
    {
      using block = alloc(Uint8Array, bytes);
      const { address } = block;
      block.view.fill(1);
      const reading = fifo.reader.read(block.view);
      await assertPends(reading);
      block.realloc(bytes + 8);
      assert(block.address !== address);
      assertEquals(stats().blocks, before + 2);
      fifo.writer.writeSync(new Uint8Array(64).fill(9));
      assertEquals(await reading, 64);
      const { view } = block;
      assert(view.subarray(0, bytes).every((byte) => byte === 1));
      assert(view.subarray(bytes).every((byte) => byte === 0));
      await untilAlive(before + 1, "the memory of the read");
      assert(view.subarray(0, bytes).every((byte) => byte === 1));
    }
    assertEquals(stats().blocks, before);
  });
}

Deno.test("a realloc that fails during a pending read leaves the block in the memory that is read into", async () => {
  await using fifo = await Fifo.open();
  const before = stats();
  {
    using block = alloc(Uint8Array, 100);
    const { address } = block;
    const reading = fifo.reader.read(block.view);
    await assertPends(reading);
    assertThrows(() => block.realloc(2 ** 52), AllocationError);
    assertEquals(block.address, address);
    const { view } = block;
    assertEquals(stats().blocks, before.blocks + 1);
    fifo.writer.writeSync(Uint8Array.of(1, 2, 3));
    assertEquals(await reading, 3);
    assertEquals([...view.subarray(0, 4)], [1, 2, 3, 0]);
    await collectForAWhile();
    assertEquals(stats().blocks, before.blocks + 1);
    block.realloc(4);
    assertEquals([...block.view], [1, 2, 3, 0]);
  }
  assertEquals(stats().blocks, before.blocks);
  assertEquals(stats().bytes, before.bytes);
});

Deno.test("a block that shares its memory with a read is freed by free, and the memory after the read", async () => {
  await using fifo = await Fifo.open();
  const before = stats();
  const block = alloc(Uint8Array, 100);
  const reading = fifo.reader.read(block.view);
  await assertPends(reading);
  assertThrows(() => block.realloc(2 ** 52), AllocationError);
  block.free();
  assertEquals(stats().blocks, before.blocks + 1);
  fifo.writer.writeSync(new Uint8Array(100));
  await reading;
  await untilAlive(before.blocks, "the memory of the read");
  assertEquals(stats().reclaimed, before.reclaimed);
});

for (const act of ["free", "realloc"] as const) {
  Deno.test(`${act} during a pending write: what was there when the write began is written`, async () => {
    await using fifo = await Fifo.open();
    const before = stats().blocks;
    fifo.writer.writeSync(new Uint8Array(PIPE_BYTES));
    const block: Block<Uint8Array<ArrayBuffer>> = alloc(Uint8Array, 5_000);
    block.view.fill(5);
    const writing = fifo.writer.write(block.view);
    await assertPends(writing);
    if (act === "free") block.free();
    else block.realloc(6_000).view.fill(6);
    await collectForAWhile();
    assertEquals(stats().blocks, before + (act === "free" ? 1 : 2));
    const written = new Uint8Array(5_000);
    {
      using others = scribble(5_000);
      await readFully(fifo.reader, new Uint8Array(PIPE_BYTES));
      await readFully(fifo.reader, written);
      assert(others.untouched());
    }
    assertEquals(await writing, 5_000);
    assert(written.every((byte) => byte === 5));
    if (act === "realloc") {
      assert(block.view.every((byte) => byte === 6));
      block.free();
    }
    await untilAlive(before, "the memory of the write");
  });
}

Deno.test("Python itself sees the memory stay until the pending read is over", async () => {
  await using fifo = await Fifo.open();
  const megabytes = () =>
    Math.round(Number(evaluate("tracemalloc.get_traced_memory()[0]")) / 1e6);
  execute("import tracemalloc; tracemalloc.start()");
  try {
    const before = megabytes();
    const block = alloc(Uint8Array, 50_000_000);
    const reading = fifo.reader.read(block.view);
    await assertPends(reading);
    block.free();
    await collectForAWhile();
    assertEquals(megabytes(), before + 50);
    fifo.writer.writeSync(new Uint8Array(10));
    await reading;
    await until(() => megabytes() === before, "Python's memory");
  } finally {
    execute("tracemalloc.stop()");
  }
});

Deno.test("structuredClone with transfer gives the memory away, and its new owner releases it", () => {
  const before = stats().blocks;
  const block = alloc(Uint8Array, [1, 2, 3]);
  const { address } = block;
  const clone = structuredClone(block.view, { transfer: [block.view.buffer] });
  assert(block.freed);
  assertEquals(addressOf(clone), address);
  assertEquals([...clone], [1, 2, 3]);
  assertEquals(stats().blocks, before + 1);
  clone.buffer.transfer(0);
  assertEquals(stats().blocks, before);
});

Deno.test("structuredClone without transfer copies, and the block stays", () => {
  using block = alloc(Uint8Array, [1, 2, 3]);
  const clone = structuredClone(block.view);
  block.view[0] = 9;
  assertEquals([...clone], [1, 2, 3]);
  assertEquals(block.freed, false);
});

Deno.test("a clone that is lost is collected with the memory", async () => {
  const before = stats().blocks;
  const lose = () => {
    const { view } = alloc(Uint8Array, [1, 2, 3]);
    structuredClone(view, { transfer: [view.buffer] });
  };
  lose();
  await untilAlive(before, "the clone");
});

Deno.test("a BYOB reader reads into the block's memory, which goes to the one who gets the result", async () => {
  const before = stats().blocks;
  const stream = new ReadableStream({
    type: "bytes",
    pull(controller) {
      const view = controller.byobRequest!.view as Uint8Array<ArrayBuffer>;
      view.set([1, 2, 3]);
      controller.byobRequest!.respond(3);
    },
  });
  const reader = stream.getReader({ mode: "byob" });
  const block = alloc(Uint8Array, 5);
  const { address } = block;
  const reading = reader.read(block.view);
  assert(block.freed);
  const { value } = await reading;
  assertEquals([...value!], [1, 2, 3]);
  assertEquals(addressOf(value!), address);
  await collectForAWhile();
  assertEquals(stats().blocks, before + 1);
  value!.buffer.transfer(0);
  assertEquals(stats().blocks, before);
});

Deno.test("a view goes to a Worker and back, without a copy", async () => {
  const before = stats().blocks;
  using worker = await HoldingWorker.start();
  const block = alloc(Uint8Array, 5_000);
  const { address, view } = block;
  const back = await worker.ask({ kind: "fill and give back", view });
  assert(block.freed);
  assertEquals(view.length, 0);
  assertEquals(addressOf(back), address);
  assert(back.every((byte: number) => byte === 7));
  assertEquals(stats().blocks, before + 1);
  back.buffer.transfer(0);
  assertEquals(stats().blocks, before);
});

Deno.test("a Worker that ends releases the memory that it was passed", async () => {
  const before = stats().blocks;
  {
    using worker = await HoldingWorker.start();
    const { view } = alloc(Uint8Array, 5_000);
    await worker.ask({ kind: "keep", view });
    await collectForAWhile();
    assertEquals(stats().blocks, before + 1);
  }
  await untilAlive(before, "the memory that the Worker kept");
});

Deno.test("memory that a Worker allocated outlives it with its new owner", async () => {
  const before = stats().blocks;
  let made: Uint8Array<ArrayBuffer>;
  {
    using worker = await HoldingWorker.start();
    made = await worker.ask({ kind: "make" });
  }
  await collectForAWhile();
  assertEquals(stats().blocks, before + 1);
  {
    using others = scribble(5_000);
    assert(made.every((byte) => byte === 7));
    assert(others.untouched());
  }
  made.buffer.transfer(0);
  assertEquals(stats().blocks, before);
});

/** Ways to hold a block's memory after the block itself is lost. */
const PARTS: [
  what: string,
  part: (view: Uint8Array<ArrayBuffer>) => DataView<ArrayBuffer> | TypedArray,
][] = [
  ["a part of its view", (view) => view.subarray(8, 16)],
  ["a typed array of another type", (view) => new Float32Array(view.buffer, 8)],
  ["a DataView", (view) => new DataView(view.buffer, 8, 8)],
];

/** Loses a block full of fives; what is given lies over its memory. */
function loseUnder(part: (typeof PARTS)[0][1]): ReturnType<typeof part> {
  const { view } = alloc(Uint8Array, 64);
  view.fill(5);
  return part(view);
}

/** Fails unless the eight bytes that the array begins with are fives. */
function assertFives({ buffer, byteOffset }: ReturnType<typeof loseUnder>) {
  const bytes = new Uint8Array(buffer, byteOffset, 8);
  assert(bytes.every((byte) => byte === 5));
}

for (const [what, part] of PARTS) {
  Deno.test(`a lost block's memory lives as long as ${what}`, async () => {
    const before = stats();
    const held = [loseUnder(part)];
    await collectForAWhile();
    assertEquals(stats().blocks, before.blocks + 1);
    {
      using _others = scribble(64);
      assertFives(held[0]);
    }
    held.pop();
    await untilAlive(before.blocks, `the memory of ${what}`);
    assertEquals(stats().reclaimed, before.reclaimed + 1);
  });
}

/** Loses an arena of two chunks and a large array; what is given lies over all three. */
function loseArena(): Float64Array<ArrayBuffer>[] {
  const arena = new Arena({ chunkBytes: 1_000 });
  const arrays = Array.from(
    { length: 30 },
    (_, index) => arena.alloc(Float64Array, 10).fill(index),
  );
  const large = arena.alloc(Float64Array, 10_000).fill(30);
  return [arrays[0], arrays[29], large];
}

function assertFilled(array: Float64Array<ArrayBuffer>, value: number) {
  assert(array.every((element) => element === value));
}

Deno.test("a lost arena's chunks live as long as arrays over them", async () => {
  const before = stats().blocks;
  const held = loseArena();
  await collectForAWhile();
  assertEquals(stats().blocks, before + 3);
  {
    using _others = scribble(1_000);
    assertFilled(held[0], 0);
    assertFilled(held[1], 29);
    assertFilled(held[2], 30);
  }
  held.shift();
  await untilAlive(before + 2, "the first chunk");
  assertFilled(held[0], 29);
  held.pop();
  await untilAlive(before + 1, "the large array");
  assertFilled(held[0], 29);
  held.pop();
  await untilAlive(before, "the last chunk");
});

Deno.test("a block that is lost after a realloc that failed is collected", async () => {
  const before = stats().blocks;
  const lose = () => {
    const block = alloc(Uint8Array, 64);
    block.view.fill(1);
    assertThrows(() => block.realloc(2 ** 52), AllocationError);
  };
  lose();
  await untilAlive(before, "the block");
});

/** What became of blocks that a script lost in a loop. */
interface Lost {
  most: number;
  reclaimed: number;
  peakBytes: number;
}

/** Loses blocks in a loop that yields, in a process of its own that never asks for a collection. */
async function lose(count: number, bytes: number, viewed: boolean) {
  const { code, stdout, stderr } = await run(`
    import { alloc, stats } from "@oneheap/oneheap";
    let most = 0;
    for (let index = 1; index <= ${count}; index++) {
      const block = alloc(Uint8Array, ${bytes});
      if (${viewed}) block.view[0] = 1;
      if (index % 100 === 0) await new Promise((resolve) => setTimeout(resolve));
      most = Math.max(most, stats().blocks);
    }
    const { reclaimed, peakBytes } = stats();
    console.log(JSON.stringify({ most, reclaimed, peakBytes }));
  `);
  assertEquals([code, stderr], [0, ""]);
  return JSON.parse(stdout) as Lost;
}

for (const viewed of [true, false]) {
  const how = viewed ? "with" : "without";

  for (const bytes of [64, 65_536]) {
    Deno.test(`20,000 lost blocks of ${bytes} bytes ${how} a view are freed without being asked`, async () => {
      const { most, reclaimed } = await lose(20_000, bytes, viewed);
      assertGreater(5_000, most);
      assertGreater(reclaimed, 15_000);
    });
  }

  Deno.test(`lost blocks of 16 MiB ${how} a view are freed before they fill the memory`, async () => {
    const { most, peakBytes } = await lose(300, 2 ** 24, viewed);
    assertGreater(100, most);
    assertGreater(100 * 2 ** 24, peakBytes);
  });
}

Deno.test("blocks of 4 MiB without a view that grow old before they are lost are freed in time", async () => {
  const alive = 100;
  const { code, stdout, stderr } = await run(`
    import { alloc, stats } from "@oneheap/oneheap";
    const ring = [];
    let most = 0;
    for (let index = 0; index < 1_500; index++) {
      ring[index % ${alive}] = alloc(Uint8Array, 2 ** 22, { zeroed: false });
      if (index % 10 === 0) await new Promise((resolve) => setTimeout(resolve));
      most = Math.max(most, stats().blocks);
    }
    console.log(most);
  `);
  assertEquals([code, stderr], [0, ""]);
  assertGreater(3 * alive, Number(stdout));
});
