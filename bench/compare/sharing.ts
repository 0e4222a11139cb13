/** Memory that one side shows the other. */

import { type Benchmark, type Library, repeat } from "./benchmark.ts";

type Reference = InstanceType<Library["PyObjectRef"]>;

/** The benchmarks of shared memory. */
export const SHARING: readonly Benchmark[] = [
  {
    name: "borrow of a bytearray, and disposed",
    prepare({ python }, resources) {
      const array = resources.use(python.eval("bytearray(64)") as Reference);
      return repeat(() => python.borrow(array)[Symbol.dispose]());
    },
  },
  {
    name: "borrow of an array of doubles, and disposed",
    prepare({ python }, resources) {
      const array = resources.use(
        python.eval("__import__('array').array('d', range(1000))") as Reference,
      );
      return repeat(() => python.borrow(array, Float64Array)[Symbol.dispose]());
    },
  },
  {
    name: "borrow by an expression in a scope, and disposed",
    prepare({ python, PythonScope }, resources) {
      const scope = resources.use(new PythonScope());
      python.run("array = bytearray(64)", { scope });
      return repeat(() =>
        python.borrow("array", Uint8Array, { scope })[Symbol.dispose]()
      );
    },
  },
  {
    name: "borrow of a copy of a million doubles, and disposed",
    prepare({ python }, resources) {
      const array = resources.use(
        python.eval("memoryview(bytes(8_000_000)).cast('d')") as Reference,
      );
      return repeat(() =>
        python.borrow(array, Float64Array, { copy: true })[Symbol.dispose]()
      );
    },
  },
  {
    name: "memoryview of a block, and disposed",
    prepare({ alloc, python }, resources) {
      const block = resources.use(alloc(Float64Array, 1_000));
      block.view[0] = 1.5;
      const show = resources.use(python.eval("memoryview") as Reference);
      return repeat(() => (show.call(block) as Reference)[Symbol.dispose]());
    },
  },
  {
    name: "block made, shown to Python, and freed",
    prepare: ({ alloc, python }) =>
      repeat(() => {
        using block = alloc(Float64Array, 8);
        block.view[0] = 1.5;
        python.eval("memoryview(block)[0]", { names: { block } });
      }),
  },
  {
    name: "block.toPython, and disposed",
    prepare({ alloc, PyObjectRef }, resources) {
      const block = resources.use(alloc(Float64Array, 8));
      return repeat(() => new PyObjectRef(block.toPython())[Symbol.dispose]());
    },
  },
  {
    name: "block.toPython with a shape, and disposed",
    prepare({ alloc, PyObjectRef }, resources) {
      const block = resources.use(alloc(Float64Array, 8));
      block.view[0] = 1.5;
      const options = { shape: [2, 4], readonly: true };
      return repeat(() =>
        new PyObjectRef(block.toPython(options))[Symbol.dispose]()
      );
    },
  },
  {
    name: "PyObjectRef.from, and disposed",
    prepare({ python, PyObjectRef }, resources) {
      const list = resources.use(python.eval("[]") as Reference);
      return repeat(() => PyObjectRef.from(list.pointer)[Symbol.dispose]());
    },
  },
];
