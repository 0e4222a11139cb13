/** Frees on threads that aren't attached: how long they wait for an attached thread, and who sees to them. */

import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { alloc, attach, python, PythonScope, raw, stats } from "../../mod.ts";
import { run } from "../support/process.ts";

/** Longer than small frees wait for Python's own thread. */
const WAIT_MILLISECONDS = 1_000;

const sleep = (milliseconds: number) =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Has a thread of Python's, which frees nothing of what waits though it attaches, sample how much memory is in use. */
const TRACE = `
import threading, time, tracemalloc
def watch():
    while not stop.wait(0.005):
        samples.append((time.time() * 1000, tracemalloc.get_traced_memory()[0]))
samples = []
stop = threading.Event()
tracemalloc.start()
watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
`;
import { DEFERRED } from "../support/debug_hooks.ts";

/** Runs a function while a thread of Python's samples how much memory of Python's is in use; returns time and bytes in turn. */
async function sampled(work: () => Promise<void>): Promise<number[][]> {
  using scope = new PythonScope();
  python.run(TRACE, { scope });
  let samples: number[][] = [];
  try {
    await work();
  } finally {
    samples = JSON.parse(
      python.eval("__import__('json').dumps(samples)", { scope }) as string,
    );
    python.run("stop.set(); watcher.join(); tracemalloc.stop()", { scope });
  }
  return samples;
}

const COUNT = 20_000;

for (
  const [name, bytes, free] of [
    ["blocks", 200, () => {
      const blocks = Array.from(
        { length: COUNT },
        () => alloc(Uint8Array, 200),
      );
      return () => blocks.forEach((block) => block.free());
    }],
    ["blocks with a view", 200, () => {
      const blocks = Array.from({ length: COUNT }, () => {
        const block = alloc(Uint8Array, 200);
        block.view[0] = 1;
        return block;
      });
      return () => blocks.forEach((block) => block.free());
    }],
    ["raw memory", 200, () => {
      const addresses = Array.from({ length: COUNT }, () => raw.malloc(200));
      return () => addresses.forEach((address) => raw.free(address));
    }],
  ] as const
) {
  Deno.test(`small frees of ${name} don't wait for somebody who attaches`, async () => {
    const samples = await sampled(async () => {
      const freeAll = free();
      await sleep(50);
      freeAll();
      await sleep(WAIT_MILLISECONDS);
    });
    const used = samples.map(([, bytes]) => bytes);
    const most = Math.max(...used);
    assertGreater(most, COUNT * bytes);
    assertLess(used.at(-1)!, most - COUNT * bytes * 0.9);
  });
}

Deno.test("blocks of more than 16 MiB together are freed at once", async () => {
  const count = 2_000, bytes = 65_536;
  const delays: number[] = [];
  // The best of some attempts, for the machine may be busy. Less waits for a tenth of a second.
  for (let attempt = 0; attempt < 5; attempt++) {
    let freed = 0;
    const samples = await sampled(async () => {
      const blocks = Array.from(
        { length: count },
        () => alloc(Uint8Array, bytes, { zeroed: false }),
      );
      await sleep(50);
      freed = Date.now();
      for (const block of blocks) block.free();
      await sleep(500);
    });
    const after = samples.find(([time, used]) =>
      time > freed && used < count * bytes / 2
    );
    assert(after !== undefined);
    delays.push(after[0] - freed);
  }
  assertLess(Math.min(...delays), 80);
});

Deno.test("raw memory of more than 64 KiB is freed at once on a thread that isn't attached", () => {
  const deferred = (address: number) => {
    const before = stats().deferred;
    raw.free(address);
    return stats().deferred - before;
  };
  assertEquals(deferred(raw.malloc(65_536)), DEFERRED);
  assertEquals(deferred(raw.malloc(65_537)), 0);
  assertEquals(deferred(raw.calloc(2, 65_536)), 0);
  assertEquals(deferred(raw.realloc(0, 1_000_000)), 0);
  assertEquals(deferred(raw.realloc(raw.malloc(100), 1_000_000)), 0);
  assertEquals(deferred(raw.realloc(raw.malloc(1_000_000), 100)), DEFERRED);
  using _attached = attach();
  const large = raw.malloc(1_000_000);
  assertEquals(deferred(raw.realloc(large, 100)), 0);
});

Deno.test("raw memory whose realloc failed is still known to be large", () => {
  const address = raw.malloc(1_000_000);
  try {
    raw.realloc(address, 2 ** 52);
  } catch {
    // There is no so much memory.
  }
  const before = stats().deferred;
  raw.free(address);
  assertEquals(stats().deferred, before);
});

Deno.test("raw memory that is freed in any order is freed at once where it is large", () => {
  const sizes = Array.from(
    { length: 3_000 },
    (_, index) => index % 3 === 0 ? 70_000 + index : 1_000,
  );
  const addresses = sizes.map((size) => raw.malloc(size));
  const before = stats().deferred;
  for (let step = 0; step < addresses.length; step++) {
    raw.free(addresses[step * 7 % addresses.length]);
  }
  const small = sizes.filter((size) => size === 1_000).length;
  assertEquals(stats().deferred, before + small * DEFERRED);
});

Deno.test({
  name:
    "the maintenance thread sleeps while nothing is freed, and is not woken by a loop that frees for itself",
  ignore: Deno.build.os !== "linux",
  async fn() {
    // In a process of its own, where nothing is collected meanwhile.
    const { stdout, stderr } = await run(`
      import { alloc, raw } from "@oneheap/oneheap";
      const sleep = (milliseconds) =>
        new Promise((resolve) => setTimeout(resolve, milliseconds));
      /** How often Python's own thread has gone to sleep. */
      function switches() {
        for (const { name } of Deno.readDirSync("/proc/self/task")) {
          const read = (file) => Deno.readTextFileSync("/proc/self/task/" + name + "/" + file);
          if (read("comm").trim() !== "oneheap-python") continue;
          return Number(/^voluntary_ctxt_switches:\\s*(\\d+)$/m.exec(read("status"))[1]);
        }
      }
      raw.free(raw.malloc(64));
      await sleep(1_000);
      const first = switches();
      await sleep(1_000);
      const second = switches();
      const end = performance.now() + 1_000;
      let pairs = 0;
      while (performance.now() < end) {
        for (let pair = 0; pair < 100; pair++) raw.free(raw.malloc(64));
        alloc(Uint8Array, 64).free();
        pairs += 100;
      }
      console.log(JSON.stringify([second - first, switches() - second, pairs]));
    `);
    assert(stdout !== "", stderr);
    const [idle, busy, pairs] = JSON.parse(stdout);
    assertEquals(idle, 0);
    assertGreater(pairs, 1_000);
    assertLess(busy, 50);
  },
});
