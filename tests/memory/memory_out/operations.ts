/** Operations of the public API on data that takes more than 1 KiB at each place where its size can be the user's. */

import {
  alloc,
  attach,
  type Block,
  PyObjectRef,
  python,
  PythonError,
  PythonScope,
} from "../../../mod.ts";

/** An operation, and what is to come of it. */
export interface Operation {
  name: string;
  /** Does it; `number` is another one each time. */
  run(number: number): unknown;
  /** Whether that is what should come. */
  isRight(result: unknown, number: number): boolean;
  /** Whether that may come while requests fail; as afterwards, if not given. */
  isRightWithout?(result: unknown): boolean;
  /** Whether all that it changes is as it was before. */
  isUnchanged?(): boolean;
  /** Python compiles a new source, in which it has a fault of its own: see `faults.py`. */
  compiles?: boolean;
}

const LONG = 5_000;

/** A scope with what the operations use, which they leave as it is unless they set `x`. */
export const scope: PythonScope = new PythonScope();
python.run(
  `
  import ctypes
  def same(*values): return values[0]
  def count(*values): return len(values)
  class Thing:
      def __str__(self): return self.text
  def fail(message): raise ValueError(message)
  thing = Thing()
  numbers = bytes(5_000)
  buffer = bytearray(5_000)
  Fields = type("Fields", (ctypes.Structure,), {
      "_fields_": [(f"field_{n}", ctypes.c_int) for n in range(200)]
  })
  fields = Fields()
  strided = memoryview(buffer)[::2]
  `,
  { scope },
);
const same = scope.get("same") as PyObjectRef;
const count = scope.get("count") as PyObjectRef;
const thing = scope.get("thing") as PyObjectRef;
const fail = scope.get("fail") as PyObjectRef;
const block: Block<Uint8Array<ArrayBuffer>> = alloc(Uint8Array, LONG);
const single = alloc(Uint8Array, 1);
const dimensions = new PyObjectRef(
  single.toPython({ shape: new Array(1_000).fill(1) }),
);

/** Strings that differ in how they are kept and encoded. */
const TEXTS = Object.entries({
  ASCII: "x",
  "Latin-1": "é",
  "two-byte": "日",
  astral: "😀",
  "lone surrogate": "\ud800",
}).flatMap(([kind, character]): [string, string][] => [
  [`${kind} text`, character.repeat(LONG)],
  [`long ${kind} text`, character.repeat(200_000)],
]);

const BYTES = new Uint8Array(LONG).fill(7);
const LARGE_BYTES = new Uint8Array(200_000).fill(7);
const BIGINT = 7n ** 20_000n;

const equal = (expected: unknown) => (result: unknown) => result === expected;
const equalBytes = (expected: Uint8Array) => (result: unknown) =>
  result instanceof Uint8Array && result.length === expected.length &&
  result.every((byte, at) => byte === expected[at]);

/** A value that goes to Python and comes back, in each way that there is. */
function crossings(
  name: string,
  value: string | bigint | Uint8Array,
  isRight: Operation["isRight"],
): Operation[] {
  const names = { x: value };
  return [
    { name: `call with ${name}`, run: () => same.call(value), isRight },
    {
      name: `eval of ${name}`,
      run: () => python.eval("x", { names }),
      isRight,
    },
    {
      name: `run with ${name} in a scope`,
      run: () => python.run("pass", { scope, names }),
      isRight: (result) =>
        result === undefined && isRight(scope.get("x"), 0) === true,
    },
    {
      name: `evalAsync of ${name}`,
      run: () => python.evalAsync("x", { names }),
      isRight,
    },
  ];
}

/** The exception that a function throws in Python; anything else is thrown on. */
function exceptionOf(run: () => unknown): PythonError {
  try {
    run();
  } catch (error) {
    if (error instanceof PythonError && error.type === "ValueError") {
      return error;
    }
    throw error;
  }
  throw new Error("nothing was raised");
}

/** Names and values of 1,000 variables. */
const MANY_NAMES = Object.fromEntries(
  Array.from({ length: 1_000 }, (_, at) => [`name_${at}`, at]),
);
const LONG_NAME = "n".repeat(LONG);

/** A scope that has the first of these names alone. */
const partial = new PythonScope();
function clearPartial(): void {
  python.run(
    "[globals().pop(it) for it in [*globals()] if it.startswith('name_')]\nname_0 = -1",
    { scope: partial },
  );
}
clearPartial();
const PARTIAL_SIZE = python.eval("len(globals())", { scope: partial });

/** All operations. */
export const OPERATIONS: Operation[] = [
  ...TEXTS.flatMap(([name, text]) => crossings(name, text, equal(text))),
  ...crossings("bytes", BYTES, equalBytes(BYTES)),
  ...crossings("large bytes", LARGE_BYTES, equalBytes(LARGE_BYTES)),
  ...crossings("bigint", BIGINT, equal(BIGINT)),
  ...crossings("negative bigint", -BIGINT, equal(-BIGINT)),
  {
    name: "eval of a long source",
    run: (number) => python.eval(`${number} + 1 ${" ".repeat(LONG)}`),
    isRight: (result, number) => result === number + 1,
    compiles: true,
  },
  {
    name: "run of a long source in a scope",
    run: (number) =>
      python.run(`x = ${number} #${"é".repeat(LONG)}`, { scope }),
    isRight: (_, number) => scope.get("x") === number,
    compiles: true,
  },
  {
    name: "run of an indented source",
    run: (number) =>
      python.run(`\n  x = ${number}\n${"  y = 2\n".repeat(200)}`, { scope }),
    isRight: (_, number) => scope.get("x") === number,
    compiles: true,
  },
  {
    name: "evalAsync of a long source",
    run: (number) => python.evalAsync(`${number} + 1 #${"é".repeat(LONG)}`),
    isRight: (result, number) => result === number + 1,
    compiles: true,
  },
  {
    name: "eval with a long name",
    run: () => python.eval(LONG_NAME, { names: { [LONG_NAME]: 5 } }),
    isRight: equal(5),
  },
  {
    name: "eval with many names",
    run: () => python.eval("name_999", { names: MANY_NAMES }),
    isRight: equal(999),
  },
  {
    name: "evalAsync with many names",
    run: () => python.evalAsync("name_999", { names: MANY_NAMES }),
    isRight: equal(999),
  },
  {
    name: "run with many names in a scope that is new",
    run: () => {
      using scope = new PythonScope();
      python.run("pass", { scope, names: MANY_NAMES });
      return scope.get("name_999");
    },
    isRight: equal(999),
  },
  {
    name: "run with many names in a scope that has some of them",
    run: () => python.run("pass", { scope: partial, names: MANY_NAMES }),
    isRight: () => {
      const isSet = partial.get("name_0") === 0 &&
        partial.get("name_999") === 999;
      clearPartial();
      return isSet;
    },
    isUnchanged: () =>
      partial.get("name_0") === -1 && partial.get("name_1") === undefined &&
      python.eval("len(globals())", { scope: partial }) === PARTIAL_SIZE,
  },
  {
    name: "a fresh scope with circles of many functions and objects",
    run: (number) =>
      python.eval(
        `[f := lambda: g, g := lambda: f, h := [f, g], h.append(h),` +
          ` [h.append([h, lambda: h]) for _ in range(100)], ${number}][-1]`,
        { names: { thing, block } },
      ),
    isRight: (result, number) => result === number,
    compiles: true,
  },
  {
    name: "many runs at once",
    run: async () =>
      (await Promise.all(
        Array.from({ length: 100 }, (_, at) =>
          python.evalAsync("at", { names: { at } })),
      )).join(),
    isRight: equal(Array.from({ length: 100 }, (_, at) => at).join()),
  },
  {
    name: "many attachments at once",
    run: () => {
      const attachments: Disposable[] = [];
      try {
        for (let time = 0; time < 200; time++) attachments.push(attach());
        return python.eval("1");
      } finally {
        while (attachments.length > 0) attachments.pop()![Symbol.dispose]();
      }
    },
    isRight: equal(1),
  },
  {
    name: "get of a variable with a long name",
    run: () => scope.get(LONG_NAME),
    isRight: equal(undefined),
  },
  {
    name: "get of an attribute with a long name",
    run: () => {
      python.run(`setattr(thing, "n" * ${LONG}, 5)`, { scope });
      return thing.get(LONG_NAME);
    },
    isRight: equal(5),
  },
  {
    name: "call with many arguments",
    run: () => count.call(...Array.from({ length: 1_000 }, (_, at) => at)),
    isRight: equal(1_000),
  },
  {
    name: "toString of a long text",
    run: () => {
      python.run("thing.text = 'é' * 100_000", { scope });
      return thing.toString();
    },
    isRight: equal("é".repeat(100_000)),
  },
  {
    name: "an exception with a long message",
    run: () => exceptionOf(() => fail.call("é".repeat(LONG))),
    isRight: (error) =>
      error instanceof PythonError && error.message.length === LONG,
    // What there is no memory to describe is left out.
    isRightWithout: (error) => error instanceof PythonError,
  },
  {
    name: "an exception with a long traceback",
    run: (number) =>
      exceptionOf(() =>
        python.run(`def f(n):
  if n == 0: raise ValueError("at ${number}")
  [f(n - 1) for _ in "x"]
f(20)`)
      ),
    isRight: (error, number) =>
      error instanceof PythonError && error.message === `at ${number}` &&
      error.traceback.includes("in f"),
    isRightWithout: (error) => error instanceof PythonError,
    compiles: true,
  },
  {
    name: "toPython with a shape of many dimensions",
    run: () => {
      const pointer = single.toPython({ shape: new Array(1_000).fill(1) });
      return python.eval("1", { names: {} }) === 1 && pointer !== null;
    },
    isRight: equal(true),
  },
  {
    name: "the text of a block of many dimensions",
    run: () => `${dimensions}`.length,
    isRight: (result) => typeof result === "number" && result > 3_000,
  },
  {
    name: "a block as an argument",
    run: () => same.call(block),
    isRight: (result) => result === block,
  },
  {
    name: "borrow of a buffer",
    run: () => {
      using borrowed = python.borrow("buffer", { scope });
      return borrowed.view.length;
    },
    isRight: equal(LONG),
  },
  {
    name: "borrow of a copy of read-only memory",
    run: () => {
      using borrowed = python.borrow("numbers", { scope, copy: true });
      return borrowed.view.length;
    },
    isRight: equal(LONG),
  },
  {
    name: "borrow of a copy of memory in another order",
    run: () => {
      using borrowed = python.borrow("strided", { scope, copy: true });
      return borrowed.view.length;
    },
    isRight: equal(LONG / 2),
  },
  {
    name: "borrow of memory with a long format",
    run: () => {
      try {
        python.borrow("fields", { scope });
      } catch (error) {
        if ((error as { reason?: string }).reason === "format") return true;
        throw error;
      }
      return false;
    },
    isRight: equal(true),
  },
  {
    name: "a new scope",
    run: () => {
      using scope = new PythonScope();
      return scope.get("x");
    },
    isRight: equal(undefined),
  },
  {
    name: "alloc, view, realloc and free of a block",
    run: () => {
      const block = alloc(Uint8Array, LONG, { zeroed: true });
      try {
        block.view[0] = 5;
        block.realloc(4 * LONG);
        return block.view[0];
      } finally {
        block.free();
      }
    },
    isRight: equal(5),
  },
];
