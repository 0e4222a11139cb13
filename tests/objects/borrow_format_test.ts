/** Which typed array shows which format and shape, and what none can show. */

import { assert, assertEquals } from "@std/assert";
import {
  alloc,
  python,
  PythonScope,
  type TypedArray,
  type TypedArrayConstructor,
} from "../../mod.ts";
import { CONSTRUCTORS } from "../../ffi/elements.ts";
import { assertRefused, borrow, newScope, type Row } from "./borrowing.ts";

/** C's long, which has 8 bytes but on Windows. */
const LONG = python.eval(
  "__import__('ctypes').sizeof(__import__('ctypes').c_long)",
);
const LONGS = LONG === 8 ? new BigInt64Array([1n, 2n]) : new Int32Array([1, 2]);
const ULONGS = LONG === 8
  ? new BigUint64Array([1n, 2n])
  : new Uint32Array([1, 2]);

const ROWS: Row[] = [
  ["bytearray(b'abc')", Uint8Array.of(97, 98, 99), "B", [3]],
  ["memoryview(bytearray(b'abc'))", Uint8Array.of(97, 98, 99), "B", [3]],
  ["memoryview(bytearray(b'abcde'))[1:4]", Uint8Array.of(98, 99, 100), "B", [
    3,
  ]],
  ["io.BytesIO(b'abc').getbuffer()", Uint8Array.of(97, 98, 99), "B", [3]],

  ["array.array('b', [-1, 2])", Int8Array.of(-1, 2), "b", [2]],
  ["array.array('B', [1, 255])", Uint8Array.of(1, 255), "B", [2]],
  ["array.array('h', [-1, 2])", Int16Array.of(-1, 2), "h", [2]],
  ["array.array('H', [1, 65535])", Uint16Array.of(1, 65535), "H", [2]],
  ["array.array('i', [-1, 2])", Int32Array.of(-1, 2), "i", [2]],
  ["array.array('I', [1, 2**32 - 1])", Uint32Array.of(1, 2 ** 32 - 1), "I", [
    2,
  ]],
  ["array.array('l', [1, 2])", LONGS, "l", [2]],
  ["array.array('L', [1, 2])", ULONGS, "L", [2]],
  ["array.array('q', [-1, 2**62])", BigInt64Array.of(-1n, 2n ** 62n), "q", [2]],
  ["array.array('Q', [1, 2**63])", BigUint64Array.of(1n, 2n ** 63n), "Q", [2]],
  ["array.array('f', [0.5, -1])", Float32Array.of(0.5, -1), "f", [2]],
  ["array.array('d', [0.1, -1])", Float64Array.of(0.1, -1), "d", [2]],

  [
    "memoryview(bytearray(range(6))).cast('b')",
    Int8Array.of(0, 1, 2, 3, 4, 5),
    "b",
    [6],
  ],
  [
    "memoryview(bytearray(range(6))).cast('c')",
    Uint8Array.of(0, 1, 2, 3, 4, 5),
    "c",
    [6],
  ],
  ["memoryview(bytearray(2)).cast('?')", Uint8Array.of(0, 0), "?", [2]],
  [
    "memoryview(bytearray(range(6))).cast('@H')",
    Uint16Array.of(256, 770, 1284),
    "@H",
    [3],
  ],
  ["memoryview(bytearray(8)).cast('n')", BigInt64Array.of(0n), "n", [1]],
  ["memoryview(bytearray(8)).cast('N')", BigUint64Array.of(0n), "N", [1]],
  [
    "memoryview(bytearray(range(6))).cast('B', (2, 3))",
    Uint8Array.of(0, 1, 2, 3, 4, 5),
    "B",
    [2, 3],
  ],
  ["memoryview(bytearray(24)).cast('h', (2, 3, 2))", new Int16Array(12), "h", [
    2,
    3,
    2,
  ]],
  ["memoryview(bytearray(8)).cast('d', ())", Float64Array.of(0), "d", []],
  ["memoryview(bytearray(8)).cast('d', (1, 1, 1))", Float64Array.of(0), "d", [
    1,
    1,
    1,
  ]],

  ["(ctypes.c_double * 2)(0.5, 2)", Float64Array.of(0.5, 2), "<d", [2]],
  ["(ctypes.c_float * 2)(0.5, 2)", Float32Array.of(0.5, 2), "<f", [2]],
  ["(ctypes.c_int16 * 2)(-1, 2)", Int16Array.of(-1, 2), "<h", [2]],
  ["(ctypes.c_uint32 * 2)(1, 2)", Uint32Array.of(1, 2), "<I", [2]],
  ["(ctypes.c_longlong * 2)(1, -2)", BigInt64Array.of(1n, -2n), "<q", [2]],
  ["(ctypes.c_bool * 2)(True, False)", Uint8Array.of(1, 0), "<?", [2]],
  ["ctypes.create_string_buffer(b'ab')", Uint8Array.of(97, 98, 0), "<c", [3]],
  [
    "((ctypes.c_int32 * 3) * 2)((1, 2, 3), (4, 5, 6))",
    Int32Array.of(1, 2, 3, 4, 5, 6),
    "<i",
    [2, 3],
  ],
  ["ctypes.c_double(2.5)", Float64Array.of(2.5), "<d", []],
  // A byte has no order.
  ["(ctypes.c_uint8.__ctype_be__ * 2)(1, 2)", Uint8Array.of(1, 2), "<B", [2]],
];

for (const [expression, view, format, shape] of ROWS) {
  Deno.test(`${expression} is borrowed as ${view.constructor.name} of shape [${shape.join(", ")}]`, () => {
    using borrowed = borrow(expression);
    assertEquals(borrowed.view, view);
    assertEquals(borrowed.format, format);
    assertEquals(borrowed.shape, shape);
    assert(Object.isFrozen(borrowed.shape));
    assertEquals([borrowed.copied, borrowed.disposed], [false, false]);
  });
}

/** The constructors by the formats that they show. */
const FORMATS: Record<string, TypedArrayConstructor<TypedArray>[]> = {
  b: [Int8Array],
  B: [Uint8Array, Uint8ClampedArray],
  c: [Uint8Array, Uint8ClampedArray],
  h: [Int16Array],
  H: [Uint16Array],
  i: [Int32Array],
  I: [Uint32Array],
  f: [Float32Array],
  d: [Float64Array],
  q: [BigInt64Array],
  Q: [BigUint64Array],
};

Deno.test("the type that is requested must be the format's", () => {
  using scope = newScope();
  for (const [format, fitting] of Object.entries(FORMATS)) {
    python.run(`it = memoryview(bytearray(16)).cast('${format}')`, { scope });
    for (const type of CONSTRUCTORS) {
      if (fitting.includes(type)) {
        using borrowed = python.borrow("it", type, { scope });
        assert(borrowed.view instanceof type);
        assertEquals(borrowed.view.byteLength, 16);
        continue;
      }
      const error = assertRefused(
        () => python.borrow("it", type, { scope, copy: true }),
        "element",
      );
      assertEquals(error.format, format);
      assertEquals(
        error.message,
        `The buffer of format "${format}" and shape [${error.shape}] can't be shown as a ${type.name}. ` +
          "Ask for the type that its format says, or for none",
      );
    }
  }
});

Deno.test("half floats are shown as a Float16Array", () => {
  // Python's own memoryview can't cast to them; a block can be one.
  using block = alloc(Float16Array, [0.5, -2]);
  using borrowed = python.borrow("b", { names: { b: block } });
  assert(borrowed.view instanceof Float16Array);
  assertEquals([...borrowed.view], [0.5, -2]);
  assertEquals(borrowed.format, "e");
});

/** What no typed array can show, with its format and shape. */
const NOT_SHOWN: [
  expression: string,
  format: string | RegExp,
  shape: number[],
][] = [
  ["(ctypes.c_int32.__ctype_be__ * 3)()", ">i", [3]],
  ["(ctypes.c_double.__ctype_be__ * 3)()", ">d", [3]],
  [
    "type('S', (ctypes.BigEndianStructure,), {'_fields_': [('a', ctypes.c_int16)]})()",
    "T{>h:a:}",
    [],
  ],
  [
    "(type('S', (ctypes.Structure,), {'_fields_': [('a', ctypes.c_uint8)]}) * 2)()",
    "T{<B:a:}",
    [2],
  ],
  [
    "type('U', (ctypes.Union,), {'_fields_': [('a', ctypes.c_int32)]})()",
    "B",
    [],
  ],
  ["(ctypes.c_void_p * 2)()", /P$/, [2]],
  ["(ctypes.POINTER(ctypes.c_int32) * 2)()", /&/, [2]],
  ["(ctypes.c_wchar * 2)()", /u$/, [2]],
  ["(ctypes.c_longdouble * 2)()", /g$|d$/, [2]],
  ["memoryview(bytearray(16)).cast('P')", "P", [2]],
];

for (const [expression, format, shape] of NOT_SHOWN) {
  Deno.test(`${expression} has elements that no typed array shows`, () => {
    using scope = newScope();
    const isDouble = expression.includes("longdouble") &&
      python.eval("ctypes.sizeof(ctypes.c_longdouble)", { scope }) === 8;
    if (isDouble) return;
    python.run(`it = ${expression}`, { scope });
    for (const copy of [false, true]) {
      const error = assertRefused(
        () => python.borrow("it", { scope, copy }),
        "format",
      );
      if (typeof format === "string") assertEquals(error.format, format);
      else assert(format.test(error.format), error.format);
      assertEquals(error.shape, shape);
      assert(error.message.includes(JSON.stringify(error.format)));
    }
    assertRefused(() => python.borrow("it", Uint8Array, { scope }), "format");
  });
}

Deno.test("text of an array has elements that no typed array shows", () => {
  using scope = newScope();
  python.run(
    `
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        it = array.array("u", "ab") if "u" in array.typecodes else array.array("w", "ab")
    `,
    { scope },
  );
  assertRefused(() => python.borrow("it", { scope }), "format");
});

Deno.test("memory of more dimensions than shapes usually have is reported in full", () => {
  using scope = newScope();
  python.run("shape = (1,) * 63 + (4,)", { scope });
  using borrowed = python.borrow("memoryview(bytearray(8)).cast('H', shape)", {
    scope,
  });
  assertEquals(borrowed.shape, [...Array(63).fill(1), 4]);
  assertEquals(borrowed.view, new Uint16Array(4));
});

/** Python's own tests have an exporter of any kind of buffer; not every Python comes with them. */
const HAS_TESTBUFFER = python.eval(
  "__import__('importlib.util').util.find_spec('_testbuffer') is not None",
);

/** Buffers that are laid out otherwise: how they are made, and their elements in C order. */
const LAYOUTS: [
  what: string,
  make: string,
  elements: number[],
  shape: number[],
][] = [
  [
    "in Fortran's order",
    "_testbuffer.ndarray([1, 2, 3, 4, 5, 6], shape=[2, 3], format='h', flags=_testbuffer.ND_FORTRAN | _testbuffer.ND_WRITABLE)",
    [1, 3, 5, 2, 4, 6],
    [2, 3],
  ],
  [
    "behind pointers",
    "_testbuffer.ndarray([1, 2, 3, 4], shape=[2, 2], format='h', flags=_testbuffer.ND_PIL | _testbuffer.ND_WRITABLE)",
    [1, 2, 3, 4],
    [2, 2],
  ],
  [
    "every other one of each dimension",
    "_testbuffer.ndarray(list(range(12)), shape=[3, 4], format='h', flags=_testbuffer.ND_WRITABLE)[::2, 1::2]",
    [1, 3, 9, 11],
    [2, 2],
  ],
];

for (const [what, make, elements, shape] of LAYOUTS) {
  Deno.test({
    name: `elements that lie ${what} are refused, and copied in C order`,
    ignore: !HAS_TESTBUFFER,
    fn: () => {
      using scope = new PythonScope();
      python.run(`import _testbuffer; it = ${make}`, { scope });
      const error = assertRefused(
        () => python.borrow("it", { scope }),
        "strides",
      );
      assertEquals(error.shape, shape);
      using copied = python.borrow("it", { scope, copy: true });
      assertEquals(copied.view, Int16Array.from(elements));
      assertEquals(copied.shape, shape);
    },
  });
}

Deno.test("a format that is very long is reported as it is", () => {
  using scope = newScope();
  python.run(
    `
    Long = type("Long", (ctypes.Structure,), {"_fields_": [
        (f"{'field' * 10}{n}", ctypes.c_int) for n in range(1_000)
    ]})
    it = Long()
    `,
    { scope },
  );
  const error = assertRefused(() => python.borrow("it", { scope }), "format");
  assertEquals(error.format, python.eval("memoryview(it).format", { scope }));
  assert(error.format.length > 50_000);
});
