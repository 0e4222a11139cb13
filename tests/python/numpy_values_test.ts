/** NumPy's arrays and scalars as plain data, and JavaScript's arrays in NumPy. Run by `deno task test:pythons`. */

import { assertEquals } from "@std/assert";
import { type PyObjectRef, python, PythonScope } from "../../mod.ts";
import { numpyTest } from "../support/numpy.ts";

/** Expressions of NumPy's, and what they are in JavaScript. */
const CASES: [source: string, expected: unknown][] = [
  ["numpy.array([1.5, 2.5])", Float64Array.of(1.5, 2.5)],
  ["numpy.array([1, 2], 'int32')", Int32Array.of(1, 2)],
  ["numpy.array([1, 2], 'int64')", BigInt64Array.of(1n, 2n)],
  ["numpy.array([1, 2], 'uint64')", BigUint64Array.of(1n, 2n)],
  ["numpy.array([True, False])", Uint8Array.of(1, 0)],
  ["numpy.array([1.5], 'float16')", Float16Array.of(1.5)],
  ["numpy.array([1, 2], '>i4')", Int32Array.of(1, 2)],
  ["numpy.arange(6.0)[::2]", Float64Array.of(0, 2, 4)],
  ["numpy.array([])", new Float64Array(0)],
  ["numpy.arange(6, dtype='int16').reshape(2, 3)", [
    Int16Array.of(0, 1, 2),
    Int16Array.of(3, 4, 5),
  ]],
  ["numpy.arange(4.0).reshape(2, 1, 2)", [[Float64Array.of(0, 1)], [
    Float64Array.of(2, 3),
  ]]],
  ["numpy.array(2.5)", 2.5],
  ["numpy.array(['a', 'ü'])", ["a", "ü"]],
  ["numpy.array([1, 'x', None], object)", [1, "x", null]],
  ["numpy.array([1 + 2j])", [{ re: 1, im: 2 }]],
  ["numpy.array(['2026-01-02', 'NaT'], 'datetime64[D]')", [
    "2026-01-02T00:00:00",
    null,
  ]],
  ["numpy.float32(1.5)", 1.5],
  ["numpy.int64(2**60)", 2n ** 60n],
  ["numpy.str_('ü')", "ü"],
  ["{'deep': [numpy.array([1.5])]}", { deep: [Float64Array.of(1.5)] }],
];

numpyTest("NumPy's arrays are typed arrays in plain data", () => {
  using scope = new PythonScope();
  python.run("import numpy", { scope });
  for (const [source, expected] of CASES) {
    assertEquals(
      python.eval(source, { scope, toJs: true }) as unknown,
      expected,
      source,
    );
  }
});

numpyTest("typed arrays in data are arrays to NumPy", () => {
  using scope = new PythonScope();
  python.run("import numpy", { scope });
  using total = python.eval(
    "lambda it: float(sum(numpy.asarray(a).sum() for a in it['arrays']))",
    { scope },
  ) as PyObjectRef;
  const arrays = [
    Float32Array.of(1.5, 2),
    Int16Array.of(3),
    BigInt64Array.of(4n),
  ];
  assertEquals(total.call({ arrays }), 10.5);
});
