/** NumPy on blocks. Run by `deno task test:pythons`, in the virtual environment that it makes. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  alloc,
  attach,
  type Block,
  BlockInUseError,
  PyObjectRef,
  python,
  PythonError,
  stats,
  type TypedArray,
  type TypedArrayConstructor,
} from "../../mod.ts";
import { evaluate, execute } from "../support/c_api.ts";
import { leavesNothing, until } from "../support/collection.ts";
import { elements } from "../support/elements.ts";
import { numpyTest } from "../support/numpy.ts";
import { addressOf } from "../support/holders.ts";
import { numpyScope } from "./arrays.ts";

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
  "a block is a NumPy array of the shape that was requested, and read-only if it was",
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
  "views of views of a block hold it, until NumPy has released the last",
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
