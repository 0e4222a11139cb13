/** What a fresh scope holds after its run: nothing, unless something of it escaped. */

import { assertEquals, assertThrows } from "@std/assert";
import {
  alloc,
  type PyObjectRef,
  python,
  PythonError,
  PythonScope,
  type PythonValue,
} from "../../mod.ts";
import { FREES_FUNCTIONS, HAS_GIL } from "../support/build.ts";
import { run } from "../support/process.ts";

/** Runs code with a block, which can be resized afterwards if nothing of the code holds it. */
function leavesBlockFree(
  source: string,
  names: Record<string, PythonValue> = {},
): void {
  using block = alloc(Float64Array, [1, 2, 3]);
  try {
    python.run(source, { names: { block, ...names } });
  } catch (error) {
    if (!(error instanceof PythonError) || error.type !== "ExpectedError") {
      throw error;
    }
    // It holds its frames, and they the scope.
    error[Symbol.dispose]();
  }
  assertEquals([...block.realloc(4).view.subarray(0, 3)], [1, 2, 3]);
}

/** Code that makes so many containers that what it made before is promoted to Python's older generations. */
const LONG = `
import gc
keep = [[] for _ in range(3_000)]
del keep
gc.collect()
`;

const HOLDING: Record<string, string> = {
  "a function": "def f(): return block",
  "a function that calls another": "def f(): return g()\ndef g(): return block",
  "a lambda in a container": "x = {'f': [lambda: block]}",
  "a function with a default": "def f(x=memoryview(block)): return x",
  "a closure that refers to itself": `
    def outer():
        held = memoryview(block)
        def inner(n): return inner(n - 1) if n else held
        return inner
    f = outer()
  `,
  "a function in a namespace of its own": `
    names = {"block": block}
    exec("def f(): return block", names)
  `,
  "a function in an empty namespace": `
    names = {}
    exec("def f(): return held", names)
    names["held"] = block
  `,
  "a function that another module has decorated": `
    import contextlib
    @contextlib.contextmanager
    def opened():
        yield block
    with opened() as same: pass
  `,
  "a class": `
    class C:
        held = memoryview(block)
        def method(self): return block
  `,
  "an instance that refers to itself": `
    class C:
        def __init__(self):
            self.me, self.held = self, memoryview(block)
    c = C()
  `,
  "an exception kept in a variable": `
    try:
        1 / 0
    except ZeroDivisionError as e:
        kept = e
  `,
  "an exception of a function, kept in a variable": `
    def fail():
        held = memoryview(block)
        1 / 0
    try:
        fail()
    except ZeroDivisionError as e:
        kept = e
  `,
  "exec": "exec('def f(): return block')",
  "exec that raised": `
    try:
        exec('def f(): return block\\n1/0')
    except ZeroDivisionError as e:
        kept = e
  `,
  "globals() kept in itself": "me = globals()",
  "globals() in a container": "x = [{'g': globals()}]",
  "its frame": "import sys\nframe = sys._getframe()",
  "a list that refers to itself": `
    held = [memoryview(block)]
    held.append(held)
  `,
  "a dict that refers to itself": `
    held = {'block': memoryview(block)}
    held['me'] = held
  `,
  "a generator that is suspended": `
    def numbers():
        for number in memoryview(block): yield number
    g = numbers()
    next(g)
  `,
  "a generator expression that is suspended":
    "g = (x for x in memoryview(block))\nnext(g)",
  "a coroutine that is suspended": `
    class Never:
        def __await__(self): yield
    async def wait(): await Never(); return block
    c = wait()
    c.send(None)
  `,
  "an object with a finaliser": `
    class C:
        def __del__(self): ended.append(names())
    ended = []
    def names(): return len(memoryview(block))
    c = C()
    c.me = c
  `,
  "a weak reference": `
    import weakref
    class C:
        def method(self): return block
    c = C()
    weak = weakref.ref(c, lambda _: print("must not be called"))
    alive = weakref.WeakSet([c])
  `,
  "a thread that has ended": `
    import threading
    def work(): memoryview(block)[0]
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
  `,
  "a partial":
    "import functools\nx = functools.partial(lambda b: globals(), memoryview(block))",
  "much data": "x = [[i] for i in range(100_000)]\ndef f(): return x, block",
};

/** What can't be found without a GIL, where reference counts can't be relied on. */
const ONLY_WITH_GIL = { ignore: !HAS_GIL };

/** What needs functions to be freed. */
const testFreeing: typeof Deno.test = FREES_FUNCTIONS
  ? Deno.test
  : Deno.test.ignore as typeof Deno.test;

for (const [name, source] of Object.entries(HOLDING)) {
  testFreeing(
    `a fresh scope holds nothing after a run that left ${name}`,
    () => leavesBlockFree(source),
  );
  Deno.test({
    name: `a fresh scope holds nothing after a long run that left ${name}`,
    ...ONLY_WITH_GIL,
    fn: () => leavesBlockFree(`${dedented(source)}\n${LONG}`),
  });
  testFreeing(
    `a fresh scope holds nothing after a run that left ${name}, and raised`,
    () =>
      leavesBlockFree(
        `${
          dedented(source)
        }\nclass ExpectedError(Exception):\n    def method(self): return block\nraise ExpectedError(memoryview(block))`,
      ),
  );
}

/** Source without its indentation, so that more can follow. */
function dedented(source: string): string {
  const indentation = /^\n?( *)/.exec(source)![1].length;
  return source.split("\n").map((line) =>
    line.slice(Math.min(indentation, line.search(/\S|$/)))
  ).join("\n");
}

testFreeing("an expression in a fresh scope leaves a block free", () => {
  using block = alloc(Uint8Array, [1, 2, 3]);
  const options = { names: { block } };
  assertEquals(python.eval("sum(memoryview(block))", options), 6);
  assertEquals(
    python.eval(
      "sum(x + block.nbytes * 0 if False else x for x in memoryview(block))",
      options,
    ),
    6,
  );
  assertEquals(python.eval("(lambda: sum(memoryview(block)))()", options), 6);
  const raise = () => python.eval("[memoryview(block), 1 / 0]", options);
  assertThrows(raise, PythonError)[Symbol.dispose]();
  block.realloc(6);
});

testFreeing("finalisers of what a fresh scope held find its variables", () => {
  using scope = new PythonScope();
  python.run("said = []", { scope });
  using said = scope.get("said") as PyObjectRef;
  for (const more of ["", "c.me = c", "x = [c]\nx.append(x)", LONG]) {
    python.run(
      `
class C:
    def __del__(self): said.append(word())
def word(): return words[0]
def generate():
    try: yield
    finally: said.append(word())
words = ["found"]
c = C()
g = generate()
next(g)
${more}
`,
      { names: { said } },
    );
    assertEquals(python.eval("','.join(said)", { scope }), "found,found");
    python.run("said.clear()", { scope });
  }
});

/** What escapes of a fresh scope, and what it comes to when it is used later. */
const ESCAPES: Record<string, string> = {
  "a function in another module": `
    import escaped
    def f(): return helper()
    def helper(): return data[0]
    escaped.f = f
  `,
  "a lambda in a container elsewhere":
    "import escaped\nhelper = lambda: data[0]\nescaped.list.append({'f': lambda: helper()})\nescaped.f = lambda: escaped.list.pop()['f']()",
  "a method": `
    import escaped
    class C:
        def method(self): return helper()
    def helper(): return data[0]
    escaped.f = C().method
  `,
  "a class": `
    import escaped
    class C:
        def __call__(self): return helper()
    def helper(): return data[0]
    escaped.f = lambda: None
    escaped.C = C
    escaped.f = type('F', (), {'__call__': lambda self: escaped.C()()})()
  `,
  "a subclass of a class elsewhere, by an instance": `
    import escaped
    class C(escaped.Base):
        def __call__(self): return helper()
    def helper(): return data[0]
    escaped.f = C()
  `,
  "a generator": `
    import escaped
    def generate():
        yield
        yield helper()
    def helper(): return data[0]
    g = generate()
    next(g)
    escaped.f = g.__next__
  `,
  "a frame, by an exception": `
    import escaped
    def helper(): return data[0]
    try:
        1 / 0
    except ZeroDivisionError as e:
        escaped.e = e
    escaped.f = type('F', (), {'__call__': lambda self: 42})()
    escaped.f = escaped.late
  `,
  "its dictionary":
    "import escaped\nescaped.g = globals()\nescaped.f = escaped.of_dictionary",
  "a function, by a default, an attribute and a closure": `
    import escaped
    def helper(): return data[0]
    def outer(inner=helper):
        def f(): return inner()
        f.attribute = helper
        return f
    escaped.f = outer()
  `,
  "a callback of a weak reference": `
    import escaped, weakref
    def helper(): return data[0]
    def f(*_): escaped.result = helper()
    escaped.weak = weakref.ref(escaped.Base(), f)
    target = escaped.Base()
    escaped.target = target
    escaped.weak = weakref.ref(target, f)
    escaped.f = escaped.drop_target
  `,
  "a function that is kept weakly by one and strongly by another": `
    import escaped, weakref
    def f(): return helper()
    def helper(): return data[0]
    escaped.strong = [f]
    escaped.weak = weakref.ref(f)
    escaped.f = lambda: escaped.weak()()
  `,
  "a function in a large container elsewhere": `
    import escaped
    def f(): return helper()
    def helper(): return data[0]
    escaped.list[:] = [None] * 10_000 + [f]
    escaped.f = type('F', (), {'__call__': staticmethod(lambda: escaped.list[-1]())})()
  `,
};

const ESCAPED = `
import sys, types
escaped = types.ModuleType("escaped")
sys.modules["escaped"] = escaped
escaped.list = []
class Base: pass
escaped.Base = Base
def late():
    return escaped.e.__traceback__.tb_frame.f_globals["helper"]()
escaped.late = late
escaped.of_dictionary = lambda: escaped.g["data"][0]
def drop_target():
    del escaped.target
    return escaped.result
escaped.drop_target = drop_target
`;

for (const [name, source] of Object.entries(ESCAPES)) {
  Deno.test(`a fresh scope stays as it is if ${name} escaped`, () => {
    using scope = new PythonScope();
    python.run(ESCAPED, { scope });
    using block = alloc(Uint8Array, 1);
    for (const more of ["", LONG.replaceAll("keep", "lists")]) {
      python.run(`data = [42]\n${dedented(source)}\n${more}`, {
        names: { block },
      });
      python.run("import gc; gc.collect()");
      assertEquals(python.eval("__import__('escaped').f()"), 42);
      python.run("escaped.__dict__.clear()", { scope });
      python.run(ESCAPED, { scope });
    }
    python.run("del sys.modules['escaped']", { scope });
  });
}

Deno.test("a function that an expression comes to finds its scope", () => {
  using block = alloc(Uint8Array, [7]);
  const names = { block, factor: 6 };
  using f = python.eval("lambda: factor * memoryview(block)[0]", {
    names,
  }) as PyObjectRef;
  using g = python.eval("[lambda: factor]", {
    names: { factor: 5 },
  }) as PyObjectRef;
  python.run("import gc; gc.collect()");
  assertEquals(f.call(), 42);
  assertEquals(python.eval("g[0]()", { names: { g } }), 5);
});

Deno.test("a thread that still runs a function of a fresh scope finds its variables", async () => {
  using scope = new PythonScope();
  python.run("import threading\ngo = threading.Event()\nresults = []", {
    scope,
  });
  using go = scope.get("go") as PyObjectRef;
  using results = scope.get("results") as PyObjectRef;
  using block = alloc(Uint8Array, [21]);
  python.run(
    `
    import threading
    def work():
        go.wait()
        results.append(helper())
    def helper(): return factor * memoryview(block)[0]
    factor = 2
    threading.Thread(target=work).start()
    threading.Timer(0.01, lambda: results.append(helper())).start()
    `,
    { names: { go, results, block } },
  );
  python.run("import gc; gc.collect(); go.set()", { scope });
  await python.runAsync(
    "import time\nwhile len(results) < 2: time.sleep(0.001)",
    { scope },
  );
  assertEquals(python.eval("str(results)", { scope }), "[42, 42]");
});

Deno.test("threads that use functions of fresh scopes while these end find their variables", async () => {
  const { stdout, stderr, code } = await run(`
    import { alloc, python, PythonScope } from "@oneheap/oneheap";
    using scope = new PythonScope();
    python.run(\`
    import queue, sys, threading
    sys.setswitchinterval(1e-6)
    tasks, failures, done = queue.SimpleQueue(), [], []
    def work():
        while (f := tasks.get()) is not None:
            try:
                if f() != 42: failures.append("wrong")
            except Exception as e: failures.append(repr(e))
            del f
            done.append(1)
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads: thread.start()
    \`, { scope });
    const tasks = scope.get("tasks");
    using block = alloc(Uint8Array, 1);
    for (let round = 0; round < 1500; round++) {
      python.run(\`
def f(): return helper()
def helper(): return data["x"][0]
data = {"x": [42]}
tasks.put(f)
tasks.put(lambda: helper())
me = globals()
\${round % 2 ? "class C:\\n    def __call__(self): return helper()\\ntasks.put(C())" : "tasks.put(f)"}
\`, { names: { tasks, block } });
    }
    python.run("for _ in threads: tasks.put(None)\\nfor thread in threads: thread.join()", { scope });
    console.log(python.eval("f'{len(done)} {failures[:3]}'", { scope }));
  `);
  assertEquals({ stdout, code }, { stdout: "4500 []\n", code: 0 }, stderr);
});

Deno.test("large data in a fresh scope costs its end little", () => {
  using block = alloc(Uint8Array, 1);
  using scope = new PythonScope();
  const source = "x = [[i] for i in range(300_000)]\ndef f(): return x";
  // This thread's time alone: the machine may be busy.
  const now = () =>
    python.eval("__import__('time').thread_time() * 1000") as number;
  const time = (options: object) => {
    const start = now();
    python.run(source, options);
    return now() - start;
  };
  let kept = Infinity, fresh = Infinity;
  for (let round = 0; round < 5; round++) {
    kept = Math.min(kept, time({ scope, names: { block } }));
    fresh = Math.min(fresh, time({ names: { block } }));
  }
  assertEquals(
    fresh < kept * 3 + 100,
    true,
    `${fresh} ms, ${kept} ms in a scope that is kept`,
  );
});
