/** The check for leaks. */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  type Leak,
  leakCheck,
  LeakError,
  withoutLeaks,
} from "../../ffi/debug/debug.ts";
import {
  alloc,
  Arena,
  attach,
  type PyObjectRef,
  python,
  PythonScope,
  stats,
} from "../../mod.ts";
import { collectGarbage, until } from "../support/collection.ts";
import { run } from "../support/process.ts";

/** Collects all garbage. What a check has looked at is alive until the event loop goes on. */
async function collect(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    collectGarbage();
  }
}

/** What a check finds, without places. */
function summary(leaks: readonly Leak[]): unknown[] {
  return leaks.map(({ kind, count, bytes, lost, heldByPython }) => [
    kind,
    count,
    bytes,
    lost ? "lost" : heldByPython ? "held by Python" : "held",
  ]);
}

/** Each kind: what begins one, and returns what ends it. */
const KINDS: Record<string, [bytes: number, begin: () => () => void]> = {
  block: [100, () => {
    const block = alloc(Uint8Array, 100);
    return () => block.free();
  }],
  arena: [3_000, () => {
    const arena = new Arena({ chunkBytes: 1_000 });
    arena.alloc(Uint8Array, 900);
    arena.alloc(Uint8Array, 900);
    return () => arena.reset();
  }],
  reference: [0, () => {
    const list = python.eval("[1]") as PyObjectRef;
    return () => list[Symbol.dispose]();
  }],
  borrowed: [64, () => {
    const borrowed = python.borrow("bytearray(64)");
    return () => borrowed[Symbol.dispose]();
  }],
  scope: [0, () => {
    const scope = new PythonScope();
    return () => scope[Symbol.dispose]();
  }],
  attachment: [0, () => {
    const attachment = attach();
    return () => attachment[Symbol.dispose]();
  }],
};

for (const [kind, [bytes, begin]] of Object.entries(KINDS)) {
  Deno.test(`a check finds a ${kind} that isn't ended, with its place, and none that is`, () => {
    using check = leakCheck();
    function makes(): () => void {
      return begin();
    }
    const end = makes();
    const leaks = check.leaks();
    assertEquals(summary(leaks), [[kind, 1, bytes, "held"]]);
    assertStringIncludes(leaks[0].stack, "at makes (");
    assertStringIncludes(leaks[0].stack, "leaks_test.ts:");
    assert(!leaks[0].stack.includes("/ffi/"));
    end();
    assertEquals(check.leaks(), []);
  });
}

Deno.test("a check finds a run that hasn't settled", async () => {
  using check = leakCheck();
  const run = python.runAsync("import time; time.sleep(0.1)");
  assertEquals(summary(check.leaks()), [["run", 1, 0, "held"]]);
  await run;
  assertEquals(check.leaks(), []);
});

Deno.test("a block that was freed here and that Python holds is found until Python drops it", () => {
  using scope = new PythonScope();
  using check = leakCheck();
  const block = alloc(Uint8Array, 100);
  python.run("kept = memoryview(block)", { scope, names: { block } });
  assertEquals(summary(check.leaks()), [["block", 1, 100, "held by Python"]]);
  block.free();
  assertEquals(summary(check.leaks()), [["block", 1, 100, "held by Python"]]);
  python.run("del kept, block", { scope });
  assertEquals(check.leaks(), []);
});

Deno.test("what the program has lost is told from what it has", async () => {
  class Service {
    block?: Disposable;
    arena = new Arena();
    load(): void {
      this.block = alloc(Uint8Array, 700);
      this.arena.alloc(Uint8Array, 10);
    }
  }
  using check = leakCheck();
  (function () {
    new Service().load();
    for (let index = 0; index < 3; index++) alloc(Uint8Array, 100);
    python.eval("[1]");
    new PythonScope();
    python.borrow("bytearray(64)");
  })();
  await collect();
  assertEquals(summary(check.leaks()).toSorted(), [
    ["arena", 1, 65_536, "lost"],
    ["block", 1, 700, "lost"],
    ["block", 3, 300, "lost"],
    ["borrowed", 1, 64, "lost"],
    ["reference", 1, 0, "lost"],
    ["scope", 1, 0, "lost"],
  ]);
  assertThrows(() => check[Symbol.dispose](), LeakError, "lost");
});

Deno.test("things of one place are one leak, and the largest comes first", () => {
  const check = leakCheck();
  const kept: Disposable[] = [];
  for (const size of [10, 20, 30]) kept.push(alloc(Uint8Array, size));
  kept.push(alloc(Uint8Array, 1_000));
  const leaks = check.leaks();
  assertEquals(summary(leaks), [["block", 1, 1_000, "held"], [
    "block",
    3,
    60,
    "held",
  ]]);
  const error = assertThrows(() => check[Symbol.dispose](), LeakError);
  assertEquals(error.leaks, leaks);
  assertStringIncludes(error.message, "4 things weren't freed");
  kept.forEach((it) => it[Symbol.dispose]());
});

Deno.test("a resized block has its new size, and one that was transferred away is none of ours", () => {
  using check = leakCheck();
  const block = alloc(Uint8Array, 10);
  block.realloc(1_000);
  assertEquals(summary(check.leaks()), [["block", 1, 1_000, "held"]]);
  structuredClone(block.view, { transfer: [block.view.buffer] });
  assert(block.freed);
  assertThrows(() => block.view);
  assertEquals(check.leaks(), []);
});

Deno.test("a check sees what began after it alone, and checks nest", () => {
  using outer = leakCheck();
  using first = alloc(Uint8Array, 1);
  {
    using inner = leakCheck();
    assertEquals(inner.leaks(), []);
    using _second = alloc(Uint8Array, 2);
    assertEquals(summary(inner.leaks()), [["block", 1, 2, "held"]]);
    assertEquals(outer.leaks().length, 2);
  }
  assertEquals(outer.leaks().length, 1);
  first.free();
});

Deno.test("of 20,000 leaks the places of the largest are looked up, in a moment", () => {
  const check = leakCheck();
  const kept = Array.from({ length: 20_000 }, () => alloc(Uint8Array, 8));
  const start = performance.now();
  const leaks = check.leaks();
  assert(performance.now() - start < 2_000);
  assertEquals(leaks.reduce((sum, { count }) => sum + count, 0), 20_000);
  assertEquals(leaks.reduce((sum, { bytes }) => sum + bytes, 0), 160_000);
  kept.forEach((it) => it.free());
  check[Symbol.dispose]();
});

Deno.test("withoutLeaks fails for what a test leaves, and not for one that leaves nothing", async (context) => {
  await withoutLeaks(() => {
    using _block = alloc(Uint8Array, 1);
  })(context);
  const kept: Disposable[] = [];
  await assertRejects(
    () =>
      withoutLeaks(async () => {
        await undefined;
        kept.push(alloc(Uint8Array, 1));
      })(context),
    LeakError,
    "1 block, 1 bytes",
  );
  const own = new Error("the test's own");
  const thrown = await assertRejects(() =>
    withoutLeaks(() => {
      kept.push(alloc(Uint8Array, 1));
      throw own;
    })(context)
  );
  assertEquals(thrown, own);
  kept.forEach((it) => it[Symbol.dispose]());
});

Deno.test("as a sanitizer of a file, a check fails the test that leaves something", async () => {
  const file = await Deno.makeTempFile({ suffix: "_test.ts" });
  const [mod, debug] = ["mod.ts", "ffi/debug/debug.ts"].map((path) =>
    new URL(`../../${path}`, import.meta.url).href
  );
  try {
    await Deno.writeTextFile(
      file,
      `import { alloc } from "${mod}";
      import { type LeakCheck, leakCheck } from "${debug}";
      let check: LeakCheck;
      Deno.test.beforeEach(() => { check = leakCheck(); });
      Deno.test.afterEach(() => check[Symbol.dispose]());
      Deno.test("clean", () => { using _block = alloc(Uint8Array, 1); });
      Deno.test("leaks", () => { alloc(Uint8Array, 2); });`,
    );
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", "--no-check", file],
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assertEquals(code, 1);
    assertStringIncludes(text, "clean ... ok");
    assertStringIncludes(text, "leaks ... FAILED");
    assertStringIncludes(text, "1 block, 2 bytes");
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("statistics count references, borrowed buffers and scopes that are alive", async () => {
  await collect();
  const before = stats();
  const added = () => {
    const { references, borrows, scopes } = stats();
    return [
      references - before.references,
      borrows - before.borrows,
      scopes - before.scopes,
    ];
  };
  const list = python.eval("[1]") as PyObjectRef;
  assertEquals(added(), [1, 0, 0]);
  const borrowed = python.borrow("bytearray(8)");
  assertEquals(added(), [1, 1, 0]);
  const scope = new PythonScope();
  assertEquals(added(), [1, 1, 1]);
  list[Symbol.dispose]();
  borrowed[Symbol.dispose]();
  scope[Symbol.dispose]();
  assertEquals(added(), [0, 0, 0]);
  (function () {
    python.eval("[1]");
    new PythonScope();
  })();
  assertEquals(added(), [1, 0, 1]);
  await until(
    () => added().every((it) => it === 0),
    "what is lost isn't counted",
  );
});

Deno.test("ONEHEAP_LEAKS=1 says at the end what is left, and nothing where nothing is", async () => {
  const leaking = `import { alloc } from "@oneheap/oneheap";
    function forgets() { return alloc(Uint8Array, 1_234); }
    globalThis.kept = forgets();`;
  const env = { ONEHEAP_LEAKS: "1" };
  const { code, stderr } = await run(leaking, { env });
  assertEquals(code, 0);
  assertStringIncludes(stderr, "1 block, 1234 bytes");
  assertStringIncludes(stderr, "at forgets (");
  const clean = await run(`import "@oneheap/oneheap";`, { env });
  assertEquals([clean.code, clean.stderr], [0, ""]);
});

Deno.test("a setting of the environment that can't be is warned of, and ignored", async () => {
  const { code, stderr } = await run(`import "@oneheap/oneheap";`, {
    env: { ONEHEAP_LEAKS: "yes", ONEHEAP_CALL_SITES: "many" },
  });
  assertEquals(code, 0);
  assertStringIncludes(stderr, 'ONEHEAP_LEAKS must be 1 or 0; it is "yes"');
  assertStringIncludes(stderr, "ONEHEAP_CALL_SITES must be a number of frames");
});
