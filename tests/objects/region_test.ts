/** Regions: references that end together. */

import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { leakCheck, LeakError } from "../../ffi/debug/debug.ts";
import {
  alloc,
  FreedError,
  py,
  type PyAny,
  PyObjectRef,
  python,
  PythonError,
  stats,
} from "../../mod.ts";

const { list } = python.builtins;

/** A class whose objects say how many are alive. */
const counting = python.module(`
  import weakref
  class Thing:
      def __del__(self): ended.append(1)
  ended = []
`);

Deno.test("a region ends references of every kind, and counts them down", () => {
  const before = stats().references;
  const made: PyAny[] = [];
  const result = python.region(() => {
    const thing = counting.Thing();
    made.push(
      thing.$ref,
      python.eval("[1]"),
      PyObjectRef.from((python.eval("[2]") as PyObjectRef).pointer),
      ...py`[[3], [4]]`,
      (py`[[5]]`.$js({ depth: 3, other: "ref" }),
        py`[object]`.$js({ other: "ref" })[0]),
    );
    return "plain";
  });
  assertEquals(result, "plain");
  assertEquals(stats().references, before);
  assertEquals(counting.ended.$len, 1);
  for (const it of made) {
    const reference = it instanceof PyObjectRef ? it : undefined;
    if (reference !== undefined) assert(reference.disposed);
    assertThrows(() => `${it}`, FreedError, "python.region");
  }
});

Deno.test("an error of what was used too late names the region, and says what to do", () => {
  let late: PyAny;
  python.region(function countTheWords() {
    late = list();
  });
  const error = assertThrows(() => late.$len, FreedError);
  assert(error.message.includes("python.region(countTheWords)"));
  assert(error.message.includes("Return it from there, or make it outside"));
});

Deno.test("what is returned is kept, however deep it is in plain containers", () => {
  const [one, two, three, four] = python.region(() => {
    const circle: unknown[] = [];
    circle.push(circle);
    const values = [list([1]), list([2]), list([3]), list([4])];
    return [
      { deep: [{ deeper: values[0] }] },
      new Map([["key", new Set([values[1]])]]),
      Object.assign(Object.create(null), { it: values[2].$ref }),
      [circle, values[3].append],
    ] as PyAny[];
  });
  assertEquals(one.deep[0].deeper.$js(), [1]);
  assertEquals([...two.get("key")][0].$js(), [2]);
  assertEquals(three.it.toJs(), [3]);
  four[1](5);
});

Deno.test("an instance of a class isn't looked into", () => {
  class Holder {
    constructor(readonly value: PyAny) {}
  }
  const holder = python.region(() => new Holder(list()));
  assertThrows(() => holder.value.$len, FreedError);
});

Deno.test("what a region within another keeps belongs to the other", () => {
  let inner: PyAny, outer: PyAny;
  const kept = python.region(() => {
    inner = python.region(() => {
      outer = list([1]);
      return list([2]);
    });
    assertThrows(() => outer.$len, FreedError);
    assertEquals(inner.$js(), [2]);
    return python.region(() => list([3]));
  });
  assertThrows(() => inner.$len, FreedError);
  assertEquals(kept.$js(), [3]);
});

Deno.test("a region that throws ends what was made in it, and the error passes", () => {
  const made: PyAny[] = [];
  const thrown = new Error("out");
  const error = assertThrows(() =>
    python.region(() => {
      made.push(list());
      python.region(() => {
        made.push(list());
        throw thrown;
      });
    })
  );
  assertStrictEquals(error, thrown);
  for (const it of made) assertThrows(() => it.$len, FreedError);
  const raised = assertThrows(
    () => python.region(() => list([1]).index(5)),
    PythonError,
  );
  assertEquals(raised.exception.args[0], raised.message);
  assertEquals(list([1]).$len, 1, "no region is left open");
  const after = list();
  assertThrows(() => python.region(() => (list(), after.nothing)), PythonError);
  assertEquals(after.$len, 0);
});

Deno.test("a region that is left by return in a loop ends what was made", () => {
  const made: PyAny[] = [];
  const first = python.region(() => {
    for (const it of py`[[1], [2], [3]]`) {
      made.push(it);
      if (it[0] === 2) return it;
    }
  });
  assertEquals(first.$js(), [2]);
  assertThrows(() => made[0].$len, FreedError);
});

Deno.test("a promise that is returned is a TypeError, and its rejection is handled", async () => {
  let made: PyAny;
  const asynchronous = async () => {
    made = list();
    await undefined;
    return made.$len;
  };
  assertThrows(() => python.region(asynchronous), TypeError, "promise");
  assertThrows(() => made.$len, FreedError);
  await new Promise((resolve) => setTimeout(resolve, 0));
  for (const wrong of [1, null, "x", {}]) {
    assertThrows(() => python.region(wrong as never), TypeError);
  }
});

Deno.test("using in a region, and references from outside, are as they are elsewhere", () => {
  const outside = list([1]);
  python.region(() => {
    using inside = list([2]);
    outside.append(inside);
    outside[0] = 5;
  });
  assertEquals(outside.$js(), [5, [2]]);
});

Deno.test("blocks and borrowed memory aren't ended by a region", () => {
  const [block, borrowed] = python.region(() =>
    [
      alloc(Uint8Array, [1, 2]),
      python.builtins.bytearray(3).$view(Uint8Array),
    ] as const
  );
  assertEquals([block.view[1], borrowed.view.length], [2, 3]);
  block.free();
  borrowed[Symbol.dispose]();
  let held: PyAny;
  python.region(() => {
    held = alloc(Uint8Array, 1);
    list([held]);
  });
  held.realloc(2);
  held.free();
});

Deno.test("the leak check sees what a region ends, and what it keeps", () => {
  {
    using _check = leakCheck();
    python.region(() => [...py`[[1], [2]]`].length);
  }
  const check = leakCheck();
  const kept = python.region(() => (list(), list()));
  using template = py`[1]`;
  const error = assertThrows(() => check[Symbol.dispose](), LeakError);
  const kinds = error.leaks.map(({ kind, count }) => `${count} ${kind}`);
  assertEquals(kinds, ["1 reference", "1 reference"]);
  assert(error.leaks.every(({ stack }) => stack.includes("region_test.ts")));
  kept[Symbol.dispose]();
  assertEquals(template.$len, 1);
});

Deno.test("the leak check sees modules and exceptions that are asked for", () => {
  const check = leakCheck();
  const module = python.module("x = 1");
  const error = assertThrows(() => module.none, PythonError);
  void error.exception.args;
  const kinds = check.leaks().map(({ kind }) => kind).sort();
  assertEquals(kinds, ["reference", "reference", "reference", "scope"]);
  error[Symbol.dispose]();
  module[Symbol.dispose]();
  assertEquals(check.leaks().map(({ count }) => count), [1], "that of args");
});
