/** NumPy on blocks. Run by `deno task test:pythons`, in the virtual environment that it makes. */

import { assertEquals } from "@std/assert";
import { alloc, attach, python } from "../mod.ts";
import { evaluate, execute } from "../tasks/interpreter.ts";

Deno.test("NumPy is imported from the virtual environment", () => {
  assertEquals(
    evaluate(`__import__("numpy").__file__.startswith("${python.prefix}/")`),
    "True",
  );
});

Deno.test("a NumPy array over a block has the block's address, and copies nothing", () => {
  using block = alloc(Float64Array, [1, 2, 3]);
  execute(arrayOver("array", "c_double", block));
  assertEquals(evaluate("array.ctypes.data"), String(block.address));
  assertEquals(evaluate("array.tolist()"), "[1.0, 2.0, 3.0]");
  execute("array *= 2");
  assertEquals(Array.from(block.view), [2, 4, 6]);
  block.view[0] = -1;
  assertEquals(evaluate("array.sum()"), "9.0");
  execute("del array");
});

Deno.test("NumPy multiplies matrices from block to block", () => {
  const size = 300;
  using left = alloc(Float64Array, size * size);
  using right = alloc(Float64Array, size * size);
  using product = alloc(Float64Array, size * size);
  left.view.fill(2);
  right.view.fill(3);
  execute(arrayOver("left", "c_double", left));
  execute(arrayOver("right", "c_double", right));
  execute(arrayOver("product", "c_double", product));
  const shape = `reshape(${size}, ${size})`;
  execute(
    `numpy.matmul(left.${shape}, right.${shape}, out=product.${shape})\n` +
      "del left, right, product",
  );
  assertEquals(product.view.every((element) => element === 6 * size), true);
});

Deno.test("NumPy sees a block that grew, at its new address", () => {
  using block = alloc(Int32Array, Array.from({ length: 1000 }, (_, i) => i));
  block.realloc(1_000_000);
  execute(arrayOver("array", "c_int32", block));
  assertEquals(evaluate("int(array[:1000].sum())"), "499500");
  assertEquals(evaluate("int(array.sum())"), "499500");
  execute("del array");
});

Deno.test("NumPy's own memory and blocks come and go side by side", () => {
  execute("import numpy");
  using _attached = attach();
  for (let round = 1; round <= 200; round++) {
    using block = alloc(Uint8Array, round * 512);
    block.view.fill(round);
    execute(
      `array = numpy.full(${round * 512}, ${round}, dtype=numpy.uint8)`,
    );
    execute(arrayOver("other", "c_uint8", block));
    assertEquals(evaluate("bool((array == other).all())"), "True");
    execute("del array, other");
  }
});

/** Statements that make `name` a NumPy array over a block. */
function arrayOver(
  name: string,
  element: string,
  { address, length }: { address: number; length: number },
): string {
  return `
import ctypes, numpy
${name} = numpy.frombuffer((ctypes.${element} * ${length}).from_address(${address}), dtype=ctypes.${element})
`;
}
