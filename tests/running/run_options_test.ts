/** What the functions that run code are told is read once, and before anything of it is used: reading it may run any code. */

import {
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  alloc,
  FreedError,
  python,
  type PythonValue,
  type RunOptions,
} from "../../mod.ts";
import { run } from "../support/process.ts";

/** The functions that run an expression, each of which rejects where it fails. */
const EVALUATIONS: Record<
  string,
  (source: string, options: RunOptions) => Promise<unknown>
> = {
  // deno-lint-ignore require-await
  run: async (source, options) => python.run(source, options),
  // deno-lint-ignore require-await
  eval: async (source, options) => python.eval(source, options),
  runAsync: (source, options) => python.runAsync(source, options),
  evalAsync: (source, options) => python.evalAsync(source, options),
};

/** Tests each of the functions. */
function testEach(
  name: string,
  test: (evaluate: typeof EVALUATIONS[string]) => Promise<void>,
): void {
  for (const [function_, evaluate] of Object.entries(EVALUATIONS)) {
    Deno.test(`${function_}: ${name}`, () => test(evaluate));
  }
}

testEach(
  "a block that is freed while the options are read is refused, also if another takes its place",
  async (evaluate) => {
    const block = alloc(Uint8Array, [1, 1, 1]);
    const others: Disposable[] = [];
    await assertRejects(
      () =>
        evaluate("bytes(block)", {
          names: { block },
          get signal() {
            block.free();
            others.push(alloc(Uint8Array, [9, 9, 9, 9]));
            return undefined;
          },
        }),
      FreedError,
    );
    others.forEach((other) => other[Symbol.dispose]());
  },
);

testEach(
  "a block whose view is transferred away while the options are read is refused",
  async (evaluate) => {
    const block = alloc(Uint8Array, 100);
    block.view.fill(7);
    await assertRejects(
      () =>
        evaluate("bytes(block)", {
          names: { block },
          get signal() {
            block.view.buffer.transfer(0);
            return undefined;
          },
        }),
      FreedError,
    );
  },
);

testEach(
  "a block that is freed by the value of a later name is refused",
  async (evaluate) => {
    const block = alloc(Uint8Array, 100);
    await assertRejects(
      () =>
        evaluate("bytes(block)", {
          names: {
            block,
            get last() {
              block.free();
              return 1;
            },
          },
        }),
      FreedError,
    );
  },
);

testEach(
  "what a value runs while it is read can free a block, which is refused then",
  async (evaluate) => {
    const block = alloc(Uint8Array, 100);
    let asked = 0;
    const free = () => {
      asked++;
      if (!block.freed) block.free();
      return false;
    };
    const value = new Proxy({}, { getPrototypeOf: () => (free(), null) });
    Object.defineProperty(Uint8Array, Symbol.hasInstance, {
      value: free,
      configurable: true,
    });
    try {
      const bytes = new Uint8Array(1);
      await evaluate("bytes(block) + bytes_", {
        names: { block, bytes_: bytes },
      });
      assertEquals([asked, block.freed], [0, false]);
      await assertRejects(
        () => evaluate("bytes(block)", { names: { block, value } }),
        FreedError,
      );
    } finally {
      Reflect.deleteProperty(Uint8Array, Symbol.hasInstance);
      if (!block.freed) block.free();
    }
  },
);

testEach("each option, name and value is read once", async (evaluate) => {
  const read: string[] = [];
  function count<Target extends object>(target: Target): Target {
    return new Proxy(target, {
      get(target, property, receiver) {
        read.push(String(property));
        return Reflect.get(target, property, receiver);
      },
      ownKeys(target) {
        read.push("keys");
        return Reflect.ownKeys(target);
      },
    });
  }
  const names = count<Record<string, PythonValue>>({ first: 1, second: 2 });
  const options = { scope: undefined, names, signal: undefined };
  await evaluate("first + second", count(options));
  assertEquals(read, [
    "scope",
    "names",
    "signal",
    "toJs",
    "keys",
    "first",
    "second",
  ]);
});

testEach(
  "a signal that is no AbortSignal, but a Proxy or looks alike, is a TypeError",
  async (evaluate) => {
    const { signal } = new AbortController();
    const wrong: [unknown, string][] = [
      [new Proxy(signal, {}), "a Proxy was given"],
      [Object.create(signal), "an object (AbortSignal) was given"],
      [
        { aborted: false, addEventListener() {}, removeEventListener() {} },
        "an object (Object) was given",
      ],
      [new EventTarget(), "an object (EventTarget) was given"],
      [null, "null was given"],
      ["signal", '"signal" was given'],
    ];
    for (const [signal, message] of wrong) {
      const error = await assertRejects(
        () => evaluate("1", { signal: signal as AbortSignal }),
        TypeError,
      );
      assertStringIncludes(error.message, "must be an AbortSignal");
      assertStringIncludes(error.message, message);
    }
    await evaluate("1", { signal: AbortSignal.timeout(60_000) });
    await evaluate("1", { signal: AbortSignal.any([signal]) });
  },
);

testEach(
  "a signal with properties of its own is the signal that it is",
  async (evaluate) => {
    const signal = AbortSignal.abort("reason");
    for (const name of ["aborted", "reason", "throwIfAborted"]) {
      Object.defineProperty(signal, name, { value: false });
    }
    const reason = await evaluate("1", { signal }).catch((reason) => reason);
    assertStrictEquals(reason, "reason");
  },
);

Deno.test("borrow: a block that is freed while the options are read is refused", () => {
  const block = alloc(Uint8Array, [1, 1, 1]);
  assertThrows(
    () =>
      python.borrow("memoryview(block)", {
        names: { block },
        get copy() {
          block.free();
          return true;
        },
      }),
    FreedError,
  );
});

Deno.test("names arrive whole where a program has patched arrays", async () => {
  const { stdout, stderr } = await run(`
    import { alloc, python } from "@oneheap/oneheap";
    const block = alloc(Uint8Array, [1, 2, 3]);
    const names = { a: 1, block, c: "x" };
    const source = "f'{a} {bytes(block)} {c}'";
    const before = python.eval(source, { names });
    const lie = () => { block.freed || block.free(); };
    for (let index = 0; index < 6; index++) {
      Object.defineProperty(Array.prototype, index, { set: lie, get: lie, configurable: true });
    }
    const { push } = Array.prototype;
    Array.prototype.push = lie;
    const { [Symbol.iterator]: iterate } = Array.prototype;
    Array.prototype[Symbol.iterator] = lie;
    const after = python.eval(source, { names });
    for (let index = 0; index < 6; index++) delete Array.prototype[index];
    Array.prototype.push = push;
    Array.prototype[Symbol.iterator] = iterate;
    console.log(before === after, block.freed);
  `);
  assertEquals(stdout, "true false\n", stderr);
});
