/** Python's debug hooks: they tell where memory was allocated and where it was freed. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { run } from "../support/process.ts";

/** Allocates, then does what is asked, and frees: each in a function and on a line of its own. */
const PROGRAM = `import { alloc, raw } from "@oneheap/oneheap";
function allocates() {
  return Deno.env.get("WHAT") === "block" ? alloc(Uint8Array, 64) : raw.malloc(64);
}
function bytesAt(address) {
  const pointer = Deno.UnsafePointer.create(BigInt(address));
  return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, 128));
}
function frees(memory) {
  typeof memory === "number" ? raw.free(memory) : memory.free();
}
const memory = allocates();
const address = memory.address ?? memory;
const bytes = bytesAt(address);
switch (Deno.env.get("FAULT")) {
  case "overrun": bytes[64] = 1; break;
  case "double free": frees(memory); break;
  case "write after free": frees(memory); bytes[10] = 1; Deno.exit();
}
frees(memory);
if (Deno.env.get("FAULT") === "none") console.log("no fault");
`;

/** Runs the program. */
function runWith(fault: string, what: string, env: Record<string, string>) {
  return run(PROGRAM, { env: { FAULT: fault, WHAT: what, ...env } });
}

const RECORDED = { PYTHONMALLOC: "debug", ONEHEAP_CALL_SITES: "4" };

for (const allocator of ["debug", "malloc_debug"]) {
  for (const what of ["raw memory", "block"]) {
    for (const fault of ["overrun", "double free", "write after free"]) {
      if (what === "block" && fault === "double free") continue;
      Deno.test(`under ${allocator}, the report of ${fault} of ${what} names the lines of allocation and of free`, async () => {
        const { code, stderr } = await runWith(fault, what, {
          ...RECORDED,
          PYTHONMALLOC: allocator,
        });
        assert(code !== 0);
        assertStringIncludes(stderr, "Fatal Python error");
        assertStringIncludes(stderr, "line 3 in allocates");
        assertStringIncludes(stderr, "line 10 in frees");
      });
    }
  }
}

Deno.test("with tracemalloc, whose hook is in front of them, the debug hooks are seen too", async () => {
  const { code, stderr } = await runWith("double free", "raw memory", {
    ...RECORDED,
    PYTHONTRACEMALLOC: "4",
  });
  assert(code !== 0);
  assertStringIncludes(stderr, "freed a second time");
});

Deno.test("without call sites an overrun is found where it is freed, not later on another thread", async () => {
  const { code, stderr } = await runWith("overrun", "raw memory", {
    PYTHONMALLOC: "debug",
    PYTHONFAULTHANDLER: "1",
  });
  assert(code !== 0);
  assertStringIncludes(stderr, "bad trailing pad byte");
});

Deno.test("where there is no fault, nothing is reported", async () => {
  for (const env of [RECORDED, { ...RECORDED, PYTHONMALLOC: "malloc_debug" }]) {
    const { code, stdout, stderr } = await runWith("none", "raw memory", env);
    assertEquals([code, stdout, stderr], [0, "no fault\n", ""]);
  }
});

Deno.test("under the debug hooks nothing that this thread frees is deferred", async () => {
  const { stdout, stderr } = await run(
    `import { alloc, raw, stats } from "@oneheap/oneheap";
    const before = stats().deferred;
    for (let index = 0; index < 5_000; index++) {
      raw.free(raw.malloc(100));
      alloc(Uint8Array, 100).free();
    }
    console.log(stats().deferred - before);`,
    { env: { PYTHONMALLOC: "debug" } },
  );
  assertEquals([stdout, stderr], ["0\n", ""]);
});
