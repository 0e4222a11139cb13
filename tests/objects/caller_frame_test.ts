/** What Python code finds that looks at who calls it: a frame, as of a caller in Python. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { kw, py, python, PythonError } from "../../mod.ts";
import { numpyTest } from "../support/numpy.ts";

const { Looking, seen } = python.module(`
  import sys
  seen = []
  def look(result=None):
      # Whoever called what calls this.
      seen.append(sys._getframe(2).f_code.co_filename)
      return result
  class Looking:
      def __getattr__(self, name): return look(name)
      def __setattr__(self, name, value): look()
      def __delattr__(self, name): look()
      def __getitem__(self, key): return look(key)
      def __setitem__(self, key, value): look()
      def __delitem__(self, key): look()
      def __contains__(self, value): return look(True)
      def __len__(self): return look(3)
      def __iter__(self): return look(self)
      def __next__(self): return look(5)
      def __eq__(self, other): return look(True)
      def __call__(self, *given, **named): return look([given, named])
      def method(self, *given, **named): return look([given, named])
      def __str__(self): return look("text")
      def __enter__(self): return look(self)
      def __exit__(self, *_): return look(False)
      def __lt__(self, other): return look(True)
      __gt__ = __lt__
`);

const looking = Looking();

const USES: Record<string, () => unknown> = {
  "an attribute": () => looking.anything,
  "an attribute that is set": () => looking.x = 1,
  "one that is deleted": () => delete looking.x,
  "one that is asked for": () => "y" in looking,
  "an item": () => looking[0],
  "an item that is set": () => looking[0] = 1,
  "one that is deleted, too": () => delete looking[0],
  "a value that is asked for": () => looking.$has(1),
  "a length": () => looking.$len,
  "iterating": () => {
    for (const it of looking) return it;
  },
  "equality": () => looking.$ref.equals(1),
  "comparing": () => looking.$ref.compare(1),
  "a call": () => looking(1),
  "a call with keywords": () => looking([1], kw({ a: 1 })),
  "a method": () => looking.$ref.method("method", 1),
  "a method with keywords": () => looking.$ref.method("method", kw({ a: 1 })),
  "text": () => `${looking}`,
  "with": () => looking.$with(() => 1),
  "the template": () => py`${looking}[0]`,
  "python.eval": () => python.eval("x[0]", { names: { x: looking } }),
};

for (const [what, use] of Object.entries(USES)) {
  Deno.test(`code finds its caller: ${what}`, () => {
    seen.clear();
    use();
    assert(seen.$len > 0);
    for (const file of seen) assert(file.startsWith("<"), file);
  });
}

Deno.test("tracebacks show none of these frames", () => {
  const { fail } = python.module("def fail(*_): raise ValueError");
  for (const use of [() => fail(), () => fail([1], kw({}))]) {
    const { traceback } = assertThrows(use, PythonError);
    assert(!traceback.includes("<oneheap>"), traceback);
    assertEquals(traceback.match(/File /g)!.length, 1);
  }
});

numpyTest(
  "a column of a frame is set, and its rows are asked for, without a warning",
  () => {
    const pandas = python.import("pandas");
    python.import("warnings").simplefilter("error");
    try {
      const frame = pandas.DataFrame({ a: [1, 2, 3] });
      frame.$set("b", [4, 5, 6]);
      frame.$item("a").$js();
      frame.loc.$set([0, "b"], 9);
      assertEquals(
        frame.query("a > 1 and b < 6").b.$js(),
        new BigInt64Array([5n]),
      );
      assertEquals(frame.eval("a + b").$js(), new BigInt64Array([10n, 7n, 9n]));
      frame.fillna(0, kw({ inplace: true }));
      assertEquals(frame.b[0], 9);
    } finally {
      python.import("warnings").resetwarnings();
    }
  },
);
