/** Call sites: what Python's tools see of TypeScript while they are recorded. */

import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { recordCallSites } from "../../ffi/debug/debug.ts";
import {
  TRACED_FUNCTIONS,
  TRACED_SYMBOLS,
} from "../../ffi/debug/traced_functions.ts";
import { napi, symbols } from "../../ffi/loading/native.ts";
import {
  alloc,
  AllocationError,
  Arena,
  kw,
  py,
  type PyObjectRef,
  python,
  PythonError,
  PythonScope,
  raw,
  stats,
} from "../../mod.ts";
import { inFolder, run } from "../support/process.ts";
import {
  pathOf,
  previousLine,
  type PythonFrame,
  STACK,
  Tracemalloc,
} from "./places.ts";

const HERE = pathOf(import.meta);

/** The functions and lines of this file that a stack ends with, before Python's own frames. */
function placesOf(stack: readonly PythonFrame[]): string[] {
  return stack.filter(({ file }) => file === HERE)
    .map(({ name, line }) => `${name}:${line}`);
}

Deno.test("tracemalloc has the lines of blocks, of arenas and of raw memory", () => {
  using tracemalloc = new Tracemalloc();
  using _recording = recordCallSites({ frames: 2 });
  const lines: number[] = [];
  function make(): Disposable {
    const block = alloc(Uint8Array, 12_345);
    lines.push(previousLine());
    const arena = new Arena({ chunkBytes: 23_456 });
    arena.alloc(Uint8Array, 10);
    lines.push(previousLine());
    const address = raw.malloc(34_567);
    lines.push(previousLine());
    const zeroes = raw.calloc(1, 45_678);
    lines.push(previousLine());
    return {
      [Symbol.dispose](): void {
        block.free();
        arena[Symbol.dispose]();
        raw.free(address);
        raw.free(zeroes);
      },
    };
  }
  using _made = make();
  const caller = previousLine();
  for (const [index, size] of [12_345, 23_456, 34_567, 45_678].entries()) {
    assertEquals(tracemalloc.stacks(size), [[
      { file: HERE, line: caller },
      { file: HERE, line: lines[index] },
    ]]);
  }
});

Deno.test("a block that is resized has the line of the resizing", () => {
  using tracemalloc = new Tracemalloc();
  using _recording = recordCallSites({ frames: 1 });
  using block = alloc(Uint8Array, 100);
  block.realloc(12_345);
  const here = previousLine();
  assertEquals(tracemalloc.stacks(12_345), [[{ file: HERE, line: here }]]);
  block.view[0] = 1;
  block.realloc(23_456);
  const there = previousLine();
  assertEquals(tracemalloc.stacks(23_456), [[{ file: HERE, line: there }]]);
  const address = raw.realloc(0, 34_567);
  const third = previousLine();
  assertEquals(tracemalloc.stacks(34_567), [[{ file: HERE, line: third }]]);
  raw.free(address);
});

/** What runs Python code: each returns the stack that the code sees. */
const CALLS: Record<string, () => PythonFrame[]> = {
  "python.eval": () => python.eval<PythonFrame[]>(STACK, { toJs: true }),
  "python.run": () => {
    using scope = new PythonScope();
    python.run(`stack = ${STACK}`, { scope });
    return python.eval("stack", { scope, toJs: true });
  },
  "PyObjectRef.call": () => {
    using stack = python.eval(`lambda: ${STACK}`) as PyObjectRef;
    using result = stack.call() as PyObjectRef;
    return result.toJs();
  },
  "PyObjectRef.call with keywords": () => {
    using stack = python.eval(`lambda **_: ${STACK}`) as PyObjectRef;
    using result = stack.call(kw({ a: [1] })) as PyObjectRef;
    return result.toJs();
  },
  "PyObjectRef.method": () => {
    using type = python.eval(
      `type("T", (), {"stack": lambda self: ${STACK}})()`,
    ) as PyObjectRef;
    using result = type.method("stack") as PyObjectRef;
    return result.toJs();
  },
  "PyObjectRef.get": () => {
    using type = python.eval(
      `type("T", (), {"stack": property(lambda self: ${STACK})})()`,
    ) as PyObjectRef;
    using result = type.get("stack") as PyObjectRef;
    return result.toJs();
  },
  "iterating": () => {
    using generator = python.eval(`((${STACK}) for _ in [1])`) as PyObjectRef;
    const [first] = [...generator];
    using result = first as PyObjectRef;
    return result.toJs();
  },
  "python.borrow": () => {
    using scope = new PythonScope();
    python.run("stacks = []", { scope });
    using _borrowed = python.borrow(
      `(stacks.append(${STACK}), bytearray(8))[1]`,
      { scope },
    );
    return python.eval("stacks[0]", { scope, toJs: true });
  },
  "a proxy's call, of a method": () => {
    const { Stacked } = python.module(
      `class Stacked:\n    def stack(self, *_): return ${STACK}`,
    );
    return Stacked().stack([1]).$js();
  },
  "a proxy's attribute": () => {
    const { Stacked } = python.module(
      `class Stacked:\n    stack = property(lambda self: ${STACK})`,
    );
    return Stacked().stack.$js();
  },
  "the template": () => {
    const { stack } = python.module(`def stack(*_): return ${STACK}`);
    return py.js`${stack}(${[1]})`;
  },
  "a module's code": () => python.module(`stack = ${STACK}`).stack.$js(),
  "what a region ends": () => {
    const { Ended, stacks } = python.module(
      `stacks = []\nclass Ended:\n    def __del__(self): stacks.append(${STACK})`,
    );
    python.region(() => {
      Ended();
    });
    return stacks[0].$js();
  },
  "an exception that is released": () => {
    const { fail, stacks } = python.module(
      `stacks = []\nclass Ended(Exception):\n    def __del__(self): stacks.append(${STACK})\ndef fail(): raise Ended`,
    );
    const error = assertThrows(() => fail(), PythonError);
    error[Symbol.dispose]();
    return stacks[0].$js();
  },
  "toString": () => {
    using type = python.eval(
      `type("T", (), {"__str__": lambda self: repr([[f['name'], f['file'], f['line']] for f in ${STACK}])})()`,
    ) as PyObjectRef;
    return [...`${type}`.matchAll(/\['([^']*)', '([^']*)', (\d+)\]/g)].map(
      ([, name, file, line]) => ({ name, file, line: Number(line) }),
    );
  },
};

for (const [what, call] of Object.entries(CALLS)) {
  Deno.test(`Python code sees who called it: ${what}`, () => {
    using _recording = recordCallSites({ frames: 3 });
    function caller(): PythonFrame[] {
      return call();
    }
    const places = placesOf(caller());
    assertEquals(places.map((it) => it.split(":")[0]).slice(-2)[0], "caller");
    assertGreater(places.length, 1);
  });
}

Deno.test("methods are named with their class, and frames that await are there", async () => {
  class Customer {
    async order(): Promise<PythonFrame[]> {
      await undefined;
      return this.#stack();
    }
    #stack(): PythonFrame[] {
      return python.eval(STACK, { toJs: true });
    }
  }
  async function shop(): Promise<PythonFrame[]> {
    return await new Customer().order();
  }
  using _recording = recordCallSites({ frames: 8 });
  const names = placesOf(await shop()).map((it) => it.split(":")[0]);
  assertEquals(names.slice(-3), ["shop", "Customer.order", "Customer.#stack"]);
});

Deno.test("a run on a thread of its own is within the frames of who started it", async () => {
  using _recording = recordCallSites({ frames: 2 });
  function start(): Promise<PythonFrame[]> {
    return python.evalAsync(STACK, { toJs: true });
  }
  const stack = await start();
  assertEquals(placesOf(stack).map((it) => it.split(":")[0]), [
    "<anonymous>",
    "start",
  ]);
  assertEquals(stack[0].file, HERE);
});

Deno.test("only so many frames are recorded as were asked for, whatever the library has between", () => {
  for (const frames of [1, 2, 5]) {
    using _recording = recordCallSites({ frames });
    const deep = (levels: number): PythonFrame[] =>
      levels === 0 ? CALLS["PyObjectRef.method"]() : deep(levels - 1);
    assertEquals(placesOf(deep(8)).length, frames);
  }
});

Deno.test("no frame of the library is shown", () => {
  using _recording = recordCallSites({ frames: 32 });
  const stack = CALLS["PyObjectRef.method"]();
  const library = new URL("../../ffi/", import.meta.url).pathname;
  assertEquals(stack.filter(({ file }) => file.startsWith(library)), []);
});

Deno.test("what a function throws is thrown, and its results are returned", () => {
  using _recording = recordCallSites();
  const error = assertThrows(
    () => python.run("raise KeyError('k')"),
    PythonError,
  );
  assertEquals(error.type, "KeyError");
  assertThrows(() => raw.malloc(2 ** 52), AllocationError);
  assertThrows(() => alloc(Float64Array, 2 ** 45), AllocationError);
  assertEquals(python.eval("6 * 7"), 42);
  using block = alloc(Int32Array, [1, 2, 3]);
  assertEquals(python.eval("sum(memoryview(b))", { names: { b: block } }), 6);
});

Deno.test("at Python's recursion limit the work is done all the same, once", () => {
  using scope = new PythonScope();
  python.run(
    `
    import sys
    limit = sys.getrecursionlimit()

    def lower():
        for lowest in range(30, limit, 10):
            try:
                return sys.setrecursionlimit(lowest)
            except RecursionError:
                pass
    `,
    { scope },
  );
  const deep = (levels: number): void => {
    if (levels > 0) return deep(levels - 1);
    using _recording = recordCallSites({ frames: 128 });
    const before = stats().blocks;
    using block = alloc(Uint8Array, 1_000);
    assertEquals(stats().blocks, before + 1);
    assertEquals(block.view.length, 1_000);
    assertEquals(python.eval("6 * 7"), 42);
  };
  python.run("lower()", { scope });
  try {
    deep(200);
  } finally {
    python.run("sys.setrecursionlimit(limit)", { scope });
  }
});

Deno.test("where a trace function raises the work is done all the same, once", () => {
  using scope = new PythonScope();
  python.run(
    `
    import sys
    calls = []
    def trace(frame, event, argument):
        calls.append(event)
        if frame.f_code.co_filename.endswith("call_sites_test.ts"):
            raise RuntimeError("not here")
    `,
    { scope },
  );
  using trace = scope.get("trace") as PyObjectRef;
  using settrace = python.eval("__import__('sys').settrace") as PyObjectRef;
  using _recording = recordCallSites();
  settrace.call(trace);
  const before = stats().blocks;
  using _block = alloc(Uint8Array, 1_000);
  assertEquals(stats().blocks, before + 1);
  settrace.call(null);
  assertGreater(python.eval("len(calls)", { scope }) as number, 0);
  assertEquals(python.eval("6 * 7"), 42);
});

Deno.test("when the last recording ends, the native functions are as they were", () => {
  const before = [{ ...symbols }, { ...napi }];
  const first = recordCallSites();
  const second = recordCallSites({ frames: 1 });
  const changed = (Object.keys(symbols) as (keyof typeof symbols)[])
    .filter((name) => symbols[name] !== before[0][name as never]);
  assertEquals(changed.toSorted(), Object.keys(TRACED_SYMBOLS).toSorted());
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assertEquals(placesOf(python.eval(STACK, { toJs: true })).length, 1);
  second[Symbol.dispose]();
  assertEquals([{ ...symbols }, { ...napi }], before);
  assertEquals(placesOf(python.eval(STACK, { toJs: true })), []);
});

Deno.test("each native function is traced, or is known to allocate nothing that a place would be looked for", () => {
  const untraced = (all: object, traced: object) =>
    Object.keys(all).filter((name) => !Object.hasOwn(traced, name));
  assertEquals(untraced(symbols, TRACED_SYMBOLS).toSorted(), [
    "oneheap_abi",
    "oneheap_address",
    "oneheap_attach",
    "oneheap_block_clear",
    "oneheap_block_exporters",
    "oneheap_block_identity",
    "oneheap_detach",
    "oneheap_end_attachment",
    "oneheap_memory_summary",
    "oneheap_pointer",
    "oneheap_python",
    "oneheap_setting",
    "oneheap_stack_descend",
    "oneheap_start",
    "oneheap_start_error",
    "oneheap_stats",
    "oneheap_wait",
  ]);
  assertEquals(untraced(napi, TRACED_FUNCTIONS).toSorted(), [
    "addKeys",
    "address",
    "callStack",
    "callStackText",
    "callWithin",
    "clearKeys",
    "ensureStack",
    "fromOwnedPointer",
    "interruptRun",
    "isHeldByPython",
    "newBackingStore",
    "newCompletionQueue",
    "newFinalizerToken",
    "nextCompletion",
    "readLedger",
    "readTraces",
    "registerOutput",
    "registerTape",
    "reportDue",
    "reportExternalMemory",
    "setRecording",
    "setStackProver",
    "slotAddress",
    "takeResult",
    "waitHandle",
    "watchBlock",
    "within",
  ]);
});

Deno.test("options that can't be are refused, and nothing is recorded then", () => {
  const before = { ...symbols };
  for (const frames of [0, -1, 1.5, NaN, 129, Infinity]) {
    assertThrows(() => recordCallSites({ frames }), RangeError, "frames");
  }
  for (const everyBytes of [-1, 0.5, NaN]) {
    assertThrows(
      () => recordCallSites({ everyBytes }),
      RangeError,
      "everyBytes",
    );
  }
  assertThrows(() => recordCallSites(null as never), TypeError);
  assertEquals({ ...symbols }, before);
});

Deno.test("a path that isn't ASCII is shown as the file system has it", () =>
  inFolder(async (folder) => {
    const { code, stdout, stderr } = await run(
      `import { python } from "@oneheap/oneheap";
      import { recordCallSites } from "@oneheap/oneheap/debug";
      using _recording = recordCallSites();
      const [first] = python.eval(\`${STACK}\`, { toJs: true });
      console.log(first.file.startsWith(Deno.args[0] ?? ${
        JSON.stringify(folder)
      }), first.line);`,
      { folder },
    );
    assertEquals([code, stderr, stdout], [0, "", "true 4\n"]);
  }));

Deno.test("a program's own Error.prepareStackTrace and stackTraceLimit are left as they are", () => {
  // deno-lint-ignore no-explicit-any -- V8's `Error` has more than TypeScript's
  const error = Error as any;
  const { prepareStackTrace, stackTraceLimit } = error;
  const own = () => "own";
  try {
    error.prepareStackTrace = own;
    error.stackTraceLimit = 3;
    using _recording = recordCallSites({ frames: 2 });
    assertGreater(placesOf(python.eval(STACK, { toJs: true })).length, 0);
    assertEquals(error.prepareStackTrace, own);
    assertEquals(error.stackTraceLimit, 3);
  } finally {
    error.prepareStackTrace = prepareStackTrace;
    error.stackTraceLimit = stackTraceLimit;
  }
  assert(true);
});
