/** Values that have a counterpart in the other language, both ways. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type PyObjectRef,
  python,
  PythonScope,
  type PythonValue,
} from "../../mod.ts";
import {
  collectGarbage,
  leavesNothingInPython,
} from "../support/collection.ts";
import { evaluate } from "./table.ts";

const INT64_MAX = 2n ** 63n - 1n;
const HUGE = 7n ** 6_000n; // about 5,000 digits, more than Python's limit for decimal digits

/** A value, what it is in Python, and what it is when it comes back, where that is another. */
type Row = [value: PythonValue, expression: string, back?: PythonValue];

const ROWS: Row[] = [
  [null, "None"],
  [true, "True"],
  [false, "False"],

  [0, "0"],
  [1, "1"],
  [-1, "-1"],
  [255, "255"],
  [2 ** 31, "2**31"],
  [-(2 ** 31) - 1, "-2**31 - 1"],
  [2 ** 32, "2**32"],
  [Number.MAX_SAFE_INTEGER, "2**53 - 1"],
  [Number.MIN_SAFE_INTEGER, "1 - 2**53"],

  [-0, "-0.0"],
  [0.5, "0.5"],
  [-1.1, "-1.1"],
  [0.1 + 0.2, "0.1 + 0.2"],
  [2 ** 53, "2.0**53"],
  [-(2 ** 53), "-2.0**53"],
  [2 ** 53 + 2, "2.0**53 + 2"],
  [1e300, "1e300"],
  [Number.MAX_VALUE, "1.7976931348623157e308"],
  [Number.MIN_VALUE, "5e-324"],
  [Infinity, "float('inf')"],
  [-Infinity, "-float('inf')"],
  [NaN, "float('nan')"],

  [0n, "0", 0],
  [-5n, "-5", -5],
  [2n ** 53n - 1n, "2**53 - 1", Number.MAX_SAFE_INTEGER],
  [1n - 2n ** 53n, "1 - 2**53", Number.MIN_SAFE_INTEGER],
  [2n ** 53n, "2**53"],
  [-(2n ** 53n), "-2**53"],
  [2n ** 53n + 1n, "2**53 + 1"],
  [-(2n ** 53n) - 1n, "-2**53 - 1"],
  [INT64_MAX, "2**63 - 1"],
  [INT64_MAX + 1n, "2**63"],
  [INT64_MAX + 2n, "2**63 + 1"],
  [-INT64_MAX, "1 - 2**63"],
  [-INT64_MAX - 1n, "-2**63"],
  [-INT64_MAX - 2n, "-2**63 - 1"],
  [2n ** 64n - 1n, "2**64 - 1"],
  [2n ** 64n, "2**64"],
  [-(2n ** 64n), "-2**64"],
  [2n ** 64n + 1n, "2**64 + 1"],
  [2n ** 128n - 1n, "2**128 - 1"],
  [-(2n ** 128n), "-2**128"],
  [0xf0000000000000000n, "0xf0000000000000000"],
  [HUGE, "7**6000"],
  [-HUGE, "-7**6000"],
  [2n ** 100_000n, "2**100000"],
  [1n - 2n ** 100_000n, "1 - 2**100000"],

  ["", "''"],
  ["a", "'a'"],
  ["\0", "chr(0)"],
  ["a\0b\0", "'a' + chr(0) + 'b' + chr(0)"],
  ["\ufeff", "chr(0xfeff)"],
  ["\ufefftext", "chr(0xfeff) + 'text'"],
  ["\ufffetext", "chr(0xfffe) + 'text'"],
  ["\uffff", "chr(0xffff)"],
  ["\x7f\x80\xff\u0100", "''.join(map(chr, (0x7f, 0x80, 0xff, 0x100)))"],
  ["größe", "'gr' + chr(246) + chr(223) + 'e'"],
  ["日本", "chr(0x65e5) + chr(0x672c)"],
  ["\ud7ff\ue000", "chr(0xd7ff) + chr(0xe000)"],
  ["😀", "chr(0x1f600)"],
  ["a😀é", "'a' + chr(0x1f600) + chr(0xe9)"],
  ["\u{10000}\u{10ffff}", "chr(0x10000) + chr(0x10ffff)"],
  ["e\u0301", "'e' + chr(0x301)"],
  ["line\r\nline\n\ttab\\'\"", `"line\\r\\nline\\n\\ttab\\\\'\\""`],

  [new Uint8Array(), "b''"],
  [new Uint8Array([0]), "bytes(1)"],
  [Uint8Array.from({ length: 256 }, (_, byte) => byte), "bytes(range(256))"],
];

/** How a row's value is told in a failure. */
function shown(value: PythonValue): string {
  return Deno.inspect(value, { strAbbreviateSize: 40 }).slice(0, 80);
}

Deno.test("each value goes to Python as the table says", () => {
  for (const [value, expression] of ROWS) {
    // The representation tells 0.0 from -0.0, and a nan is a nan.
    const same = evaluate(
      `type(value) is type(${expression}) and (value == (${expression}) or value != value)` +
        ` and (type(value) is not float or repr(value) == repr(${expression}))`,
      { value },
    );
    assertEquals(same, true, `${shown(value)} as ${expression}`);
  }
});

Deno.test("each value comes from Python as the table says", () => {
  for (const [value, expression, back] of ROWS) {
    assertEquals(python.eval(expression), back ?? value, expression);
  }
});

Deno.test("each value comes back the same by every way that there is", () => {
  using scope = new PythonScope();
  python.run(
    `
    def same(value): return value
    class Box:
        def __init__(self, value): self.value = value
    `,
    { scope },
  );
  using same = scope.get("same") as PyObjectRef;
  using makeBox = scope.get("Box") as PyObjectRef;
  for (const [value, , back = value] of ROWS) {
    assertEquals(evaluate("value", { value }), back);
    assertEquals(same.call(value), back);
    python.run("pass", { scope, names: { value } });
    assertEquals(scope.get("value"), back);
    using box = makeBox.call(value) as PyObjectRef;
    assertEquals(box.get("value"), back);
  }
});

Deno.test("values leave nothing in Python", async () => {
  using same = python.eval("lambda *values: values[0]") as PyObjectRef;
  const rows = ROWS.filter(([, expression]) => !expression.includes("100000"));
  await leavesNothingInPython(() => {
    for (const [value] of rows) {
      evaluate("value", { value });
      same.call(value, value);
    }
    const list = python.eval("[1]") as PyObjectRef;
    evaluate("list", { list });
    list[Symbol.dispose]();
  }, { repetitions: 300, warmUp: 20 });
});

Deno.test("values that don't go leave nothing in Python", async () => {
  using same = python.eval("lambda *values: values[0]") as PyObjectRef;
  const values = [[1.5, "text", [Symbol()]], [2n ** 70n, [undefined]]];
  await leavesNothingInPython(() => {
    for (const [good, ...bad] of values) {
      assertThrows(() => same.call(good, ...bad));
      const names = { good, list: same, bad: bad.at(-1)! };
      assertThrows(() => evaluate("good", names));
    }
  });
});

Deno.test("large values leave no memory behind", () => {
  const bytes = new Uint8Array(4_000_000).fill(1);
  const text = "x".repeat(4_000_000);
  const cross = (times: number) => {
    for (let time = 0; time < times; time++) {
      evaluate("x", { x: bytes });
      evaluate("x", { x: text });
      if (time % 5 === 0) collectGarbage();
    }
    collectGarbage();
  };
  cross(10);
  const before = Deno.memoryUsage().rss;
  cross(50);
  const grown = Deno.memoryUsage().rss - before;
  assert(
    grown < 100_000_000,
    `${grown} bytes more for 400,000,000 that crossed`,
  );
});
