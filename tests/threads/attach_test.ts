import { assert, assertEquals, assertGreater } from "@std/assert";
import { alloc, attach, detach, python, raw } from "../../mod.ts";
import { evaluate, execute } from "../support/c_api.ts";
import { HAS_GIL } from "../support/build.ts";

const c = Deno.dlopen(python.library, {
  PyGILState_Check: { parameters: [], result: "i32" },
  PyGILState_GetThisThreadState: { parameters: [], result: "pointer" },
}).symbols;

/** Whether Python itself says that this thread is attached. */
const attached = () => c.PyGILState_Check() === 1;

Deno.test("a thread is attached from attach to dispose", () => {
  assertEquals(attached(), false);
  {
    using _attached = attach();
    assertEquals(attached(), true);
  }
  assertEquals(attached(), false);
});

Deno.test("attachments nest, and the last one that is disposed detaches", () => {
  const attachments = [attach(), attach(), attach()];
  for (const attachment of attachments.toReversed()) {
    assert(attached());
    attachment[Symbol.dispose]();
  }
  assertEquals(attached(), false);
});

Deno.test("attachments may be disposed in any order", () => {
  const orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1]];
  for (const order of orders) {
    const attachments = [attach(), attach(), attach()];
    for (const index of order) {
      assert(attached());
      attachments[index][Symbol.dispose]();
    }
    assertEquals(attached(), false);
  }
});

Deno.test("disposing an attachment twice gives back no other one", () => {
  using _outer = attach();
  const inner = attach();
  inner[Symbol.dispose]();
  inner[Symbol.dispose]();
  inner[Symbol.dispose]();
  assert(attached());
});

Deno.test("detach releases Python until it is disposed, and does nothing where the thread isn't attached", () => {
  {
    using _detached = detach();
    assertEquals(attached(), false);
  }
  using _attached = attach();
  {
    using _detached = detach();
    assertEquals(attached(), false);
  }
  assert(attached());
});

Deno.test("attachments and detachments nest", () => {
  using _outer = attach();
  {
    using _detached = detach();
    using _again = detach();
    {
      using _inner = attach();
      assert(attached());
      {
        using _innermost = detach();
        assertEquals(attached(), false);
      }
      assert(attached());
    }
    assertEquals(attached(), false);
  }
  assert(attached());
});

Deno.test("several detachments at a time, as of functions that await, end with the last of them", () => {
  using _attached = attach();
  for (const order of [[0, 1], [1, 0]]) {
    const detachments = [detach(), detach()];
    detachments[order[0]][Symbol.dispose]();
    assertEquals(attached(), false);
    detachments[order[1]][Symbol.dispose]();
    assert(attached());
  }
});

Deno.test("calls work within a detachment, and leave the thread detached", () => {
  using _attached = attach();
  using _detached = detach();
  using block = alloc(Float64Array, [1, 2]);
  assertEquals(
    python.eval("sum(memoryview(block))", { names: { block } }),
    3,
  );
  assertEquals(attached(), false);
});

Deno.test("an attachment is released when its scope is left by an error", () => {
  try {
    using _attached = attach();
    throw new Error("in the scope");
  } catch {
    assertEquals(attached(), false);
  }
});

Deno.test("calls leave a thread as they found it", () => {
  const calls = () => {
    using block = alloc(Float64Array, 100_000);
    block.view[0] = 1;
    block.realloc(10);
    raw.free(raw.realloc(raw.malloc(8), 16));
  };
  calls();
  assertEquals(attached(), false);
  using _attached = attach();
  calls();
  assertEquals(attached(), true);
});

Deno.test("a call that fails leaves a thread as it found it", () => {
  try {
    alloc(Uint8Array, 2 ** 52);
  } catch {
    assertEquals(attached(), false);
  }
  using _attached = attach();
  try {
    raw.malloc(2 ** 52);
  } catch {
    assertEquals(attached(), true);
  }
});

Deno.test("Python is used while attached, and the thread stays attached", () => {
  using _attached = attach();
  assertEquals(evaluate("6 * 7"), "42");
  assert(attached());
});

Deno.test("a thread keeps its Python thread state between attachments", () => {
  const states = Array.from({ length: 3 }, () => {
    using _attached = attach();
    return Number(
      Deno.UnsafePointer.value(c.PyGILState_GetThisThreadState()),
    );
  });
  assertGreater(states[0], 0);
  assertEquals(new Set(states).size, 1);
});

/** A Python thread that counts in a block, as long as it may run. */
function startTicker(): { ticks(): bigint } & Disposable {
  const block = alloc(BigUint64Array, 1);
  execute(`
import ctypes, threading
_ticks = ctypes.c_uint64.from_address(${block.address})
_stop = threading.Event()
def _tick():
    while not _stop.wait(0.0005):
        _ticks.value += 1
_ticker = threading.Thread(target=_tick)
_ticker.start()
`);
  return {
    ticks: () => block.view[0],
    [Symbol.dispose]() {
      execute("_stop.set(); _ticker.join(); del _ticks");
      block.free();
    },
  };
}

/** Keeps this thread busy until the condition holds, or the time is over; tells whether it held. */
function spin(milliseconds: number, condition: () => boolean): boolean {
  const end = performance.now() + milliseconds;
  while (performance.now() < end) if (condition()) return true;
  return false;
}

Deno.test("Python's threads run while JavaScript does, and don't while it is attached", () => {
  using ticker = startTicker();
  const runs = (milliseconds: number) => {
    const before = ticker.ticks();
    return spin(milliseconds, () => ticker.ticks() > before);
  };
  assert(runs(10_000), "Python's thread stood still while detached");
  {
    using _attached = attach();
    assertEquals(runs(HAS_GIL ? 50 : 10_000), !HAS_GIL);
    using _nested = attach();
    assertEquals(runs(HAS_GIL ? 20 : 10_000), !HAS_GIL);
  }
  assert(runs(10_000), "Python's thread stood still after the attachment");
});

Deno.test("a thread attaches while a Python thread computes", () => {
  execute(`
import threading
_stop = False
def _compute():
    number = 0
    while not _stop:
        number += 1
_computing = threading.Thread(target=_compute)
_computing.start()
`);
  try {
    for (let index = 0; index < 10; index++) {
      using block = alloc(Uint8Array, [index]);
      assertEquals(block.view[0], index);
    }
  } finally {
    execute("_stop = True; _computing.join()");
  }
});
