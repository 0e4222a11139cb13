import { assert, assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import {
  alloc,
  Block,
  FreedError,
  PyObjectRef,
  python,
  PythonScope,
  type PythonValue,
  type TypedArray,
} from "../../mod.ts";
import {
  collectGarbage,
  leavesNothingInPython,
  run,
} from "../support/helpers.ts";

const INT64_MAX = 2n ** 63n - 1n;
const HUGE = 7n ** 6_000n; // about 5,000 digits, more than Python's limit for decimal digits

/** A value, what it is in Python, and what it is when it comes back, where that is another. */
type Row = [value: PythonValue, expression: string, back?: PythonValue];

const ROWS: Row[] = [
  [null, "None"],
  [true, "True"],
  [false, "False"],

  [0, "0"],
  [1, "1"],
  [-1, "-1"],
  [255, "255"],
  [2 ** 31, "2**31"],
  [-(2 ** 31) - 1, "-2**31 - 1"],
  [2 ** 32, "2**32"],
  [Number.MAX_SAFE_INTEGER, "2**53 - 1"],
  [Number.MIN_SAFE_INTEGER, "1 - 2**53"],

  [-0, "-0.0"],
  [0.5, "0.5"],
  [-1.1, "-1.1"],
  [0.1 + 0.2, "0.1 + 0.2"],
  [2 ** 53, "2.0**53"],
  [-(2 ** 53), "-2.0**53"],
  [2 ** 53 + 2, "2.0**53 + 2"],
  [1e300, "1e300"],
  [Number.MAX_VALUE, "1.7976931348623157e308"],
  [Number.MIN_VALUE, "5e-324"],
  [Infinity, "float('inf')"],
  [-Infinity, "-float('inf')"],
  [NaN, "float('nan')"],

  [0n, "0", 0],
  [-5n, "-5", -5],
  [2n ** 53n - 1n, "2**53 - 1", Number.MAX_SAFE_INTEGER],
  [1n - 2n ** 53n, "1 - 2**53", Number.MIN_SAFE_INTEGER],
  [2n ** 53n, "2**53"],
  [-(2n ** 53n), "-2**53"],
  [2n ** 53n + 1n, "2**53 + 1"],
  [-(2n ** 53n) - 1n, "-2**53 - 1"],
  [INT64_MAX, "2**63 - 1"],
  [INT64_MAX + 1n, "2**63"],
  [INT64_MAX + 2n, "2**63 + 1"],
  [-INT64_MAX, "1 - 2**63"],
  [-INT64_MAX - 1n, "-2**63"],
  [-INT64_MAX - 2n, "-2**63 - 1"],
  [2n ** 64n - 1n, "2**64 - 1"],
  [2n ** 64n, "2**64"],
  [-(2n ** 64n), "-2**64"],
  [2n ** 64n + 1n, "2**64 + 1"],
  [2n ** 128n - 1n, "2**128 - 1"],
  [-(2n ** 128n), "-2**128"],
  [0xf0000000000000000n, "0xf0000000000000000"],
  [HUGE, "7**6000"],
  [-HUGE, "-7**6000"],
  [2n ** 100_000n, "2**100000"],
  [1n - 2n ** 100_000n, "1 - 2**100000"],

  ["", "''"],
  ["a", "'a'"],
  ["\0", "chr(0)"],
  ["a\0b\0", "'a' + chr(0) + 'b' + chr(0)"],
  ["\ufeff", "chr(0xfeff)"],
  ["\ufefftext", "chr(0xfeff) + 'text'"],
  ["\ufffetext", "chr(0xfffe) + 'text'"],
  ["\uffff", "chr(0xffff)"],
  ["\x7f\x80\xff\u0100", "''.join(map(chr, (0x7f, 0x80, 0xff, 0x100)))"],
  ["größe", "'gr' + chr(246) + chr(223) + 'e'"],
  ["日本", "chr(0x65e5) + chr(0x672c)"],
  ["\ud7ff\ue000", "chr(0xd7ff) + chr(0xe000)"],
  ["😀", "chr(0x1f600)"],
  ["a😀é", "'a' + chr(0x1f600) + chr(0xe9)"],
  ["\u{10000}\u{10ffff}", "chr(0x10000) + chr(0x10ffff)"],
  ["e\u0301", "'e' + chr(0x301)"],
  ["line\r\nline\n\ttab\\'\"", `"line\\r\\nline\\n\\ttab\\\\'\\""`],

  [new Uint8Array(), "b''"],
  [new Uint8Array([0]), "bytes(1)"],
  [Uint8Array.from({ length: 256 }, (_, byte) => byte), "bytes(range(256))"],
];

/** Evaluates in a fresh scope that holds the names. */
function evaluate(
  source: string,
  names?: Record<string, PythonValue>,
): PythonValue {
  return python.eval(source, { names });
}

/** How a row's value is told in a failure. */
function shown(value: PythonValue): string {
  return Deno.inspect(value, { strAbbreviateSize: 40 }).slice(0, 80);
}

Deno.test("each value goes to Python as what the table says", () => {
  for (const [value, expression] of ROWS) {
    // The representation tells 0.0 from -0.0, and a nan is a nan.
    const same = evaluate(
      `type(value) is type(${expression}) and (value == (${expression}) or value != value)` +
        ` and (type(value) is not float or repr(value) == repr(${expression}))`,
      { value },
    );
    assertEquals(same, true, `${shown(value)} as ${expression}`);
  }
});

Deno.test("each value comes from Python as what the table says", () => {
  for (const [value, expression, back] of ROWS) {
    assertEquals(python.eval(expression), back ?? value, expression);
  }
});

Deno.test("each value comes back the same by every way that there is", () => {
  using scope = new PythonScope();
  python.run(
    `
    def same(value): return value
    class Box:
        def __init__(self, value): self.value = value
    `,
    { scope },
  );
  using same = scope.get("same") as PyObjectRef;
  using makeBox = scope.get("Box") as PyObjectRef;
  for (const [value, , back = value] of ROWS) {
    assertEquals(evaluate("value", { value }), back);
    assertEquals(same.call(value), back);
    python.run("pass", { scope, names: { value } });
    assertEquals(scope.get("value"), back);
    using box = makeBox.call(value) as PyObjectRef;
    assertEquals(box.get("value"), back);
  }
});

Deno.test("a float that is whole comes as a number, whatever its size", () => {
  assertEquals(python.eval("3.0"), 3);
  assertEquals(python.eval("2.0**53"), 2 ** 53);
  assertEquals(python.eval("2.0**64"), 2 ** 64);
  assertEquals(python.eval("1e22"), 1e22);
});

Deno.test("an integer is never rounded", () => {
  for (let power = 50n; power < 70n; power++) {
    for (let offset = -3n; offset <= 3n; offset++) {
      for (const sign of [1n, -1n]) {
        const integer = sign * (2n ** power + offset);
        const back = evaluate(`${integer}`);
        assertEquals(BigInt(back as number | bigint), integer);
        assertEquals(typeof back === "number", Number.isSafeInteger(back));
        assertEquals(evaluate(`x == ${integer}`, { x: integer }), true);
      }
    }
  }
});

Deno.test("integers of every length in words cross, with zeroes within", () => {
  for (let bits = 60n; bits < 400n; bits += 1n) {
    const integer = 2n ** bits + 2n ** (bits / 2n);
    assertEquals(evaluate("x", { x: integer }), integer);
    assertEquals(evaluate("-x", { x: integer }), -integer);
  }
});

Deno.test("an integer of more digits than Python prints crosses", () => {
  const huge = 10n ** 50_000n + 7n;
  assertEquals(evaluate("x == 10**50000 + 7", { x: huge }), true);
  assert(python.eval("-(10**50000 + 7)") === -huge);
});

Deno.test("a random number crosses bit by bit", () => {
  const bits = new BigUint64Array(1);
  const number = new Float64Array(bits.buffer);
  for (let round = 0; round < 500; round++) {
    crypto.getRandomValues(bits);
    const [value] = number;
    assert(Object.is(evaluate("x", { x: value }), value), `${value}`);
  }
});

Deno.test("strings of every length around a buffer's cross", () => {
  // Units of UTF-16; characters of one and of two, and pairs at every place.
  for (const character of ["a", "é", "日", "😀"]) {
    for (let length = 120; length <= 136; length++) {
      for (const start of ["", "x"]) {
        const text = start + character.repeat(length);
        assertEquals(evaluate("x", { x: text }), text);
        assertEquals(evaluate("len(x)", { x: text }), [...text].length);
      }
    }
  }
  for (const length of [255, 256, 257, 4095, 4096, 4097, 65535, 65536]) {
    const text = "b".repeat(length - 1) + "c";
    assertEquals(evaluate("x", { x: text }), text);
  }
});

Deno.test("a string is the same characters to Python", () => {
  const text = String.fromCodePoint(
    ...Array.from({ length: 1_000 }, (_, index) => index * 1_103 % 0x110000)
      .filter((point) => point < 0xd800 || point > 0xdfff),
  );
  assertEquals(
    evaluate("','.join(str(ord(c)) for c in text)", { text }),
    [...text].map((character) => character.codePointAt(0)).join(),
  );
});

Deno.test("strings that JavaScript puts together or takes out of others cross", () => {
  const long = "0123456789".repeat(1_000);
  const names = {
    rope: long + "é" + long,
    slice: long.slice(3, 9_000),
    pair: "😀".repeat(100).slice(2, 100),
  };
  for (const [name, value] of Object.entries(names)) {
    assertEquals(evaluate(name, names), value);
  }
});

Deno.test("strings and bytes of megabytes cross", () => {
  for (const character of ["a", "é", "日", "😀"]) {
    const text = character.repeat(1_500_000);
    assert(evaluate("x", { x: text }) === text);
    assertEquals(evaluate("len(x)", { x: text }), 1_500_000);
  }
  const bytes = Uint8Array.from({ length: 8_000_000 }, (_, at) => at % 251);
  const back = evaluate("x", { x: bytes }) as Uint8Array;
  assert(Buffer.compare(back, bytes) === 0);
  assertEquals(
    evaluate("x == (bytes(range(251)) * 40_000)[:len(x)]", { x: bytes }),
    true,
  );
});

Deno.test("an integer or a string that is too large for JavaScript is a RangeError", () => {
  assertThrows(() => python.eval("1 << (1 << 30)"), RangeError, "too large");
  assertThrows(() => python.eval("'x' * (1 << 29)"), RangeError, "too large");
  assertEquals(python.eval("1"), 1);
});

Deno.test({
  name:
    "strings come back up to V8's own limit, whatever characters they are made of",
  ignore: Deno.build.os === "windows",
  async fn() {
    // Each is longer than V8 lets UTF-8 be, and all but the last ones fit.
    const { stdout, stderr } = await run(`
      import { python } from "@oneheap/oneheap";
      for (const code of [
        "'é' * 270_000_000", "'日' * 180_000_000", "chr(0xd800) * 2 + 'é' * 270_000_000",
        "'x' * (2**29 - 24)", "'x' * (2**29 - 23)", "'😀' * (2**28 - 11)",
      ]) {
        try {
          const text = python.eval(code) as string;
          console.log(text.length, text[0] === text.at(-1));
        } catch (error) {
          console.log((error as Error).name);
        }
      }
    `);
    assertEquals(stderr, "");
    assertEquals(stdout.trim().split("\n"), [
      "270000000 true",
      "180000000 true",
      "270000002 false",
      "536870888 true",
      "RangeError",
      "RangeError",
    ]);
  },
});

Deno.test("bytes are those of the view, not of its buffer", () => {
  const buffer = Uint8Array.from({ length: 10 }, (_, at) => at).buffer;
  const cases: [Uint8Array, number[]][] = [
    [new Uint8Array(buffer, 3), [3, 4, 5, 6, 7, 8, 9]],
    [new Uint8Array(buffer, 3, 2), [3, 4]],
    [new Uint8Array(buffer, 10), []],
    [new Uint8Array(buffer).subarray(2, 5).subarray(1), [3, 4]],
  ];
  for (const [view, bytes] of cases) {
    assertEquals(evaluate("x", { x: view }), new Uint8Array(bytes));
  }
});

Deno.test("bytes of every kind of memory go to Python", () => {
  const shared = new Uint8Array(new SharedArrayBuffer(6), 1, 3).fill(7);
  assertEquals(evaluate("x", { x: shared }), new Uint8Array([7, 7, 7]));
  const memory = new WebAssembly.Memory({ initial: 1 });
  const ofWasm = new Uint8Array(memory.buffer, 8, 2).fill(5);
  assertEquals(evaluate("x", { x: ofWasm }), new Uint8Array([5, 5]));
  const buffer = Buffer.from("node's");
  assertEquals(evaluate("x.decode()", { x: buffer }), "node's");
  class Own extends Uint8Array {}
  assertEquals(evaluate("x[0]", { x: new Own([3]) }), 3);
  using block = alloc(Uint8Array, [1, 2, 3]);
  assertEquals(
    evaluate("type(x).__name__", { x: block.view.subarray(1) }),
    "bytes",
  );
  assertEquals(
    evaluate("x", { x: block.view.subarray(1) }),
    new Uint8Array([2, 3]),
  );
});

Deno.test("bytes of memory that was resized or detached are those that are left", () => {
  const resizable = new ArrayBuffer(8, { maxByteLength: 16 });
  const tracking = new Uint8Array(resizable, 2);
  const fixed = new Uint8Array(resizable, 4, 4);
  tracking.fill(1);
  resizable.resize(16);
  assertEquals(evaluate("len(x)", { x: tracking }), 14);
  assertEquals(evaluate("len(x)", { x: fixed }), 4);
  resizable.resize(5);
  assertEquals(evaluate("x", { x: tracking }), new Uint8Array([1, 1, 1]));
  assertEquals(evaluate("x", { x: fixed }), new Uint8Array());
  const growable = new SharedArrayBuffer(2, { maxByteLength: 4 });
  const grown = new Uint8Array(growable);
  growable.grow(4);
  assertEquals(evaluate("len(x)", { x: grown }), 4);
  const detached = new Uint8Array(5).fill(1);
  structuredClone(detached, { transfer: [detached.buffer] });
  assertEquals(evaluate("x", { x: detached }), new Uint8Array());
});

Deno.test("bytes are copied both ways", () => {
  using scope = new PythonScope();
  const bytes = new Uint8Array([1, 2, 3]);
  python.run("pass", { scope, names: { bytes } });
  bytes[0] = 9;
  const back = scope.get("bytes") as Uint8Array<ArrayBuffer>;
  assertEquals(back, new Uint8Array([1, 2, 3]));
  back[1] = 9;
  assertEquals(scope.get("bytes"), new Uint8Array([1, 2, 3]));
  assertEquals(back.byteOffset, 0);
  assertEquals(back.buffer.byteLength, 3);
  const moved = structuredClone(back, { transfer: [back.buffer] });
  assertEquals([...moved], [1, 9, 3]);
  assertEquals(back.length, 0);
});

Deno.test("bytes outlive the scope that they came from", () => {
  let bytes: Uint8Array;
  {
    using scope = new PythonScope();
    python.run("data = b'abc' * 100_000", { scope });
    bytes = scope.get("data") as Uint8Array;
  }
  collectGarbage();
  python.run("import gc; gc.collect(); other = [b'xyz' * 100_000] * 9");
  assertEquals(new TextDecoder().decode(bytes), "abc".repeat(100_000));
});

Deno.test("a block goes without a copy, and comes back as the same block", () => {
  using block = alloc(Float64Array, [1, 2, 3]);
  assertEquals(evaluate("type(x).__name__", { x: block }), "Block");
  assertEquals(evaluate("sum(memoryview(x))", { x: block }), 6);
  const back = evaluate("x", { x: block });
  assert(back instanceof Block && back === (block as Block<TypedArray>));
});

Deno.test("any other object comes as a reference, and goes back as itself", () => {
  using scope = new PythonScope();
  const others = [
    "[1]",
    "(1, 2)",
    "{'a': 1}",
    "{1}",
    "frozenset()",
    "1j",
    "range(3)",
    "...",
    "NotImplemented",
    "bytearray(b'a')",
    "memoryview(b'a')",
    "int",
    "len",
    "lambda: 1",
    "__import__('sys')",
    "object()",
    "ValueError(1)",
    "__import__('decimal').Decimal(1)",
    "__import__('fractions').Fraction(1)",
    "__import__('datetime').date(2020, 1, 1)",
  ];
  for (const expression of others) {
    python.run(`value = ${expression}`, { scope });
    using value = scope.get("value") as PyObjectRef;
    assert(value instanceof PyObjectRef, expression);
    assertEquals(
      python.eval("given is value", { scope, names: { given: value } }),
      true,
      expression,
    );
  }
});

Deno.test("an object of a subclass comes as a reference, so that nothing of it is lost", () => {
  const objects = [
    "type('Own', (int,), {})(5)",
    "type('Own', (float,), {})(1.5)",
    "type('Own', (str,), {})('a')",
    "type('Own', (bytes,), {})(b'a')",
    "__import__('enum').IntEnum('Colour', 'RED').RED",
    "__import__('signal').SIGINT",
    "__import__('http').HTTPStatus.OK",
  ];
  for (const expression of objects) {
    using value = python.eval(expression) as PyObjectRef;
    assert(value instanceof PyObjectRef, expression);
  }
  using own = python.eval(objects[0]) as PyObjectRef;
  assertEquals(evaluate("own + 1", { own }), 6);
});

Deno.test("what only calls itself NumPy changes no value, and none of its code runs", () => {
  using scope = new PythonScope();
  python.run(
    `
    import sys, types
    NAMES = "generic", "number", "timedelta64", "bool_", "str_", "bytes_"
    ran = []
    class Raising:
        def __getattr__(self, name):
            ran.append(name)
            raise SystemExit(name)
    class Lazy(types.ModuleType):
        def __getattribute__(self, name):
            ran.append(name)
            raise MemoryError(name)
    class Checking(type):
        def __instancecheck__(self, instance):
            ran.append("instancecheck")
            return True
    class generic(metaclass=Checking):
        def item(self):
            ran.append("item")
            return 5
    for name in NAMES[1:]:
        globals()[name] = Checking(name, (generic,), {})
    class Own(number): pass
    def module(**names):
        module = types.ModuleType("numpy")
        vars(module).update(names)
        return module
    fakes = [
        None, 5, [], {}, Raising(), Lazy("numpy"),
        module(),
        module(**dict.fromkeys(NAMES, object)),
        module(**dict.fromkeys(NAMES, 5)),
        module(**dict.fromkeys(NAMES, complex)),
        module(**{name: globals()[name] for name in NAMES}),
        module(__getattr__=lambda name: ran.append(name)),
    ]
    `,
    { scope },
  );
  const objects = ["number()", "Own()", "1j", "object()", "Raising()", "[1]"];
  const count = python.eval("len(fakes)", { scope }) as number;
  try {
    for (let fake = 0; fake < count; fake++) {
      python.run("sys.modules['numpy'] = fakes[fake]", {
        scope,
        names: { fake },
      });
      for (const expression of objects) {
        using object = python.eval(expression, { scope }) as PyObjectRef;
        assert(object instanceof PyObjectRef, `${expression}, fake ${fake}`);
      }
      assertEquals(python.eval("2.5"), 2.5);
    }
  } finally {
    python.run("del sys.modules['numpy']", { scope });
  }
  assertEquals(python.eval("str(ran)", { scope }), "[]");
});

Deno.test("a bool is no int, and an int no bool", () => {
  assertEquals(evaluate("x is True", { x: true }), true);
  assertEquals(evaluate("x is True", { x: 1 }), false);
  assertEquals(python.eval("True"), true);
  assertEquals(python.eval("1 == 1"), true);
  assertEquals(python.eval("True + 0"), 1);
});

Deno.test("a value without a counterpart is a TypeError that says what to give", () => {
  using same = python.eval("lambda value: value") as PyObjectRef;
  using scope = new PythonScope();
  const lists =
    "null, a boolean, a number, a bigint, a string, a Uint8Array, a Block or a PyObjectRef";
  const cases: [unknown, string][] = [
    [undefined, "Give null for None"],
    [[1, 2], "Give alloc(type, elements)"],
    [new Float64Array(2), "Give alloc(type, elements)"],
    [new Uint8ClampedArray(2), "Give alloc(type, elements)"],
    [new Int8Array(2), "Give alloc(type, elements)"],
    [new DataView(new ArrayBuffer(2)), "DataView"],
    [new ArrayBuffer(2), "an object (ArrayBuffer) was given"],
    [new SharedArrayBuffer(2), "an object (SharedArrayBuffer) was given"],
    [{}, "an object (Object) was given"],
    [Object.create(null), "an object (no class) was given"],
    [new Date(), "an object (Date) was given"],
    [new Map(), "an object (Map) was given"],
    [new String("a"), "an object (String) was given"],
    [Object(1n), "an object (BigInt) was given"],
    [Promise.resolve(1), "an object (Promise) was given"],
    [scope, "an object (PythonScope) was given"],
    [Deno.UnsafePointer.of(new Uint8Array(1)), "was given"],
    [Symbol("s"), "Symbol(s) was given"],
    [() => 1, "was given"],
    [class {}, "was given"],
  ];
  for (const [value, hint] of cases) {
    const given = value as PythonValue;
    for (
      const give of [
        () => same.call(given),
        () => same.call(1, given),
        () => evaluate("x", { x: given }),
      ]
    ) {
      const error = assertThrows(give, TypeError, lists);
      assert(error.message.includes(hint), error.message);
    }
  }
  assertEquals(same.call(1), 1);
});

Deno.test("what only looks like a value is refused", () => {
  const fakes = [
    Object.create(Uint8Array.prototype),
    new Proxy(new Uint8Array(2), {}),
    Object.create(PyObjectRef.prototype),
    Object.create(Block.prototype),
  ];
  for (const fake of fakes) {
    assertThrows(() => evaluate("x", { x: fake }), Error);
  }
  assertEquals(python.eval("1"), 1);
});

Deno.test("a block that is freed and a reference that is disposed are FreedErrors", () => {
  const block = alloc(Uint8Array, 3);
  block.free();
  const reference = python.eval("[]") as PyObjectRef;
  reference[Symbol.dispose]();
  using list = python.eval("[]") as PyObjectRef;
  using append = list.get("append") as PyObjectRef;
  for (const gone of [block, reference]) {
    assertThrows(() => evaluate("x", { x: gone }), FreedError);
    assertThrows(() => append.call(gone), FreedError);
  }
  assertEquals(`${list}`, "[]");
});

/** Strings with halves of surrogate pairs, as code points of Python's. */
const LONE_SURROGATES: [text: string, points: number[]][] = [
  ["\ud800", [0xd800]],
  ["\udfff", [0xdfff]],
  ["a\udc00b", [0x61, 0xdc00, 0x62]],
  ["\udc00\ud800", [0xdc00, 0xd800]],
  ["😀\ud83d", [0x1f600, 0xd83d]],
  ["\ude00😀", [0xde00, 0x1f600]],
  ["\ufeff\ud800", [0xfeff, 0xd800]],
  ["\ud800é\ud800日", [0xd800, 0xe9, 0xd800, 0x65e5]],
];

Deno.test("lone surrogates go to Python and come back as they are", () => {
  using scope = new PythonScope();
  using same = python.eval("lambda value: value") as PyObjectRef;
  for (const [text, points] of LONE_SURROGATES) {
    const long = "x".repeat(200) + text;
    const made = `''.join(map(chr, ${JSON.stringify(points)}))`;
    assertEquals(evaluate(`x == ${made}`, { x: text }), true, made);
    assertEquals(evaluate(`x == 'x' * 200 + ${made}`, { x: long }), true, made);
    assert(python.eval(made) === text, made);
    for (const value of [text, long, text.repeat(70_000)]) {
      assert(same.call(value) === value, made);
      python.run("pass", { scope, names: { value } });
      assert(scope.get("value") === value, made);
    }
  }
});

Deno.test("halves of a pair that Python has apart are a pair to JavaScript", () => {
  assertEquals(python.eval("chr(0xd83d) + chr(0xde00)"), "😀");
  assertEquals(evaluate("len(x)", { x: "😀" }), 1);
});

Deno.test("strings of every width around the length from which they aren't copied come back", () => {
  using ctypes = python.eval("__import__('ctypes')") as PyObjectRef;
  using api = ctypes.get("pythonapi") as PyObjectRef;
  for (const character of ["a", "é", "日", "😀", "a日", "é😀", "\ud800"]) {
    const { length } = [...character];
    for (const offset of [-1, 0, 1]) {
      const count = Math.floor(65_536 / length) + offset;
      const text = character.repeat(count);
      assert(evaluate("x", { x: text }) === text, `${count} ${character}`);
    }
    const long = character.repeat(200_000);
    assert(evaluate("x", { x: long }) === long, character);
    assert(evaluate("x + 'é'", { x: long }) === long + "é", character);
    if (character === "\ud800") continue;
    // A string of which Python keeps the UTF-8 too takes more memory.
    const kept = evaluate(
      "[x, api.PyUnicode_AsUTF8(ctypes.py_object(x))][0]",
      { x: long, api, ctypes },
    );
    assert(kept === long, character);
  }
});

Deno.test("values leave nothing in Python", async () => {
  using same = python.eval("lambda *values: values[0]") as PyObjectRef;
  const rows = ROWS.filter(([, expression]) => !expression.includes("100000"));
  await leavesNothingInPython(() => {
    for (const [value] of rows) {
      evaluate("value", { value });
      same.call(value, value);
    }
    const list = python.eval("[1]") as PyObjectRef;
    evaluate("list", { list });
    list[Symbol.dispose]();
  }, { repetitions: 300, warmUp: 20 });
});

Deno.test("values that don't go leave nothing in Python", async () => {
  using same = python.eval("lambda *values: values[0]") as PyObjectRef;
  const values = [[1.5, "text", []], [2n ** 70n, undefined]];
  await leavesNothingInPython(() => {
    for (const [good, ...bad] of values as PythonValue[][]) {
      assertThrows(() => same.call(good, ...bad));
      const names = { good, list: same, bad: bad.at(-1)! };
      assertThrows(() => evaluate("good", names));
    }
  });
});

Deno.test("large values leave no memory behind", () => {
  const bytes = new Uint8Array(4_000_000).fill(1);
  const text = "x".repeat(4_000_000);
  const cross = (times: number) => {
    for (let time = 0; time < times; time++) {
      evaluate("x", { x: bytes });
      evaluate("x", { x: text });
      if (time % 5 === 0) collectGarbage();
    }
    collectGarbage();
  };
  cross(10);
  const before = Deno.memoryUsage().rss;
  cross(50);
  const grown = Deno.memoryUsage().rss - before;
  assert(
    grown < 100_000_000,
    `${grown} bytes more for 400,000,000 that crossed`,
  );
});
