/** A holder for every byte: memory lives as long as JavaScript or Python holds it, and not longer. */

import { assertEquals, assertThrows } from "@std/assert";
import {
  alloc,
  type Block,
  BlockInUseError,
  free,
  PyObjectRef,
  python,
  PythonError,
  PythonScope,
} from "../../mod.ts";
import { collectForAWhile } from "../support/holders.ts";
import { HAS_GIL } from "../support/build.ts";
import { type Bytes, Living, scribble, sevens, SIZES } from "./owners.ts";

/** How JavaScript releases a block. The last way takes until it is collected. */
const WAYS: Record<string, (block: Block<Bytes>) => void> = {
  "block.free()": (block) => block.free(),
  "free(block)": (block) => free(block),
  "the end of using": (block) => {
    using _ = block;
  },
  "losing it": () => {},
};

/** How Python holds a block `b`, as `kept`. */
const HOLDERS: Record<string, string> = {
  "the object": "kept = b",
  "a memoryview": "kept = memoryview(b)",
  "a part of one": "kept = memoryview(b)[1:9]",
  "a list": "kept = [b]",
  "a function": "kept = (lambda it: lambda: it)(b)",
  "an array of ctypes":
    "import ctypes; kept = (ctypes.c_uint8 * 8).from_buffer(b)",
  "a BytesIO's copy, and the object": "import io; kept = b, io.BytesIO(b)",
};

/** Those of them that are tried where it takes long. */
const SOME_HOLDERS = ["the object", "a part of one", "a function"];

for (const [way, letGo] of Object.entries(WAYS)) {
  for (const [holder, source] of Object.entries(HOLDERS)) {
    if (way === "losing it" && !SOME_HOLDERS.includes(holder)) continue;
    Deno.test(`memory lives on after ${way} while Python holds it by ${holder}`, async () => {
      for (const bytes of SIZES) {
        using living = new Living();
        using scope = new PythonScope();
        const address = ((block) => {
          python.run(`${source}; del b`, { scope, names: { b: block } });
          const { address, view } = block;
          letGo(block);
          assertEquals(block.freed, way !== "losing it");
          assertEquals(view.length, block.freed ? 0 : bytes);
          return address;
        })(sevens(bytes));
        if (way === "losing it") await collectForAWhile();
        living.assert(1, bytes);
        scribble(bytes);
        const held = python.eval(
          "(lambda c: bytes((c.c_uint8 * 8).from_address(address)))(__import__('ctypes'))",
          { names: { address } },
        );
        assertEquals(held, new Uint8Array(8).fill(7));
        living.assert(1, bytes);
        python.run("del kept", { scope });
        living.assert(0, 0);
        assertEquals(living.reclaimed, way === "losing it" ? 1 : 0);
      }
    });
  }
}

Deno.test("memory lives on after a block is freed whose view was never made", () => {
  using living = new Living();
  using scope = new PythonScope();
  const block = alloc(Uint8Array, 5_008);
  python.run("kept = memoryview(b); del b", { scope, names: { b: block } });
  block.free();
  living.assert(1, 5_008);
  python.run("kept[:3] = b'abc'", { scope });
  assertEquals(
    python.eval("bytes(kept[:4])", { scope }),
    Uint8Array.of(97, 98, 99, 0),
  );
  python.run("del kept", { scope });
  living.assert(0, 0);
});

Deno.test("a function fills a block and returns it as Python's own", () => {
  using living = new Living();
  const filled = () => {
    using block = alloc(Float64Array, 626);
    for (let i = 0; i < block.length; i++) block.view[i] = i / 2;
    return python.eval("memoryview(b)", { names: { b: block } }) as PyObjectRef;
  };
  {
    using result = filled();
    living.assert(1, 5_008);
    scribble(5_008);
    assertEquals(
      python.eval("it.tolist() == [i / 2 for i in range(626)]", {
        names: { it: result },
      }),
      true,
    );
  }
  living.assert(0, 0);
});

Deno.test("memory is freed by the last of many holders, in whatever order they release it", () => {
  for (let order = 0; order < 6; order++) {
    using living = new Living();
    using scope = new PythonScope();
    const block = sevens(5_008);
    python.run("first = b; second = memoryview(b); third = [memoryview(b)]", {
      scope,
      names: { b: block },
    });
    python.run("del b", { scope });
    const names = ["first", "second", "third"];
    if (order % 2 === 0) block.free();
    const sequence = [
      ...names.slice(order / 2),
      ...names.slice(0, order / 2),
    ];
    for (const name of sequence) {
      living.assert(1, 5_008);
      python.run(`del ${name}`, { scope });
    }
    if (order % 2 === 1) {
      living.assert(1, 5_008);
      assertEquals(block.view[5_007], 7);
      block.free();
    }
    living.assert(0, 0);
  }
});

Deno.test("a block that Python has released is JavaScript's alone again", () => {
  using living = new Living();
  const block = sevens(5_008);
  for (let round = 0; round < 3; round++) {
    python.run("memoryview(b)", { names: { b: block } });
    living.assert(1, 5_008);
  }
  const { address } = block;
  block.realloc(5_008);
  assertEquals(block.address, address);
  block.free();
  living.assert(0, 0);
});

Deno.test("a pointer that toPython gave holds the memory until its reference is disposed", () => {
  using living = new Living();
  const block = sevens(5_008);
  const pointer = block.toPython();
  block.free();
  living.assert(1, 5_008);
  {
    using reference = new PyObjectRef(pointer);
    assertEquals(
      python.eval("memoryview(it)[5007]", { names: { it: reference } }),
      7,
    );
  }
  living.assert(0, 0);
});

Deno.test("a scope that is disposed releases the blocks in it", () => {
  using living = new Living();
  const scope = new PythonScope();
  const block = sevens(5_008);
  python.run("kept = b; f = lambda: kept", { scope, names: { b: block } });
  block.free();
  living.assert(1, 5_008);
  scope[Symbol.dispose]();
  living.assert(0, 0);
});

Deno.test("a run without a scope holds nothing after it, also if it raised, once the error is disposed", () => {
  using living = new Living();
  using block = sevens(5_008);
  const names = { b: block };
  python.run("kept = b; m = memoryview(b)", { names });
  block.realloc(5_008);
  for (
    const source of [
      "m = memoryview(b); 1 / 0",
      "try:\n    1 / 0\nexcept Exception as error:\n    m = memoryview(b)\n    raise ValueError(m) from error",
      "raise ExceptionGroup('several', [ValueError(b), ValueError(memoryview(b))])",
    ]
  ) {
    const error = assertThrows(
      () => python.run(source, { names }),
      PythonError,
    );
    assertThrows(() => block.realloc(5_008), BlockInUseError);
    error[Symbol.dispose]();
    block.realloc(5_008);
  }
  living.assert(1, 5_008);
});

Deno.test({
  name: "nor does one that made functions and classes, which refer to it",
  // Without the GIL, 3.13 keeps functions for good.
  ignore: !HAS_GIL,
  fn: () => {
    using living = new Living();
    using block = sevens(5_008);
    const names = { b: block };
    for (
      const source of [
        "kept = lambda: b",
        "class Kept:\n    it = b\n    def get(self): return b",
        "def f():\n    return memoryview(b)\nkept = f()",
      ]
    ) {
      python.run(source, { names });
      block.realloc(5_008);
    }
    assertThrows(
      () =>
        python.run(
          "def f():\n    m = memoryview(b)\n    raise ValueError(m)\nf()",
          { names },
        ),
      PythonError,
    )[Symbol.dispose]();
    block.realloc(5_008);
    living.assert(1, 5_008);
  },
});

Deno.test("memory in a circle of Python objects is freed by Python's collector", () => {
  using living = new Living();
  using scope = new PythonScope();
  const block = sevens(5_008);
  python.run(
    `
    import gc
    circle = [memoryview(b)]
    circle.append(circle)
    del circle, b
    `,
    { scope, names: { b: block } },
  );
  block.free();
  living.assert(1, 5_008);
  python.run("import gc; gc.collect()");
  living.assert(0, 0);
});

Deno.test("a circle of a lost Python reference and a lost block is no circle: both go", async () => {
  using living = new Living();
  const lose = () => {
    const block = sevens(5_008);
    const holder = python.eval("[b]", { names: { b: block } }) as PyObjectRef;
    Object.assign(block, { holder });
  };
  lose();
  await living.untilNothing();
});
