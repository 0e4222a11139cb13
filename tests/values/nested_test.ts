/** Nested values cross in one piece: random ones, against a slow model of the conversion table in each direction. */

import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  alloc,
  ConversionError,
  FreedError,
  PyObjectRef,
  python,
  PythonError,
  PythonScope,
} from "../../mod.ts";
import { HAS_GIL } from "../support/build.ts";
import { leavesNothingInPython } from "../support/collection.ts";
import { run } from "../support/process.ts";
import {
  CANON,
  canonical,
  Random,
  randomValue,
  returned,
} from "./random_values.ts";

const SEEDS = 400;

function canonOf(scope: PythonScope): PyObjectRef {
  python.run(CANON, { scope });
  return scope.get("canon") as PyObjectRef;
}

Deno.test(`${SEEDS} random values are to Python what the model says, and come back so`, () => {
  using scope = new PythonScope();
  using canon = canonOf(scope);
  using same = python.eval("lambda value: value") as PyObjectRef;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const value = randomValue(new Random(seed), 1 + seed % 5);
    const argument = [value];
    assertEquals(canon.call(argument), canonical(argument), `seed ${seed}`);
    using reference = same.call(argument) as PyObjectRef;
    const back = reference.toJs() as unknown[];
    assertEquals(
      canonical(back[0]),
      canonical(returned(value)),
      `seed ${seed}`,
    );
  }
});

Deno.test("random values cross to runs on other threads, and come back converted there", async () => {
  using scope = new PythonScope();
  using _canon = canonOf(scope);
  for (let seed = 1; seed <= 60; seed++) {
    const value = [randomValue(new Random(seed), 1 + seed % 4)];
    const [text, back] = await Promise.all([
      python.evalAsync("canon(value)", { scope, names: { value } }),
      python.evalAsync("value", { names: { value }, toJs: true }),
    ]);
    assertEquals(text, canonical(value), `seed ${seed}`);
    assertEquals(canonical(back), canonical(returned(value)), `seed ${seed}`);
  }
});

Deno.test("the stable ABI alone does the same", async () => {
  const { stdout, stderr } = await run(
    `
    import { PyObjectRef, python, PythonScope } from "@oneheap/oneheap";
    import { CANON, canonical, Random, randomValue, returned } from "${
      import.meta.resolve("./random_values.ts")
    }";
    using scope = new PythonScope();
    python.run(CANON, { scope });
    const canon = scope.get("canon");
    for (let seed = 1; seed <= 200; seed++) {
      const value = [randomValue(new Random(seed), 1 + seed % 5)];
      const names = { value };
      const back = python.eval("value", { names, toJs: true });
      if (canon.call(value) !== canonical(value)) throw new Error("in " + seed);
      if (canonical(back) !== canonical(returned(value))) throw new Error("out " + seed);
    }
    console.log("done");
    `,
    { env: { ONEHEAP_STABLE_ABI: "1" } },
  );
  assertEquals([stdout, stderr], ["done\n", ""]);
});

Deno.test("a conversion that fails, at whatever place, leaves nothing in Python", async () => {
  using same = python.eval("lambda *values: None") as PyObjectRef;
  using block = alloc(Uint8Array, 8);
  let seed = 0;
  await leavesNothingInPython(() => {
    for (let index = 0; index < 20; index++) {
      const random = new Random(++seed);
      const value = [randomValue(random, 4), {
        deep: [block, same, new Map([[{}, 1]])],
      }];
      assertThrows(() => same.call(value), ConversionError);
      assertThrows(() => same.call([value, [Symbol()]]), ConversionError);
    }
  });
});

Deno.test("a result whose conversion fails, at whatever place, leaves nothing in Python", async () => {
  using deep = python.eval(
    "[{'a': [1, 'x' * 50, '日本', {'b': (2.5, {3})}]}, [[object]]]",
  ) as PyObjectRef;
  using raising = python.eval(
    "[{'a': 1}, type('T', (__import__('types').SimpleNamespace,), {'__dict__': property(lambda self: 1 / 0)})()]",
  ) as PyObjectRef;
  await leavesNothingInPython(() => {
    const error = assertThrows(() => deep.toJs(), ConversionError);
    assertEquals([error.path, error.reason], ["$[1][0][0]", "type"]);
    assertThrows(() => raising.toJs(), PythonError);
  });
});

Deno.test("values that cross leave nothing, in either direction", async () => {
  using same = python.eval("lambda value: value") as PyObjectRef;
  const values = Array.from(
    { length: 10 },
    (_, seed) => randomValue(new Random(seed + 1), 4),
  );
  await leavesNothingInPython(() => {
    using reference = same.call(values) as PyObjectRef;
    reference.toJs();
    reference.toJs({ dict: "map", set: "array", int: "bigint" });
  }, { repetitions: 100, warmUp: 20 });
});

Deno.test("the last of a million elements says where it is, and nothing is half done", () => {
  using append = python.eval("[].append") as PyObjectRef;
  const values: unknown[] = Array.from({ length: 1_000_000 }, () => "x");
  values.push(Symbol("last"));
  const error = assertThrows(() => append.call(values), ConversionError);
  assertEquals(error.path, "$[1000000]");
  using list = append.get("__self__") as PyObjectRef;
  assertEquals(list.length, 0);
});

Deno.test("a cycle, and what is nested too deep, are errors with a path, in both directions", () => {
  using same = python.eval("lambda value: value") as PyObjectRef;
  const cycle: Record<string, unknown> = { rows: [] };
  (cycle.rows as unknown[]).push({ parent: cycle });
  const there = assertThrows(() => same.call(cycle), ConversionError);
  assertEquals([there.path, there.reason], ["$.rows[0].parent", "cycle"]);
  using circular = python.eval(
    "(lambda a: a.append({'x': a}) or a)([])",
  ) as PyObjectRef;
  const back = assertThrows(() => circular.toJs(), ConversionError);
  assertEquals([back.path, back.reason], ["$[0].x", "cycle"]);
  let deep: unknown = 1;
  for (let level = 0; level < 1_001; level++) deep = [deep];
  assertEquals(
    assertThrows(() => same.call([deep]), ConversionError).reason,
    "depth",
  );
  using nested = python.eval(
    "__import__('functools').reduce(lambda a, _: [a], range(100_000), 1)",
  ) as PyObjectRef;
  assertEquals(
    assertThrows(() => nested.toJs(), ConversionError).reason,
    "depth",
  );
  assertEquals(
    assertThrows(() => nested.toJs({ depth: 3 }), ConversionError).reason,
    "depth",
  );
});

Deno.test("what is referred to twice is converted twice, and without end is an error", () => {
  using same = python.eval("lambda value: value") as PyObjectRef;
  const shared = { a: 1 };
  using twice = same.call([shared, shared]) as PyObjectRef;
  assertEquals(python.eval("x[0] is x[1]", { names: { x: twice } }), false);
  let doubling: unknown = [1];
  for (let level = 0; level < 60; level++) doubling = [doubling, doubling];
  assertEquals(
    assertThrows(() => same.call([doubling]), ConversionError).reason,
    "range",
  );
});

Deno.test("a getter may use the library, and what is written stays right", () => {
  using represent = python.eval("repr") as PyObjectRef;
  const value = {
    before: [1, "ü".repeat(300)],
    get nested() {
      using other = python.eval("[{'a': x}]", {
        names: { x: { y: ["z".repeat(200)] } },
      }) as PyObjectRef;
      return [other.toJs(), represent.call({ a: [2] })];
    },
    after: { x: "日本" },
  };
  assertEquals(
    represent.call(value),
    `{'before': [1, '${"ü".repeat(300)}'], 'nested': [[{'a': {'y': ['${
      "z".repeat(200)
    }']}}], "{'a': [2]}"], 'after': {'x': '日本'}}`,
  );
});

Deno.test("a block that a getter frees, whose place another takes, is refused", () => {
  using same = python.eval("lambda *values: values") as PyObjectRef;
  const block = alloc(Uint8Array, [1, 2, 3]);
  const others: Disposable[] = [];
  const trap = {
    get later() {
      block.free();
      others.push(alloc(Uint8Array, [9, 9, 9]));
      return 1;
    },
  };
  assertThrows(() => same.call([block], trap), FreedError);
  assertThrows(
    () =>
      python.eval("1", {
        names: {
          block: alloc(Uint8Array, 1),
          trap: {
            get x() {
              throw new FreedError("x");
            },
          },
        },
      }),
    FreedError,
  );
  others.forEach((other) => other[Symbol.dispose]());
});

Deno.test("a value that changes while it is read is an error, or whole", () => {
  using same = python.eval("lambda value: value") as PyObjectRef;
  const map = new Map<string, unknown>([["a", 1]]);
  map.set("b", {
    get x() {
      map.set("c", 1);
      return 1;
    },
  });
  assertEquals(
    assertThrows(() => same.call(map), ConversionError).reason,
    "changed",
  );
  const array: unknown[] = [1, {
    get x() {
      array.length = 2;
      return 1;
    },
  }, 3];
  const error = assertThrows(() => same.call(array), ConversionError);
  assertEquals(error.path, "$[2]");
  using scope = new PythonScope();
  python.run(
    `
    class Changing:
        def __init__(self, change): self.__dict__["change"] = change
    from types import SimpleNamespace
    class Trap(SimpleNamespace):
        @property
        def __dict__(self):
            changed[len(changed)] = 1
            return {}
    changed = {0: 1}
    changed[1] = Trap()
    listed = [1]
    class ListTrap(SimpleNamespace):
        @property
        def __dict__(self):
            listed.append(2)
            return {}
    listed.append(ListTrap())
    `,
    { scope },
  );
  for (const name of ["changed", "listed"]) {
    using changing = scope.get(name) as PyObjectRef;
    // Without a GIL a copy is read, which doesn't change.
    if (!HAS_GIL) {
      const read = changing.toJs({ dict: "map" }) as Map<number, unknown>;
      assertEquals(name === "listed" ? [...read].length : read.size, 2);
      continue;
    }
    const error = assertThrows(
      () => changing.toJs({ dict: "map" }),
      ConversionError,
    );
    assertEquals(error.reason, "changed", name);
  }
});

Deno.test("thousands of shapes, and objects of thousands of keys, cross", () => {
  using same = python.eval("lambda value: value") as PyObjectRef;
  for (let round = 0; round < 5; round++) {
    const many = Array.from(
      { length: 5_000 },
      (_, index) => ({
        [`a${index}`]: 1,
        [`b${round}_${index}`]: { [`c${index}`]: index },
      }),
    );
    using reference = same.call(many) as PyObjectRef;
    assertEquals(JSON.stringify(reference.toJs()), JSON.stringify(many));
  }
  const wide = Object.fromEntries(
    Array.from({ length: 5_000 }, (_, index) => [`key${index}`, [index]]),
  );
  using reference = same.call(wide) as PyObjectRef;
  assertEquals(JSON.stringify(reference.toJs()), JSON.stringify(wide));
});

Deno.test("options of toJs say what dicts, ints, sets and other objects become", () => {
  using value = python.eval("{1: 2**60, 'x': {3}, (1, 2): 5}") as PyObjectRef;
  assertEquals(assertThrows(() => value.toJs(), ConversionError).reason, "key");
  assertEquals(
    value.toJs({ dict: "map", set: "array" }),
    new Map<unknown, unknown>([[1, 2n ** 60n], ["x", [3]], [[1, 2], 5]]),
  );
  using ints = python.eval("[1, 2**60]") as PyObjectRef;
  assertEquals(ints.toJs({ int: "bigint" }), [1n, 2n ** 60n]);
  const error = assertThrows(
    () => ints.toJs({ int: "number" }),
    ConversionError,
  );
  assertEquals([error.path, error.reason], ["$[1]", "range"]);
  using others = python.eval("{'a': [object, range(3)]}") as PyObjectRef;
  assertEquals(others.toJs({ other: "string" }), {
    a: ["<class 'object'>", "range(0, 3)"],
  });
  const paths: string[] = [];
  const converted = others.toJs<{ a: number[] }>({
    other(reference, path) {
      paths.push(path);
      using it = reference as PyObjectRef;
      return it.callable ? 1 : it.length;
    },
  });
  assertEquals([converted, paths], [{ a: [1, 3] }, ["$.a[0]", "$.a[1]"]]);
  const { a: [type] } = others.toJs<{ a: PyObjectRef[] }>({ other: "ref" });
  assert(type instanceof PyObjectRef && type.type === "type");
  for (
    const wrong of [{ dict: "list" }, { other: "no" }, { depth: 0 }, {
      depth: 1e9,
    }]
  ) {
    assertThrows(() => others.toJs(wrong as never), Error, "was given");
  }
});

Deno.test("a block in data is that block, and typed arrays come as blocks over a copy", () => {
  using same = python.eval("lambda value: value") as PyObjectRef;
  using block = alloc(Float64Array, [1, 2]);
  using reference = same.call({ block }) as PyObjectRef;
  assertStrictEquals(reference.toJs<{ block: unknown }>().block, block);
  const source = Float32Array.of(1, 2.5);
  using copied = same.call([
    source,
    new DataView(new ArrayBuffer(2)),
  ]) as PyObjectRef;
  source.fill(0);
  assertEquals(
    python.eval(
      "[bytes(memoryview(x[0])), x[1].__class__.__name__, memoryview(x[0])[1]]",
      { names: { x: copied }, toJs: true },
    ),
    [new Uint8Array(Float32Array.of(1, 2.5).buffer), "Block", 2.5],
  );
});

Deno.test("times and files cross as those of the other language", () => {
  using represent = python.eval("repr") as PyObjectRef;
  const cases: [object, string][] = [
    [
      new Date(-1),
      "datetime.datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=datetime.timezone.utc)",
    ],
    [
      Temporal.Instant.from("2026-01-02T03:04:05.123456789Z"),
      "datetime.datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=datetime.timezone.utc)",
    ],
    [
      Temporal.PlainDateTime.from("2026-01-02T03:04:05.5"),
      "datetime.datetime(2026, 1, 2, 3, 4, 5, 500000)",
    ],
    [Temporal.PlainDate.from("2026-01-02"), "datetime.date(2026, 1, 2)"],
    [Temporal.PlainTime.from("03:04"), "datetime.time(3, 4)"],
    [
      Temporal.Duration.from("-P1DT2H0.5S"),
      "datetime.timedelta(days=-2, seconds=79199, microseconds=500000)",
    ],
    [new URL("file:///tmp/%C3%BC"), "PosixPath('/tmp/ü')"],
  ];
  for (const [value, expected] of cases) {
    assertEquals(represent.call(value), expected);
  }
  for (
    const [value, reason] of [
      [new Date(NaN), "range"],
      [new Date(8.64e15), "range"],
      [Temporal.Duration.from("P1M"), "range"],
      [new URL("https://x.y"), "type"],
    ] as const
  ) {
    assertEquals(
      assertThrows(() => represent.call({ value }), ConversionError).reason,
      reason,
    );
  }
  const back = python.eval(
    "[datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc), datetime.datetime(2026, 1, 2, 3), datetime.date(2026, 1, 2), datetime.timedelta(hours=1, microseconds=5)]"
      .replaceAll("datetime.", "__import__('datetime')."),
    { toJs: true },
  );
  assertEquals(back as unknown, [
    new Date("2026-01-02T00:00Z"),
    "2026-01-02T03:00:00",
    "2026-01-02",
    "PT1H0.000005S",
  ]);
  const [instant, duration] = python.eval(
    "[__import__('datetime').datetime(2026, 1, 2, tzinfo=__import__('datetime').timezone.utc), __import__('datetime').timedelta(1)]",
    { toJs: { temporal: true } },
  ) as unknown as [Temporal.Instant, Temporal.Duration];
  assertEquals([`${instant}`, `${duration}`], ["2026-01-02T00:00:00Z", "P1D"]);
});

Deno.test("objects of classes that are data come as plain data", () => {
  using scope = new PythonScope();
  python.run(
    `
    import array, collections, dataclasses, enum, pathlib, types, uuid
    @dataclasses.dataclass
    class Point:
        x: int
        tags: list
    class Color(enum.Enum):
        RED = "red"
    class Text(str): pass
    Pair = collections.namedtuple("Pair", "one other")
    ordered = collections.OrderedDict(a=1, b=2)
    ordered.move_to_end("a")
    values = [Point(1, ["a"]), Color.RED, Text("t"), Pair(1, Pair(2, 3)), ordered,
        collections.defaultdict(list, k=[1]), types.SimpleNamespace(z=1), pathlib.Path("/x"),
        uuid.UUID(int=1), 1 + 2j, bytearray(b"ab"), memoryview(b"cd"), array.array("i", [1, 2]), frozenset([1]),
        types.SimpleNamespace(deep=Point(2, []))]
    `,
    { scope },
  );
  using values = scope.get("values") as PyObjectRef;
  const expected = [
    { x: 1, tags: ["a"] },
    "red",
    "t",
    { one: 1, other: { one: 2, other: 3 } },
    { b: 2, a: 1 },
    { k: [1] },
    { z: 1 },
    "/x",
    "00000000-0000-0000-0000-000000000001",
    { re: 1, im: 2 },
    Uint8Array.of(97, 98),
    Uint8Array.of(99, 100),
    Int32Array.of(1, 2),
    new Set([1]),
    { deep: { x: 2, tags: [] } },
  ];
  assertEquals(values.toJs() as unknown, expected as unknown);
});
