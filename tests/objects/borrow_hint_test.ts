/** What the error says of objects that have no memory to borrow: what to do instead. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { python, PythonError, PythonScope } from "../../mod.ts";

/** Classes that say how their memory is reached, and must not be asked: what they raise is no `Exception`. */
const CLASSES = `
class Refuses(type):
    def __getattribute__(self, name): raise SystemExit
class Column(metaclass=Refuses):
    def __getattribute__(self, name): raise SystemExit
    def to_numpy(self): raise SystemExit
class Tensor:
    def numpy(self): raise SystemExit
class Array:
    def __array__(self): raise SystemExit
class Derived(Column): pass
class Text(str): pass
class Buffered:
    def __buffer__(self, flags): raise ValueError("its own words", 1)
`;

const HINTS: [source: string, hint: string][] = [
  ["'text'", "Borrow its encode() with { copy: true }"],
  ["['a', 'b']", "convert it by toJs"],
  ["[[1, 2], [3]]", "convert it by toJs"],
  ["(1, 2)", "array.array('d', it)"],
  ["range(3)", "numpy.array(it)"],
  ["{'a': 1}", "convert it by toJs"],
  ["Column()", "Borrow what its to_numpy() returns"],
  ["Derived()", "Borrow what its to_numpy() returns"],
  ["Tensor()", "Borrow what its numpy() returns"],
  ["Array()", "Borrow numpy.asarray(it)"],
];

for (const [source, hint] of HINTS) {
  Deno.test(`borrowing ${source} says what to do instead`, () => {
    using scope = new PythonScope();
    python.run(CLASSES, { scope });
    const error = assertThrows(
      () => python.borrow(source, { scope }),
      PythonError,
    );
    assertEquals(error.type, "TypeError");
    assertStringIncludes(error.message, "a bytes-like object is required");
    assertStringIncludes(error.message, hint);
  });
}

Deno.test("borrowing what has no way to its memory keeps Python's words", () => {
  using scope = new PythonScope();
  python.run(CLASSES, { scope });
  for (const source of ["1", "None", "Text()", "object()"]) {
    const error = assertThrows(
      () => python.borrow(source, { scope }),
      PythonError,
    );
    assertEquals(
      error.message,
      `a bytes-like object is required, not '${
        python.eval(`type(${source}).__name__`, { scope })
      }'`,
    );
  }
});

Deno.test({
  name: "what an object's own __buffer__ raises stays as it is",
  ignore: python.eval("__import__('sys').version_info < (3, 12)") as boolean,
  fn: () => {
    using scope = new PythonScope();
    python.run(CLASSES, { scope });
    const error = assertThrows(
      () => python.borrow("Buffered()", { scope }),
      PythonError,
    );
    assertEquals(
      [error.type, error.message],
      ["ValueError", "('its own words', 1)"],
    );
  },
});

Deno.test("what is said to do instead works", () => {
  using encoded = python.borrow("'text'.encode()", { copy: true });
  assertEquals([...encoded.view], [116, 101, 120, 116]);
  using numbers = python.borrow("__import__('array').array('d', (1, 2))");
  assertEquals([...numbers.view], [1, 2]);
  assertEquals(python.eval("[[1, 2], [3]]", { toJs: true }), [[1, 2], [3]]);
});
