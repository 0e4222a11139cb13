/** Python code that is run, values on their way, and calls of Python objects. */

import {
  attached,
  type Benchmark,
  keep,
  type Library,
  repeat,
  type Run,
} from "./benchmark.ts";

type Names = NonNullable<
  NonNullable<Parameters<Library["python"]["eval"]>[1]>["names"]
>;
type Value = ReturnType<Library["python"]["eval"]>;
type Reference = InstanceType<Library["PyObjectRef"]>;

const onePlusOne: Benchmark = {
  name: 'eval("1+1")',
  prepare: ({ python }) => (times) => {
    for (let index = 0; index < times; index++) python.eval("1+1");
  },
};

const callOfNone = call("ref.call()", "lambda: None");

/** The benchmarks of running code and of values. */
export const RUNNING: readonly Benchmark[] = [
  onePlusOne,
  attached(onePlusOne),
  {
    name: "eval, 200 expressions alternating",
    prepare({ python }) {
      const expressions = Array.from({ length: 200 }, (_, it) => `${it} + 1`);
      let next = 0;
      return repeat(() => {
        python.eval(expressions[next]);
        next = (next + 1) % expressions.length;
      });
    },
  },
  passing("two numbers", "a + b", () => ({ a: 1, b: 2.5 })),
  passing("a string", "len(a)", () => ({ a: "forty-two" })),
  passing(
    "a string that isn't ASCII",
    "len(a)",
    () => ({ a: "zweiundvierzig ü" }),
  ),
  passing("a bigint", "a > 0", () => ({ a: 2n ** 80n })),
  passing("64 bytes", "len(a)", () => ({ a: new Uint8Array(64) })),
  passing("1 MB of bytes", "len(a)", () => ({ a: new Uint8Array(1e6) })),
  passing("a block", "a is None", ({ alloc }, resources) => ({
    a: resources.use(alloc(Float64Array, 8)),
  })),
  passing("a block with a view", "a is None", ({ alloc }, resources) => {
    const block = resources.use(alloc(Float64Array, 8));
    block.view[0] = 1;
    return { a: block };
  }),
  passing("a reference", "a is None", ({ python }, resources) => ({
    a: resources.use(python.eval("[]") as Reference),
  })),
  {
    name: "eval with a signal",
    prepare({ python }) {
      const { signal } = new AbortController();
      return repeat(() => keep(python.eval("1+1", { signal })));
    },
  },
  result("None", "None"),
  result("a float", "1.5"),
  result("a bigint", "1 << 80"),
  result("a short str", "'forty-two'"),
  result("a str of 100,000 ASCII characters", "'a' * 100_000"),
  result("a str of 1,000 other characters", "'ü€😀a' * 250"),
  result("16 bytes", "b'0123456789abcdef'"),
  result("1 MB of bytes", "bytes(1_000_000)"),
  {
    name: "eval returns a list, and it is disposed",
    prepare: ({ python }) => repeat(() => dispose(python.eval("[1, 2]"))),
  },
  {
    name: 'run("x = 1")',
    prepare: ({ python }) => repeat(() => python.run("x = 1")),
  },
  {
    name: 'run("x = 1") in a scope',
    prepare({ python, PythonScope }, resources) {
      const options = { scope: resources.use(new PythonScope()) };
      return repeat(() => python.run("x = 1", options));
    },
  },
  {
    name: "run, indented, that defines a function over a block",
    prepare({ alloc, python }, resources) {
      const names = { block: resources.use(alloc(Float64Array, 8)) };
      const source = `
        def first():
            return memoryview(block)[0]
        first()
      `;
      return repeat(() => python.run(source, { names }));
    },
  },
  {
    name: "run that raises and catches within Python",
    prepare({ python }) {
      const source = "try:\n  1 / 0\nexcept ZeroDivisionError: pass";
      return repeat(() => python.run(source));
    },
  },
  error("PythonError thrown and caught", "1 / 0"),
  error("PythonError of 20 frames", "f(20)"),
  {
    name: "scope made and disposed",
    prepare: ({ PythonScope }) =>
      repeat(() => new PythonScope()[Symbol.dispose]()),
  },
  {
    name: "scope made, set, got from and disposed",
    prepare: ({ python, PythonScope }) =>
      repeat(() => {
        using scope = new PythonScope();
        python.run("x = 1", { scope });
        keep(scope.get("x"));
      }),
  },
  {
    name: "scope.get of a number",
    prepare({ python, PythonScope }, resources) {
      const scope = resources.use(new PythonScope());
      python.run("x = 1", { scope });
      return repeat(() => keep(scope.get("x")));
    },
  },
  callOfNone,
  attached(callOfNone),
  call("ref.call(1, 'a', true)", "lambda a, b, c: None", 1, "a", true),
  call("ref.call of a string that comes back", "str", "forty-two"),
  {
    name: "ref.call(block), and it comes back",
    prepare({ alloc, python }, resources) {
      const block = resources.use(alloc(Float64Array, 8));
      const identity = resources.use(python.eval("lambda a: a") as Reference);
      return repeat(() => {
        const same = identity.call(block);
        if (same !== block) dispose(same);
      });
    },
  },
  {
    name: "ref.call(ref), and it comes back",
    prepare({ python }, resources) {
      const list = resources.use(python.eval("[]") as Reference);
      const identity = resources.use(python.eval("lambda a: a") as Reference);
      return repeat(() => dispose(identity.call(list)));
    },
  },
  {
    name: "ref.get of a number",
    prepare({ python }, resources) {
      const object = resources.use(python.eval("range(7)") as Reference);
      return repeat(() => keep(object.get("stop")));
    },
  },
  {
    name: "ref.get of a method, and it is disposed",
    prepare({ python }, resources) {
      const object = resources.use(python.eval("[]") as Reference);
      return repeat(() => dispose(object.get("append")));
    },
  },
  {
    name: "ref.toString()",
    prepare({ python }, resources) {
      const object = resources.use(python.eval("[1, 2]") as Reference);
      return repeat(() => keep(object.toString()));
    },
  },
  {
    name: "callback of JavaScript called by Python",
    prepare({ python }, resources) {
      const callback = new Deno.UnsafeCallback(
        { parameters: [], result: "void" },
        () => {},
      );
      resources.defer(() => callback.close());
      return repeatCall(python, resources, callback.pointer);
    },
  },
  {
    name: "callback of JavaScript that runs Python code",
    prepare({ python }, resources) {
      const callback = new Deno.UnsafeCallback(
        { parameters: [], result: "void" },
        () => keep(python.eval("1+1")),
      );
      resources.defer(() => callback.close());
      return repeatCall(python, resources, callback.pointer);
    },
  },
];

/** `eval` with something by name. */
function passing(
  what: string,
  expression: string,
  make: (library: Library, resources: DisposableStack) => Names,
): Benchmark {
  return {
    name: `eval with ${what}`,
    prepare(library, resources) {
      const options = { names: make(library, resources) };
      const { python } = library;
      return repeat(() => keep(python.eval(expression, options)));
    },
  };
}

/** `eval` whose result is converted. */
function result(what: string, expression: string): Benchmark {
  return {
    name: `eval returns ${what}`,
    prepare: ({ python }) => repeat(() => keep(python.eval(expression))),
  };
}

/** A call of a Python function. */
function call(name: string, source: string, ...args: Value[]): Benchmark {
  return {
    name,
    prepare({ python }, resources) {
      const callable = resources.use(python.eval(source) as Reference);
      return repeat(() => keep(callable.call(...args)));
    },
  };
}

/** An error that Python raises and JavaScript catches, `f(n)` being one of n frames. */
function error(name: string, expression: string): Benchmark {
  return {
    name,
    prepare({ python, PythonScope }, resources) {
      const scope = resources.use(new PythonScope());
      python.run("def f(n): return f(n - 1) if n else 1 / 0", { scope });
      return repeat(() => {
        try {
          python.eval(expression, { scope });
        } catch (error) {
          keep(error);
        }
      });
    },
  };
}

/** Have Python call a C function by ctypes. */
function repeatCall(
  python: Library["python"],
  resources: DisposableStack,
  pointer: Deno.PointerObject,
): Run {
  const callable = resources.use(
    python.eval("__import__('ctypes').CFUNCTYPE(None)(address)", {
      names: { address: BigInt(Deno.UnsafePointer.value(pointer)) },
    }) as Reference,
  );
  return repeat(() => keep(callable.call()));
}

function dispose(value: Value): void {
  (value as Reference)[Symbol.dispose]();
}
