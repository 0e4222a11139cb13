/** Recursion without end, on each kind of thread; in processes of their own, which a stack that overflows ends. */

import { assertEquals } from "@std/assert";
import { run } from "../support/process.ts";

/** Ways to recurse, which take very different amounts of stack for each level. */
const CASES = `
import functools, json, re

def plain(number=0):
    return plain(number + 1)

def sorting(value=None):
    return sorted([1], key=sorting)

def sorting_in_place(value=None):
    return [1].sort(key=sorting_in_place)

def sorting_by_comparison(first=None, second=None):
    return sorted([1, 2], key=functools.cmp_to_key(sorting_by_comparison))

class Sorting:
    def __lt__(self, other):
        return [Sorting(), Sorting()].sort()

def substitution(match=None):
    return re.sub("a", substitution, "a")

# From 3.14 on a large stack has room for all of it.
nested = []
for _ in range(20_000):
    nested = [nested]

class Attributes:
    @property
    def endless(self):
        return self.endless
    def __getattr__(self, name):
        return getattr(self, name + "_")

def evaluation():
    return eval("evaluation()", globals())

cases = {
    "plain": plain,
    "sorted": sorting,
    "list.sort": sorting_in_place,
    "cmp_to_key": sorting_by_comparison,
    "__lt__": lambda: Sorting() < Sorting(),
    "re.sub": substitution,
    "repr": lambda: (repr(nested), plain()),
    "json.dumps": lambda: (json.dumps(nested), plain()),
    "json.loads": lambda: (json.loads("[" * 20_000 + "]" * 20_000), plain()),
    "property": lambda: Attributes().endless,
    "__getattr__": lambda: Attributes().missing,
    "eval": evaluation,
}

def recurse():
    """The outcome of each case."""
    outcomes = []
    for name, case in cases.items():
        try:
            case()
            outcomes.append(f"{name}: ended")
        except RecursionError:
            outcomes.append(f"{name}: RecursionError")
        except BaseException as exception:
            outcomes.append(f"{name}: {exception!r}")
    return "\\n".join(outcomes)
`;

/** What `recurse` prints. */
const EXPECTED = [
  ...CASES.matchAll(/^ {4}"(.*)": /gm),
].map(([, name]) => `${name}: RecursionError\n`).join("");

/** Runs a script, in a process or in a Worker of it, that prints what came of the cases; then Python goes on. */
async function assertRecursionErrors(
  script: string,
  { inWorker = false } = {},
): Promise<void> {
  const source = `
    import { alloc, python, PythonScope } from "@oneheap/oneheap";
    const scope = new PythonScope();
    python.run(${JSON.stringify(CASES)}, { scope });
    ${script}
    console.log(python.eval("6 * 7", { scope }));
    globalThis.close();
  `;
  const { code, signal, stdout, stderr } = await run(
    inWorker
      ? `const url = "data:text/javascript," + encodeURIComponent(${
        JSON.stringify(source)
      });
      new Worker(url, { type: "module" });`
      : source,
  );
  assertEquals(
    { code, signal, stdout },
    { code: 0, signal: null, stdout: `${EXPECTED}42\n` },
    stderr,
  );
}

const CALL = `console.log(python.eval("recurse()", { scope }));`;

/** Calls Python with nearly as much of the stack used as JavaScript may. */
const CALL_DEEP = `
  const descend = (levels, use) => levels === 0 ? use() : descend(levels - 1, use);
  for (let levels = 100_000;; levels = Math.floor(levels * 0.97)) {
    try {
      console.log(descend(levels, () => python.eval("recurse()", { scope })));
      break;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
`;

const CALL_ASYNC =
  `console.log(await python.evalAsync("recurse()", { scope }));`;

Deno.test("recursion without end is a RecursionError on JavaScript's main thread", () =>
  assertRecursionErrors(CALL));

Deno.test("recursion without end is a RecursionError in a Worker", () =>
  assertRecursionErrors(CALL, { inWorker: true }));

Deno.test("recursion without end is a RecursionError where JavaScript is deep in its own", () =>
  assertRecursionErrors(CALL_DEEP));

Deno.test("recursion without end is a RecursionError where a Worker is deep in its own", () =>
  assertRecursionErrors(CALL_DEEP, { inWorker: true }));

Deno.test("recursion without end is a RecursionError in runAsync, of the main thread and of a Worker", async () => {
  await assertRecursionErrors(CALL_ASYNC);
  await assertRecursionErrors(CALL_ASYNC, { inWorker: true });
});

Deno.test("recursion without end is a RecursionError on a thread of Python's threading", () =>
  assertRecursionErrors(`
    python.run(
      \`
      import threading
      thread = threading.Thread(target=lambda: print(recurse()))
      thread.start()
      thread.join()
      \`,
      { scope },
    );
  `));

Deno.test("recursion without end is a RecursionError on the maintenance thread, which deletes what JavaScript lost", () =>
  assertRecursionErrors(`
    python.run(
      \`
      import threading
      class Lost:
          def __del__(self):
              if threading.current_thread() is threading.main_thread():
                  print(recurse())
              memoryview(deleted)[0] = 1
      \`,
      { scope },
    );
    const deleted = alloc(Int32Array, 1);
    await (() => python.evalAsync("Lost()", { scope, names: { deleted } }))();
    while (deleted.view[0] === 0) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  `));
