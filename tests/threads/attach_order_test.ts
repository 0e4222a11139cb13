/**
 * Attachments and detachments end by their identity, in any order, and across callbacks that Python code makes into JavaScript. What
 * could end or hang the process runs in one of its own.
 */

import { assertEquals } from "@std/assert";
import { attach, detach, python } from "../../mod.ts";
import { run } from "../support/process.ts";

const c = Deno.dlopen(python.library, {
  PyGILState_Check: { parameters: [], result: "i32" },
}).symbols;

const isAttached = () => c.PyGILState_Check() === 1;

/** All orders of so many things. */
function ordersOf(count: number): number[][] {
  if (count === 0) return [[]];
  return ordersOf(count - 1).flatMap((order) =>
    Array.from(
      { length: count },
      (_, index) => order.toSpliced(index, 0, count - 1),
    )
  );
}

Deno.test("the newest attachment or detachment that isn't disposed says whether the thread is attached", () => {
  const kinds = [attach, detach];
  for (let pattern = 0; pattern < 2 ** 4; pattern++) {
    for (const order of ordersOf(4)) {
      const made = [0, 1, 2, 3].map((index) => {
        const isAttaching = (pattern >> index) % 2 === 0;
        return { isAttaching, it: kinds[isAttaching ? 0 : 1]() };
      });
      const alive = new Set(made);
      for (const index of order) {
        made[index].it[Symbol.dispose]();
        alive.delete(made[index]);
        const expected = [...alive].at(-1)?.isAttaching ?? false;
        assertEquals(isAttached(), expected, `${pattern}, ${order}, ${index}`);
      }
    }
  }
});

/**
 * Programs in which Python code calls `action`, by a callback for which ctypes lets the thread go (CFUNCTYPE) or not (PYFUNCTYPE), and
 * what they print.
 */
const PROGRAMS: [what: string, program: string, printed: string][] = [
  [
    "an attachment from outside that is disposed in a callback ends when the Python code has returned",
    `const outer = attach();
     action = () => outer[Symbol.dispose]();
     call("CFUNCTYPE");
     console.log(isAttached());`,
    "goes on\nfalse\n",
  ],
  [
    "an attachment that a callback leaves ends with it",
    `action = () => { attach(); };
     call("CFUNCTYPE");
     console.log(isAttached());`,
    "goes on\nfalse\n",
  ],
  [
    "an attachment that a callback keeps is disposed later without effect",
    `let kept;
     action = () => { kept = attach(); };
     call("CFUNCTYPE");
     using after = attach();
     kept[Symbol.dispose]();
     console.log(isAttached());`,
    "goes on\ntrue\n",
  ],
  [
    "calls within the attachment of a callback attach by themselves",
    `action = () => { using _ = attach(); console.log(python.eval("6 * 7"), alloc(Uint8Array, 8).length); };
     call("CFUNCTYPE");
     console.log(isAttached());`,
    "42 8\ngoes on\nfalse\n",
  ],
  [
    "callbacks within callbacks leave what they find, and what was outside ends in them in any order",
    `const [a, b, d] = [attach(), attach(), detach()];
     let depth = 0;
     action = () => {
       attach(); detach();
       if (depth++ === 0) { a[Symbol.dispose](); call("CFUNCTYPE"); d[Symbol.dispose](); }
     };
     call("CFUNCTYPE");
     console.log(isAttached());
     b[Symbol.dispose]();
     console.log(isAttached());`,
    "goes on\ngoes on\ntrue\nfalse\n",
  ],
  [
    "a thread can't be detached in a callback that Python makes while it is attached",
    `action = () => {
       try { detach(); } catch (error) { console.log(error.name, error.message.slice(0, 30)); }
       using _ = attach();
       console.log(isAttached(), python.eval("1"));
     };
     call("PYFUNCTYPE");
     console.log(isAttached());`,
    "LibraryError This thread can't be detached \ntrue 1\ngoes on\nfalse\n",
  ],
];

for (const [what, program, printed] of PROGRAMS) {
  Deno.test(what, async () => {
    const { code, signal, stdout, stderr } = await run(`
      import { alloc, attach, detach, python } from "@oneheap/oneheap";
      const c = Deno.dlopen(python.library, { PyGILState_Check: { parameters: [], result: "i32" } }).symbols;
      const isAttached = () => c.PyGILState_Check() === 1;
      let action = () => {};
      const callback = new Deno.UnsafeCallback({ parameters: [], result: "void" }, () => action());
      const address = Number(Deno.UnsafePointer.value(callback.pointer));
      const call = (type) =>
        python.run("import ctypes\\nctypes." + type + "(None)(address)()\\nprint('goes on', flush=True)", { names: { address } });
      ${program}
      const settles = await Promise.race([
        (async () => { using _ = detach(); return await python.evalAsync("1"); })(),
        new Promise((resolve) => setTimeout(resolve, 20_000, "hangs")),
      ]);
      if (settles !== 1) console.log(settles);
      Deno.exit();
    `);
    assertEquals({ code, signal, stdout }, {
      code: 0,
      signal: null,
      stdout: printed,
    }, stderr);
  });
}
