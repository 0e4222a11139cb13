/** NumPy on blocks. Run by `deno task test:pythons`, in the virtual environment that it makes. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  alloc,
  AllocationError,
  attach,
  type Block,
  BlockInUseError,
  BufferError,
  PyObjectRef,
  python,
  PythonError,
  PythonScope,
  type PythonValue,
  stats,
  type TypedArray,
  type TypedArrayConstructor,
} from "../../mod.ts";
import { evaluate, execute } from "../support/interpreter.ts";
import { elements, leavesNothing, until } from "../support/helpers.ts";
import { numpyTest } from "../support/numpy.ts";
import { addressOf } from "../support/holders.ts";

numpyTest("NumPy is imported from the virtual environment", () => {
  assertEquals(
    evaluate(`__import__("numpy").__file__.startswith("${python.prefix}/")`),
    "True",
  );
});

numpyTest(
  "a NumPy array over a block has the block's address, and copies nothing",
  () => {
    using block = alloc(Float64Array, [1, 2, 3]);
    execute(arrayOver("array", "c_double", block));
    assertEquals(evaluate("array.ctypes.data"), String(block.address));
    assertEquals(evaluate("array.tolist()"), "[1.0, 2.0, 3.0]");
    execute("array *= 2");
    assertEquals(Array.from(block.view), [2, 4, 6]);
    block.view[0] = -1;
    assertEquals(evaluate("array.sum()"), "9.0");
    execute("del array");
  },
);

numpyTest("NumPy multiplies matrices from block to block", () => {
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

numpyTest("NumPy sees a block that grew, at its new address", () => {
  using block = alloc(Int32Array, Array.from({ length: 1000 }, (_, i) => i));
  block.realloc(1_000_000);
  execute(arrayOver("array", "c_int32", block));
  assertEquals(evaluate("int(array[:1000].sum())"), "499500");
  assertEquals(evaluate("int(array.sum())"), "499500");
  execute("del array");
});

numpyTest("NumPy's own memory and blocks come and go side by side", () => {
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

/** The element types, and NumPy's dtypes for them. */
const DTYPES: [TypedArrayConstructor<TypedArray>, string][] = [
  [Int8Array, "int8"],
  [Uint8Array, "uint8"],
  [Uint8ClampedArray, "uint8"],
  [Int16Array, "int16"],
  [Uint16Array, "uint16"],
  [Int32Array, "int32"],
  [Uint32Array, "uint32"],
  [Float16Array, "float16"],
  [Float32Array, "float32"],
  [Float64Array, "float64"],
  [BigInt64Array, "int64"],
  [BigUint64Array, "uint64"],
];

/** A scope with NumPy in it. */
function numpyScope(): PythonScope {
  const scope = new PythonScope();
  python.run("import numpy", { scope });
  return scope;
}

for (const [type, dtype] of DTYPES) {
  numpyTest(
    `numpy.asarray of a block of ${type.name} is ${dtype}, at the block's address`,
    () => {
      using scope = numpyScope();
      using block = alloc(type, elements(type, 1, 2, 3));
      python.run("array = numpy.asarray(b)", { scope, names: { b: block } });
      const ask = (expression: string) => python.eval(expression, { scope });
      assertEquals(ask("array.dtype.name"), dtype);
      assertEquals(ask("array.ctypes.data"), block.address);
      assertEquals(ask("array.tolist() == [1, 2, 3]"), true);
      assertEquals(
        ask("(array.flags.writeable, array.flags.owndata) == (True, False)"),
        true,
      );
      python.run("array += 1", { scope });
      assertEquals([...block.view], elements(type, 2, 3, 4));
      [block.view[0]] = elements(type, 9);
      assertEquals(ask("array[0] == 9"), true);
      assertThrows(() => block.realloc(4), BlockInUseError);
      python.run("del b, array", { scope });
      block.realloc(4);
    },
  );

  if (type === Uint8ClampedArray) continue;

  numpyTest(
    `a NumPy array of ${dtype} is borrowed as ${type.name}, at its own address`,
    () => {
      using scope = numpyScope();
      python.run(`array = numpy.arange(1, 4, dtype="${dtype}")`, { scope });
      using borrowed = python.borrow("array", { scope });
      assert(borrowed.view instanceof type);
      assertEquals([borrowed.shape, borrowed.copied], [[3], false]);
      assertEquals(
        addressOf(borrowed.view),
        python.eval("array.ctypes.data", { scope }),
      );
      assertEquals([...borrowed.view], elements(type, 1, 2, 3));
      [borrowed.view[1]] = elements(type, 7);
      assertEquals(python.eval("array[1] == 7", { scope }), true);
      python.run("array[2] = 8", { scope });
      assertEquals([...borrowed.view], elements(type, 1, 7, 8));
      using typed = python.borrow("array", type, { scope });
      assertEquals(typed.view, borrowed.view);
    },
  );
}

numpyTest(
  "a block is a NumPy array of the shape that was asked for, and read-only if it was",
  () => {
    using scope = numpyScope();
    using block = alloc(Float32Array, [1, 2, 3, 4, 5, 6]);
    using b = new PyObjectRef(
      block.toPython({ shape: [2, 3], readonly: true }),
    );
    python.run("array = numpy.asarray(b)", { scope, names: { b } });
    assertEquals(
      python.eval(
        "repr((array.shape, array.strides, array.flags.c_contiguous))",
        {
          scope,
        },
      ),
      "((2, 3), (12, 4), True)",
    );
    assertEquals(
      python.eval("repr(array.sum(axis=0).tolist())", { scope }),
      "[5.0, 7.0, 9.0]",
    );
    const error = assertThrows(
      () => python.run("array[0, 0] = 9", { scope }),
      PythonError,
    );
    assertEquals(error.type, "ValueError");
    block.view[5] = 60;
    assertEquals(python.eval("array[1, 2]", { scope }), 60);
  },
);

numpyTest("blocks of no dimensions and of no elements are NumPy arrays", () => {
  using scope = numpyScope();
  using one = alloc(Float64Array, [2.5]);
  using none = alloc(Float64Array, 0);
  using scalar = new PyObjectRef(one.toPython({ shape: [] }));
  using empty = new PyObjectRef(none.toPython({ shape: [0, 3] }));
  assertEquals(
    python.eval(
      "repr((numpy.asarray(scalar).shape, numpy.asarray(scalar).tolist(), numpy.asarray(empty).shape, numpy.asarray(none).size))",
      { scope, names: { scalar, empty, none } },
    ),
    "((), 2.5, (0, 3), 0)",
  );
});

numpyTest("numpy.frombuffer and memoryview see a block where it is", () => {
  using scope = numpyScope();
  using block = alloc(Int16Array, [1, 2, 3]);
  const names = { b: block };
  assertEquals(
    python.eval("numpy.frombuffer(b, dtype='int16').ctypes.data", {
      scope,
      names,
    }),
    block.address,
  );
  assertEquals(
    python.eval("numpy.asarray(memoryview(b)[1:]).ctypes.data", { scope }),
    block.address + 2,
  );
});

numpyTest(
  "a function fills a block and returns its NumPy array, which lives on",
  () => {
    leavesNothing(() => {
      using scope = numpyScope();
      const filled = (): PyObjectRef => {
        using block = alloc(Float64Array, 10_000);
        block.view.fill(1.5);
        return python.eval("numpy.asarray(b).reshape(100, 100)", {
          scope,
          names: { b: block },
        }) as PyObjectRef;
      };
      using array = filled();
      python.run("del b", { scope });
      // Somebody else's memory has come and gone.
      for (let round = 0; round < 5; round++) {
        using other = alloc(Float64Array, 10_000);
        other.view.fill(-1);
      }
      assertEquals(
        python.eval("float(array.sum())", { scope, names: { array } }),
        15_000,
      );
      using row = python.borrow("array[3]", Float64Array, { scope });
      assertEquals(row.view, new Float64Array(100).fill(1.5));
      python.run("del array", { scope });
    });
  },
);

numpyTest(
  "views of views of a block hold it, until NumPy has let go of the last",
  () => {
    using scope = numpyScope();
    const before = stats().blocks;
    const block = alloc(Int32Array, Array.from({ length: 1_000 }, (_, i) => i));
    python.run(
      "part = numpy.asarray(b).reshape(10, 100)[2:5, ::7].T; del b",
      { scope, names: { b: block } },
    );
    block.free();
    assertEquals(stats().blocks, before + 1);
    assertEquals(python.eval("int(part[3, 1])", { scope }), 321);
    python.run("part = part + 0", { scope });
    assertEquals(stats().blocks, before);
  },
);

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
const NOT_SHOWN: [make: string, format: RegExp][] = [
  ["numpy.arange(3, dtype='>i4')", /^>i$/],
  ["numpy.arange(3, dtype='>f8')", /^>d$/],
  ["numpy.zeros(3, dtype='complex64')", /^Zf$/],
  ["numpy.zeros(3, dtype='complex128')", /^Zd$/],
  ["numpy.zeros(3, dtype=[('a', 'i4'), ('b', 'f8')])", /^T\{/],
  ["numpy.zeros(3, dtype='S5')", /^5s$/],
  ["numpy.zeros(3, dtype='U5')", /^5w$/],
  ["numpy.zeros(3, dtype=object)", /^O$/],
  ["numpy.zeros(3, dtype='longdouble')", /^g$/],
];

for (const [make, format] of NOT_SHOWN) {
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
    }
  });
}

numpyTest("arrays of dates have no buffer, and Python says so", () => {
  using scope = numpyScope();
  const error = assertThrows(
    () => python.borrow("numpy.zeros(3, dtype='M8[s]')", { scope }),
    PythonError,
  );
  assertEquals(error.type, "ValueError");
});

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

numpyTest("NumPy's copies of a block hold nothing of it", () => {
  using scope = numpyScope();
  const block: Block<Float64Array<ArrayBuffer>> = alloc(Float64Array, [1, 2]);
  python.run("array = numpy.array(b); del b", { scope, names: { b: block } });
  block.realloc(3);
  block.free();
  assertEquals(python.eval("array.tolist() == [1, 2]", { scope }), true);
});

numpyTest(
  "ten megabytes cross both ways without a copy, and nothing is left",
  async () => {
    const before = stats();
    {
      using scope = numpyScope();
      const block = alloc(Float64Array, 1_250_000);
      block.view.fill(2);
      python.run("array = numpy.asarray(b); del b; array *= 3", {
        scope,
        names: { b: block },
      });
      block.free();
      using back = python.borrow("array", Float64Array, { scope });
      assertEquals(back.view.every((element) => element === 6), true);
      assertEquals(stats().bytes, before.bytes + 10_000_000);
    }
    await until(() => stats().blocks <= before.blocks, "the block");
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
