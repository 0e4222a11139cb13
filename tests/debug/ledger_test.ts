/** The ledger: what is alive and where it was allocated, against the statistics and against a hook that counts by itself. */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { recordCallSites } from "../../ffi/debug/debug.ts";
import { type Ledger, type Place, readLedger } from "../../ffi/debug/ledger.ts";
import {
  alloc,
  Arena,
  type Block,
  python,
  raw,
  stats,
  type TypedArray,
} from "../../mod.ts";
import { until } from "../support/collection.ts";
import { canCount, CountingHook } from "../support/counting_hook.ts";
import { hasDebugHooks } from "../support/debug_hooks.ts";
import { run } from "../support/process.ts";

/** The place whose innermost function has that name. */
function placeIn(ledger: Ledger, name: string): Place {
  const found = ledger.places.filter(({ frames }) => frames[0]?.[1] === name);
  assertEquals(found.length, 1, name);
  return found[0];
}

Deno.test("blocks, arenas and raw memory are in the ledger as long as they live, with who made them", () => {
  using _recording = recordCallSites({ frames: 1 });
  function makesBlock() {
    return alloc(Uint8Array, 1_001);
  }
  function makesArena() {
    const arena = new Arena({ chunkBytes: 2_002 });
    arena.alloc(Uint8Array, 1);
    return arena;
  }
  function makesMemory() {
    return raw.malloc(3_003);
  }
  const block = makesBlock();
  const arena = makesArena();
  const address = makesMemory();
  const sizes = () => {
    const ledger = readLedger();
    return ["makesBlock", "makesArena", "makesMemory"].map((name) =>
      placeIn(ledger, name).live.bytes
    );
  };
  assertEquals(sizes(), [1_001, 2_002, 3_003]);
  block.free();
  assertEquals(sizes(), [0, 2_002, 3_003]);
  arena.reset();
  raw.free(address);
  assertEquals(sizes(), [0, 0, 0]);
  assertEquals(placeIn(readLedger(), "makesBlock").allocated, {
    bytes: 1_001,
    count: 1,
  });
});

Deno.test("a block that Python holds, and one that is lost, are in the ledger until they are freed", async () => {
  using _recording = recordCallSites({ frames: 1 });
  function makes() {
    return alloc(Uint8Array, 1_001);
  }
  const live = () => placeIn(readLedger(), "makes").live.count;
  python.run("import sys; sys.kept = memoryview(block)", {
    names: { block: makes() },
  });
  await until(() => stats().reclaimed > 0 || live() > 0, "garbage");
  assertEquals(live(), 1);
  python.run("import sys; del sys.kept");
  await until(() => live() === 0, "the block is freed");
  (() => {
    for (let index = 0; index < 10; index++) makes();
  })();
  assertEquals(live(), 10);
  await until(() => live() === 0, "the blocks are collected");
});

Deno.test(
  "the ledger has what the statistics have, and what a hook in front of Python's allocator counts",
  {
    ignore: !canCount,
  },
  () => {
    using hook = new CountingHook();
    using _recording = recordCallSites({ frames: 2 });
    const before = readLedger();
    const { bytes: statsBefore } = stats();
    const blocks: Block<TypedArray>[] = [];
    // Of sizes that the hook counts.
    for (let index = 0; index < 3_000; index++) {
      const size = (5 + index % 40) * 1_000 + 8;
      const place = index % 3;
      if (place === 0) blocks.push(alloc(Uint8Array, size));
      if (place === 1) blocks.push(alloc(Uint8Array, size));
      if (place === 2) {
        const block = blocks[(index * 7_919) % blocks.length];
        if (block.freed) continue;
        if (index % 2 === 0) block.free();
        else block.realloc(size);
      }
      if (index % 10 !== 0) continue;
      const ledger = readLedger();
      const added = ledger.live.bytes - before.live.bytes;
      assertEquals(added, stats().bytes - statsBefore);
      // Under the debug hooks, what is freed is kept for a while.
      if (!hasDebugHooks) assertEquals(added, hook.read().bytes);
      const sum = ledger.places.reduce((sum, { live }) => sum + live.bytes, 0);
      assertEquals(sum, ledger.live.bytes);
      const peak = ledger.places.reduce((sum, { peak }) => sum + peak.bytes, 0);
      assertEquals(peak, ledger.peakBytes);
    }
    assertGreater(blocks.length, 1_000);
    blocks.forEach((block) => block[Symbol.dispose]());
    assertEquals(readLedger().live, before.live);
  },
);

Deno.test("with sampling, totals are right within 5 %, and so is each place that has much", async () => {
  const { code, stdout, stderr } = await run(
    `import { alloc, raw } from "@oneheap/oneheap";
    import { recordCallSites } from "@oneheap/oneheap/debug";
    import { readLedger } from "${
      import.meta.resolve("../../ffi/debug/ledger.ts")
    }";
    const everyBytes = 16 * 1024;
    using _recording = recordCallSites({ frames: 1, everyBytes });
    const kept = [];
    const small = () => kept.push(alloc(Uint8Array, 64));
    const medium = () => kept.push(alloc(Uint8Array, 1_000));
    const large = () => kept.push(alloc(Uint8Array, 100_000));
    let expected = { small: 0, medium: 0, large: 0 };
    for (let index = 0; index < 800_000; index++) {
      small();
      expected.small += 64;
      if (index % 16 === 0) { medium(); expected.medium += 1_000; }
      if (index % 1_600 === 0) { large(); expected.large += 100_000; }
      if (index % 4 === 3) { kept.pop().free(); }
    }
    const live = kept.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const ledger = readLedger();
    const off = (estimate, exact) => Math.abs(estimate / exact - 1);
    const errors = ledger.places.filter(({ frames }) => frames.length > 0)
      .map(({ frames: [[, name]], allocated }) => [name, off(allocated.bytes, expected[name])]);
    console.log(JSON.stringify([off(ledger.live.bytes, live), Object.fromEntries(errors)]));`,
  );
  assertEquals([code, stderr], [0, ""]);
  const [live, places] = JSON.parse(stdout);
  // 3,000 and more samples of each: the standard deviation is below 2 %.
  assert(live < 0.05, stdout);
  assertEquals(Object.keys(places).toSorted(), ["large", "medium", "small"]);
  for (const error of Object.values(places)) {
    assert((error as number) < 0.08, stdout);
  }
});

Deno.test("the timeline sees what synchronous code allocates, and frees again", () => {
  using _recording = recordCallSites({ frames: 1 });
  const before = readLedger();
  const end = performance.now() + 30;
  while (performance.now() < end) {
    using _block = alloc(Uint8Array, 10_000_000, { zeroed: false });
  }
  const after = readLedger();
  const seen = after.timeline.slice(before.timeline.length);
  assertGreater(
    Math.max(...seen.map(({ bytes }) => bytes)) - before.live.bytes,
    9_999_999,
  );
});

Deno.test("ONEHEAP_CALL_SITES records in the whole program, and in its Workers", async () => {
  const { code, stdout, stderr } = await run(
    `import { alloc, python } from "@oneheap/oneheap";
    import { readLedger } from "${
      import.meta.resolve("../../ffi/debug/ledger.ts")
    }";
    function onMain() { return alloc(Uint8Array, 1_001); }
    const kept = onMain();
    const worker = new Worker(URL.createObjectURL(new Blob([\`
      import { alloc } from "${import.meta.resolve("../../mod.ts")}";
      function inWorker() { return alloc(Uint8Array, 2_002); }
      globalThis.kept = inWorker();
      postMessage("done");
    \`], { type: "text/javascript" })), { type: "module" });
    await new Promise((resolve) => worker.onmessage = resolve);
    const places = readLedger().places.filter(({ live, frames }) => live.bytes > 1_000 && frames.length > 0);
    console.log(JSON.stringify(places.map(({ frames: [[, name]], live }) => [name, live.bytes]).sort()));
    worker.terminate();`,
    { env: { ONEHEAP_CALL_SITES: "1" } },
  );
  assertEquals([code, stderr], [0, ""]);
  assertEquals(JSON.parse(stdout), [["inWorker", 2_002], ["onMain", 1_001]]);
});
