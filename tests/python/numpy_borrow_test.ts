/** Arrays of NumPy borrowed. Run by `deno task test:pythons`, in the virtual environment that it makes. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  alloc,
  AllocationError,
  BufferError,
  PyObjectRef,
  python,
  PythonError,
  PythonScope,
  type PythonValue,
} from "../../mod.ts";
import { numpyTest } from "../support/numpy.ts";
import { numpyScope } from "./arrays.ts";

numpyTest(
  "a result of NumPy's is borrowed, and lives as long as the view",
  () => {
    using scope = numpyScope();
    python.run(
      `
    import weakref
    def compute(it):
        global alive
        result = numpy.asarray(it) ** 2
        alive = weakref.ref(result)
        return result
    `,
      { scope },
    );
    using compute = scope.get("compute") as PyObjectRef;
    using block = alloc(Float64Array, [1, 2, 3]);
    const isAlive = () => python.eval("alive() is not None", { scope });
    const result = compute.call(block) as PyObjectRef;
    const borrowed = python.borrow(result, Float64Array);
    result[Symbol.dispose]();
    assertEquals(isAlive(), true);
    assertEquals([...borrowed.view], [1, 4, 9]);
    borrowed[Symbol.dispose]();
    assertEquals(isAlive(), false);
    block.realloc(4);
  },
);

numpyTest("an array isn't resized while it is borrowed", () => {
  using scope = numpyScope();
  python.run("array = numpy.zeros(3)", { scope });
  const resize = () => python.run("array.resize(6)", { scope });
  {
    using _borrowed = python.borrow("array", { scope });
    assertEquals(assertThrows(resize, PythonError).type, "ValueError");
  }
  resize();
  assertEquals(python.eval("array.size", { scope }), 6);
});

/** Arrays of other layouts: how they are made, and the elements and the shape of a copy. */
const LAYOUTS: [make: string, elements: number[], shape: number[]][] = [
  ["numpy.asfortranarray(numpy.arange(6.).reshape(2, 3))", [0, 1, 2, 3, 4, 5], [
    2,
    3,
  ]],
  ["numpy.arange(6.).reshape(2, 3).T", [0, 3, 1, 4, 2, 5], [3, 2]],
  ["numpy.arange(6.)[::2]", [0, 2, 4], [3]],
  ["numpy.arange(6.)[::-1]", [5, 4, 3, 2, 1, 0], [6]],
  ["numpy.arange(12.).reshape(3, 4)[:, 1:3]", [1, 2, 5, 6, 9, 10], [3, 2]],
  ["numpy.broadcast_to(numpy.arange(2.), (2, 2))", [0, 1, 0, 1], [2, 2]],
];

for (const [make, elements, shape] of LAYOUTS) {
  numpyTest(
    `${make} is refused, and copied in C order where that is allowed`,
    () => {
      using scope = numpyScope();
      python.run(`array = ${make}`, { scope });
      const error = assertThrows(
        () => python.borrow("array", { scope }),
        BufferError,
      );
      assertEquals([error.reason, error.format], ["strides", "d"]);
      assertEquals(error.shape, shape);
      using copied = python.borrow("array", Float64Array, {
        scope,
        copy: true,
      });
      assertEquals([...copied.view], elements);
      assertEquals([copied.shape, copied.copied], [shape, true]);
      python.run("del array", { scope });
      assertEquals([...copied.view], elements);
    },
  );
}

for (const order of ["rows", "columns"]) {
  const make = order === "rows" ? "ones((1, 3), order='F')" : "ones((3, 1))";
  numpyTest(`numpy.${make} is in both orders, and borrowed`, () => {
    using scope = numpyScope();
    using borrowed = python.borrow(`numpy.${make}`, { scope });
    assertEquals([borrowed.view.length, borrowed.copied], [3, false]);
  });
}

/** Arrays of elements that no typed array shows, and their format. */
/** What no typed array shows, its format, and the way around that the error says; what is to be borrowed by it. */
const NOT_SHOWN: [
  make: string,
  format: RegExp,
  way: string,
  instead?: string,
][] = [
  [
    "numpy.arange(3, dtype='>i4')",
    /^>i$/,
    "newbyteorder",
    "array.astype(array.dtype.newbyteorder('='))",
  ],
  [
    "numpy.arange(3, dtype='>f8')",
    /^>d$/,
    "newbyteorder",
    "array.astype(array.dtype.newbyteorder('='))",
  ],
  [
    "numpy.zeros(3, dtype='complex64')",
    /^Zf$/,
    "view('f4')",
    "array.view('f4')",
  ],
  [
    "numpy.zeros(3, dtype='complex128')",
    /^Zd$/,
    "view('f8')",
    "array.view('f8')",
  ],
  [
    "numpy.zeros(3, dtype=[('a', 'i4'), ('b', 'f8')])",
    /^T\{/,
    "array['field']",
    "numpy.ascontiguousarray(array['a'])",
  ],
  ["numpy.zeros(3, dtype='S5')", /^5s$/, "toJs"],
  ["numpy.zeros(3, dtype='U5')", /^5w$/, "toJs"],
  ["numpy.zeros(3, dtype=object)", /^O$/, "toJs"],
  ["numpy.zeros(3, dtype='longdouble')", /^g$/, "astype", "array.astype('f8')"],
];

for (const [make, format, way, instead] of NOT_SHOWN) {
  numpyTest(`${make} has elements that no typed array shows`, () => {
    using scope = numpyScope();
    python.run(`array = ${make}`, { scope });
    for (const copy of [false, true]) {
      const error = assertThrows(
        () => python.borrow("array", { scope, copy }),
        BufferError,
      );
      assertEquals(error.reason, "format");
      assert(format.test(error.format), error.format);
      assertEquals(error.shape, [3]);
      assertStringIncludes(error.message, way);
    }
    if (instead === undefined) {
      const elements = python.eval("array", { scope, toJs: true }) as unknown[];
      assertEquals(elements.length, 3);
      return;
    }
    using borrowed = python.borrow(instead, { scope });
    assert(borrowed.view.length >= 3);
  });
}

/** Arrays that have no buffer, and the way around that the error says. */
const WITHOUT_BUFFER: [make: string, way: string, instead: string][] = [
  ["numpy.zeros(3, dtype='M8[s]')", "view('i8')", "array.view('i8')"],
  ["numpy.zeros(3, dtype='m8[ms]')", "view('i8')", "array.view('i8')"],
];

for (const [make, way, instead] of WITHOUT_BUFFER) {
  numpyTest(
    `${make} has no buffer, and Python's error says what to borrow`,
    () => {
      using scope = numpyScope();
      python.run(`array = ${make}`, { scope });
      const error = assertThrows(
        () => python.borrow("array", { scope }),
        PythonError,
      );
      assertEquals(error.type, "ValueError");
      assertStringIncludes(error.message, way);
      using borrowed = python.borrow(instead, BigInt64Array, { scope });
      assertEquals(borrowed.view.length, 3);
    },
  );
}

numpyTest("booleans are borrowed as bytes", () => {
  using scope = numpyScope();
  using borrowed = python.borrow("numpy.array([True, False])", Uint8Array, {
    scope,
  });
  assertEquals([...borrowed.view], [1, 0]);
  assertEquals(borrowed.format, "?");
});

numpyTest(
  "an array that can't be written is refused, and copied where that is allowed",
  () => {
    using scope = numpyScope();
    python.run("array = numpy.arange(3.); array.flags.writeable = False", {
      scope,
    });
    const error = assertThrows(
      () => python.borrow("array", { scope }),
      BufferError,
    );
    assertEquals(error.reason, "readOnly");
    using copied = python.borrow("array", { scope, copy: true });
    assertEquals([...copied.view], [0, 1, 2]);
  },
);

numpyTest(
  "an array that begins in the middle of an element is refused, and copied where that is allowed",
  () => {
    using scope = numpyScope();
    python.run(
      "array = numpy.frombuffer(bytearray(17), dtype='float64', count=2, offset=1)",
      { scope },
    );
    const error = assertThrows(
      () => python.borrow("array", { scope }),
      BufferError,
    );
    assertEquals(error.reason, "alignment");
    using copied = python.borrow("array", { scope, copy: true });
    assertEquals([...copied.view], [0, 0]);
  },
);

numpyTest(
  "arrays of many dimensions, of none and without elements are borrowed with their shape",
  () => {
    using scope = numpyScope();
    const shapes: [make: string, shape: number[], length: number][] = [
      ["numpy.zeros((2, 3, 4, 5), dtype='i2')", [2, 3, 4, 5], 120],
      ["numpy.zeros((1,) * 32, dtype='i2')", Array(32).fill(1), 1],
      ["numpy.array(2.5)", [], 1],
      ["numpy.zeros(0)", [0], 0],
      ["numpy.zeros((0, 3))", [0, 3], 0],
      ["numpy.zeros((3, 0, 2))", [3, 0, 2], 0],
    ];
    for (const [make, shape, length] of shapes) {
      using borrowed = python.borrow(make, { scope });
      assertEquals([borrowed.shape, borrowed.view.length], [shape, length]);
    }
  },
);

numpyTest(
  "a NumPy scalar that is a number, a boolean, a string or bytes comes as that",
  () => {
    using scope = new PythonScope();
    python.run("import numpy", { scope });
    const cases: [string, PythonValue][] = [
      ["float64(1.5)", 1.5],
      ["float32(0.5)", 0.5],
      ["float16(0.25)", 0.25],
      ["int8(-5)", -5],
      ["int64(2**62)", 2n ** 62n],
      ["uint64(2**64 - 1)", 2n ** 64n - 1n],
      ["bool_(True)", true],
      ["bool_(False)", false],
      ["str_('größe')", "größe"],
      ["bytes_(b'ab')", new Uint8Array([97, 98])],
      ["array([1, 2])[1]", 2],
      ["array([1.0, 2.0]).sum()", 3],
    ];
    for (const [expression, value] of cases) {
      const scalar = python.eval(`numpy.${expression}`, { scope });
      assertEquals(scalar, value, expression);
    }
  },
);

numpyTest(
  "a NumPy scalar that JavaScript has no value for stays an object",
  () => {
    using scope = new PythonScope();
    python.run("import numpy\nclass Own(numpy.float64): pass", { scope });
    const expressions = [
      "numpy.timedelta64(5, 'Y')",
      "numpy.timedelta64(5, 's')",
      "numpy.timedelta64(5)",
      "numpy.datetime64('2020-01-01T00:00:00', 'ns')",
      "numpy.datetime64('2020-01-01')",
      "numpy.datetime64('NaT')",
      "numpy.void(b'abc')",
      "numpy.zeros(1, dtype='i4, f8')[0]",
      "numpy.longdouble(1)",
      "numpy.clongdouble(1)",
      "numpy.complex128(1)",
      "numpy.complex64(1j)",
      "numpy.array([None, 'x'], dtype=object)",
      "numpy.float64",
      "Own(1.5)",
    ];
    for (const expression of expressions) {
      using object = python.eval(expression, { scope }) as PyObjectRef;
      assert(object instanceof PyObjectRef, expression);
      assertEquals(
        python.eval(`type(it) is type(${expression})`, {
          scope,
          names: { it: object },
        }),
        true,
      );
    }
  },
);

numpyTest(
  "NumPy's scalars come as their values when sys.modules has something else under its name",
  () => {
    using scope = new PythonScope();
    python.run("import numpy, sys, types", { scope });
    assertEquals(python.eval("numpy.float64(2.5)", { scope }), 2.5);
    try {
      python.run("sys.modules['numpy'] = types.ModuleType('numpy')", { scope });
      assertEquals(python.eval("numpy.float64(2.5)", { scope }), 2.5);
    } finally {
      python.run("sys.modules['numpy'] = numpy", { scope });
    }
  },
);

numpyTest(
  "a copy that is larger than all memory is an AllocationError that says its size",
  () => {
    using scope = new PythonScope();
    python.run(
      "import numpy\nwide = numpy.broadcast_to(numpy.uint8(1), (2**40,))",
      { scope },
    );
    const error = assertThrows(
      () => python.borrow("wide", { scope, copy: true }),
      AllocationError,
    );
    assertEquals(error.requested, 2 ** 40);
  },
);
