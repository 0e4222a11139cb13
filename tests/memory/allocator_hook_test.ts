/** A hook of Python's allocator that calls JavaScript finds a block that is being resized or freed in use. */

import { assertEquals } from "@std/assert";
import { run } from "../support/process.ts";

/** What the hook does while a block is resized to 7,777 bytes, and the name of the error that it gets. */
const ACTIONS: [what: string, action: string, said: string][] = [
  ["frees it", "block.free()", "RangeError"],
  ["resizes it", "block.realloc(10)", "RangeError"],
  ["asks for its view", "block.view", "FreedError"],
  [
    "gives it to Python",
    `python.eval("len(b)", { names: { b: block } })`,
    "RangeError",
  ],
  ["allocates another", "alloc(Uint8Array, 100).free()", "nothing"],
];

for (const viewed of [false, true]) {
  for (const [what, action, said] of ACTIONS) {
    const isViewed = viewed ? " with a view" : "";
    Deno.test(`an allocator's hook that ${what}: a block${isViewed} that is being resized is resized, and works`, async () => {
      const { code, signal, stdout, stderr } = await run(
        `
        import { alloc, python, PythonScope } from "@oneheap/oneheap";
        const block = alloc(Uint8Array, 100);
        ${viewed ? "block.view.fill(7);" : ""}
        const errors = [];
        const callback = new Deno.UnsafeCallback({ parameters: [], result: "void" }, () => {
          try {
            ${action};
            errors.push("nothing");
          } catch (error) {
            errors.push(error.name);
          }
        });
        const scope = new PythonScope();
        python.run(\`
          import ctypes
          class Allocator(ctypes.Structure):
              _fields_ = [(name, ctypes.c_void_p) for name in ("context", "malloc", "calloc", "realloc", "free")]
          api = ctypes.pythonapi
          old = Allocator()
          api.PyMem_GetAllocator(1, ctypes.byref(old))
          Realloc = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
          realloc, call = Realloc(old.realloc), ctypes.PYFUNCTYPE(None)(address)
          def hook(context, pointer, size):
              if size == 7777:
                  call()
              return realloc(context, pointer, size)
          kept = Realloc(hook)
          new = Allocator(old.context, old.malloc, old.calloc, ctypes.cast(kept, ctypes.c_void_p).value, old.free)
          api.PyMem_SetAllocator(1, ctypes.byref(new))
        \`, { scope, names: { address: Number(Deno.UnsafePointer.value(callback.pointer)) } });
        block.realloc(7777);
        python.run("api.PyMem_SetAllocator(1, ctypes.byref(old))", { scope });
        console.log(errors.join(), block.length, block.view[0], block.view[7776]);
        console.log(python.eval("len(memoryview(b))", { names: { b: block } }));
        block.free();
        for (let round = 0; round < 1000; round++) alloc(Uint8Array, round).view;
        console.log(block.freed);
        `,
        { env: { PYTHONMALLOC: "debug" } },
      );
      const first = viewed ? 7 : 0;
      // The view is detached meanwhile, which looks as if it had been transferred away.
      const error = viewed && said !== "nothing" ? "FreedError" : said;
      assertEquals(
        { code, signal, stdout },
        {
          code: 0,
          signal: null,
          stdout: `${error} 7777 ${first} 0\n7777\ntrue\n`,
        },
        stderr,
      );
    });
  }
}
