/** Calling other libraries within the frames of who calls them. */

import {
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { recordCallSites, within } from "../../ffi/debug/debug.ts";
import { attach, detach, LibraryError, python } from "../../mod.ts";
import { run } from "../support/process.ts";
import { pathOf, previousLine, STACK, Tracemalloc } from "./places.ts";

const HERE = pathOf(import.meta);

/** Another library: Python's own, called directly. The thread has to be attached. */
const c = Deno.dlopen(python.library, {
  PyMem_Malloc: { parameters: [/* bytes */ "usize"], result: "pointer" },
  PyMem_Free: { parameters: [/* address */ "pointer"], result: "void" },
  PyGILState_Check: { parameters: [], result: "i32" },
}).symbols;

Deno.test("another library's memory has the line of TypeScript", () => {
  using tracemalloc = new Tracemalloc();
  using _recording = recordCallSites({ frames: 1 });
  const memory = within(() => c.PyMem_Malloc(12_345n));
  const here = previousLine();
  assertEquals(tracemalloc.stacks(12_345), [[{ file: HERE, line: here }]]);
  within(() => c.PyMem_Free(memory));
});

Deno.test("within, the thread is attached, and it isn't behind it", () => {
  assertEquals(c.PyGILState_Check(), 0);
  assertEquals(within(() => c.PyGILState_Check()), 1);
  assertEquals(c.PyGILState_Check(), 0);
  using _attached = attach();
  assertEquals(within(() => c.PyGILState_Check()), 1);
  assertEquals(c.PyGILState_Check(), 1);
});

Deno.test("what is called returns and throws as it does elsewhere", () => {
  assertEquals(within(() => "result"), "result");
  assertEquals(within(() => undefined), undefined);
  const error = new Error("its own");
  const thrown = assertThrows(() =>
    within(() => {
      throw error;
    })
  );
  assertEquals(thrown, error);
  assertEquals(within(() => python.eval("6 * 7")), 42);
  assertThrows(() => within(() => detach()), LibraryError);
  assertThrows(() => within(42 as never), TypeError, "42");
});

Deno.test("calls within calls have the frames of all of them", () => {
  using _recording = recordCallSites({ frames: 1 });
  const stack = within(() =>
    python.eval<{ file: string }[]>(STACK, { toJs: true })
  );
  assertEquals(stack.filter(({ file }) => file === HERE).length, 2);
});

Deno.test("a promise is awaited outside, and its error is the caller's", async () => {
  const promise = within(() => Promise.reject(new Error("later")));
  assertEquals(c.PyGILState_Check(), 0);
  await assertRejects(() => promise, Error, "later");
});

Deno.test("when another library crashes, faulthandler names the line", async () => {
  const { code, stderr } = await run(
    `import { python } from "@oneheap/oneheap";
    import { within } from "@oneheap/oneheap/debug";
    const { symbols } = Deno.dlopen(python.library, {
      PyObject_Repr: { parameters: ["usize"], result: "usize" },
    });
    python.run("import faulthandler, sys; faulthandler.enable(sys.__stderr__)");
    function callsTheLibrary() {
      return symbols.PyObject_Repr(1n);
    }
    function crashes() {
      within(callsTheLibrary);
    }
    crashes();`,
    { env: { ONEHEAP_CALL_SITES: "4" } },
  );
  assertEquals(code === 0, false);
  assertStringIncludes(stderr, "Segmentation fault");
  assertStringIncludes(stderr, "line 11 in crashes");
});
