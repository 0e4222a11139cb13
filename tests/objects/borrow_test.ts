/** Memory of Python objects as typed arrays: in place, held as long as JavaScript uses it, refused where it can't be shown. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  alloc,
  AllocationError,
  attach,
  BlockInUseError,
  type Borrowed,
  type BorrowSource,
  BufferError,
  type BufferErrorReason,
  FreedError,
  PyObjectRef,
  python,
  PythonError,
  PythonScope,
  stats,
  type TypedArray,
  type TypedArrayConstructor,
} from "../../mod.ts";
import { Fifo } from "../support/fifo.ts";
import {
  addressOf,
  assertPends,
  collectForAWhile,
  HoldingWorker,
} from "../support/holders.ts";
import { CONSTRUCTORS } from "../../ffi/elements.ts";
import {
  HAS_GIL,
  leavesNothingInPython,
  run,
  until,
} from "../support/helpers.ts";

/** Waits until the `bytearray` `it` of a scope can be resized, for nothing holds its buffer any more. */
async function untilGivenBack(scope: PythonScope, what: string): Promise<void> {
  await until(() => {
    try {
      python.run("it.append(1)", { scope });
      return true;
    } catch {
      return false;
    }
  }, what);
}

/** A scope with the modules that the expressions of these tests need. */
function newScope(): PythonScope {
  const scope = new PythonScope();
  python.run("import array, ctypes, io, mmap", { scope });
  return scope;
}

/** Borrows what an expression comes to. */
function borrow(expression: string): Borrowed<TypedArray> {
  using scope = newScope();
  return python.borrow(expression, { scope });
}

/** Fails unless the function is refused for that reason. */
function assertRefused(
  run: () => unknown,
  reason: BufferErrorReason,
): BufferError {
  const error = assertThrows(run, BufferError);
  assertEquals(error.reason, reason);
  return error;
}

/** Fails unless the function raises in Python. */
function assertRaises(run: () => unknown, type: string): void {
  assertEquals(assertThrows(run, PythonError).type, type);
}

/** What is borrowed, and what comes of it: the view, the format in Python's words, the shape. */
type Row = [
  expression: string,
  view: TypedArray,
  format: string,
  shape: number[],
];

/** C's long, which has 8 bytes but on Windows. */
const LONG = python.eval(
  "__import__('ctypes').sizeof(__import__('ctypes').c_long)",
);
const LONGS = LONG === 8 ? new BigInt64Array([1n, 2n]) : new Int32Array([1, 2]);
const ULONGS = LONG === 8
  ? new BigUint64Array([1n, 2n])
  : new Uint32Array([1, 2]);

const ROWS: Row[] = [
  ["bytearray(b'abc')", Uint8Array.of(97, 98, 99), "B", [3]],
  ["memoryview(bytearray(b'abc'))", Uint8Array.of(97, 98, 99), "B", [3]],
  ["memoryview(bytearray(b'abcde'))[1:4]", Uint8Array.of(98, 99, 100), "B", [
    3,
  ]],
  ["io.BytesIO(b'abc').getbuffer()", Uint8Array.of(97, 98, 99), "B", [3]],

  ["array.array('b', [-1, 2])", Int8Array.of(-1, 2), "b", [2]],
  ["array.array('B', [1, 255])", Uint8Array.of(1, 255), "B", [2]],
  ["array.array('h', [-1, 2])", Int16Array.of(-1, 2), "h", [2]],
  ["array.array('H', [1, 65535])", Uint16Array.of(1, 65535), "H", [2]],
  ["array.array('i', [-1, 2])", Int32Array.of(-1, 2), "i", [2]],
  ["array.array('I', [1, 2**32 - 1])", Uint32Array.of(1, 2 ** 32 - 1), "I", [
    2,
  ]],
  ["array.array('l', [1, 2])", LONGS, "l", [2]],
  ["array.array('L', [1, 2])", ULONGS, "L", [2]],
  ["array.array('q', [-1, 2**62])", BigInt64Array.of(-1n, 2n ** 62n), "q", [2]],
  ["array.array('Q', [1, 2**63])", BigUint64Array.of(1n, 2n ** 63n), "Q", [2]],
  ["array.array('f', [0.5, -1])", Float32Array.of(0.5, -1), "f", [2]],
  ["array.array('d', [0.1, -1])", Float64Array.of(0.1, -1), "d", [2]],

  [
    "memoryview(bytearray(range(6))).cast('b')",
    Int8Array.of(0, 1, 2, 3, 4, 5),
    "b",
    [6],
  ],
  [
    "memoryview(bytearray(range(6))).cast('c')",
    Uint8Array.of(0, 1, 2, 3, 4, 5),
    "c",
    [6],
  ],
  ["memoryview(bytearray(2)).cast('?')", Uint8Array.of(0, 0), "?", [2]],
  [
    "memoryview(bytearray(range(6))).cast('@H')",
    Uint16Array.of(256, 770, 1284),
    "@H",
    [3],
  ],
  ["memoryview(bytearray(8)).cast('n')", BigInt64Array.of(0n), "n", [1]],
  ["memoryview(bytearray(8)).cast('N')", BigUint64Array.of(0n), "N", [1]],
  [
    "memoryview(bytearray(range(6))).cast('B', (2, 3))",
    Uint8Array.of(0, 1, 2, 3, 4, 5),
    "B",
    [2, 3],
  ],
  ["memoryview(bytearray(24)).cast('h', (2, 3, 2))", new Int16Array(12), "h", [
    2,
    3,
    2,
  ]],
  ["memoryview(bytearray(8)).cast('d', ())", Float64Array.of(0), "d", []],
  ["memoryview(bytearray(8)).cast('d', (1, 1, 1))", Float64Array.of(0), "d", [
    1,
    1,
    1,
  ]],

  ["(ctypes.c_double * 2)(0.5, 2)", Float64Array.of(0.5, 2), "<d", [2]],
  ["(ctypes.c_float * 2)(0.5, 2)", Float32Array.of(0.5, 2), "<f", [2]],
  ["(ctypes.c_int16 * 2)(-1, 2)", Int16Array.of(-1, 2), "<h", [2]],
  ["(ctypes.c_uint32 * 2)(1, 2)", Uint32Array.of(1, 2), "<I", [2]],
  ["(ctypes.c_longlong * 2)(1, -2)", BigInt64Array.of(1n, -2n), "<q", [2]],
  ["(ctypes.c_bool * 2)(True, False)", Uint8Array.of(1, 0), "<?", [2]],
  ["ctypes.create_string_buffer(b'ab')", Uint8Array.of(97, 98, 0), "<c", [3]],
  [
    "((ctypes.c_int32 * 3) * 2)((1, 2, 3), (4, 5, 6))",
    Int32Array.of(1, 2, 3, 4, 5, 6),
    "<i",
    [2, 3],
  ],
  ["ctypes.c_double(2.5)", Float64Array.of(2.5), "<d", []],
  // A byte has no order.
  ["(ctypes.c_uint8.__ctype_be__ * 2)(1, 2)", Uint8Array.of(1, 2), "<B", [2]],
];

for (const [expression, view, format, shape] of ROWS) {
  Deno.test(`${expression} is borrowed as ${view.constructor.name} of shape [${shape.join(", ")}]`, () => {
    using borrowed = borrow(expression);
    assertEquals(borrowed.view, view);
    assertEquals(borrowed.format, format);
    assertEquals(borrowed.shape, shape);
    assert(Object.isFrozen(borrowed.shape));
    assertEquals([borrowed.copied, borrowed.disposed], [false, false]);
  });
}

Deno.test("a mmap is borrowed", () => {
  using scope = newScope();
  python.run("m = mmap.mmap(-1, 10_000); m[:3] = b'abc'", { scope });
  {
    using borrowed = python.borrow("m", { scope });
    assertEquals(borrowed.shape, [10_000]);
    assertEquals([...borrowed.view.subarray(0, 4)], [97, 98, 99, 0]);
    borrowed.view[9_999] = 7;
    assertEquals(python.eval("m[-1]", { scope }), 7);
    assertRaises(() => python.run("m.close()", { scope }), "BufferError");
  }
  python.run("m.close()", { scope });
  assertRaises(() => python.borrow("m", { scope }), "ValueError");
});

/** Objects, and their address in their own words. */
const ADDRESSES: [source: string, address: string][] = [
  ["bytearray(64)", "ctypes.addressof(ctypes.c_char.from_buffer(it))"],
  [
    "memoryview(bytearray(64))[5:]",
    "ctypes.addressof(ctypes.c_char.from_buffer(it))",
  ],
  ["array.array('d', [1] * 8)", "it.buffer_info()[0]"],
  ["(ctypes.c_int * 16)()", "ctypes.addressof(it)"],
  ["ctypes.c_double(1)", "ctypes.addressof(it)"],
  ["mmap.mmap(-1, 4096)", "ctypes.addressof(ctypes.c_char.from_buffer(it))"],
  [
    "io.BytesIO(bytes(64)).getbuffer()",
    "ctypes.addressof(ctypes.c_char.from_buffer(it))",
  ],
];

for (const [source, address] of ADDRESSES) {
  Deno.test(`the view is where ${source} is, and both see what the other writes`, () => {
    using scope = newScope();
    python.run(`it = ${source}`, { scope });
    using borrowed = python.borrow("it", { scope });
    assertEquals(
      addressOf(borrowed.view),
      python.eval(address, { scope }),
    );
    const bytes = new Uint8Array(
      borrowed.view.buffer,
      0,
      borrowed.view.byteLength,
    );
    bytes[3] = 77;
    assertEquals(python.eval("bytes(memoryview(it))[3]", { scope }), 77);
    python.run("memoryview(it).cast('B')[2] = 66", { scope });
    assertEquals(bytes[2], 66);
  });
}

Deno.test("memory is borrowed of an expression, a reference and a pointer", () => {
  using scope = newScope();
  python.run("it = bytearray(b'abc')", { scope });
  using reference = scope.get("it") as PyObjectRef;
  const sources: [BorrowSource, { scope?: PythonScope }][] = [
    ["it", { scope }],
    [reference, {}],
    [reference.pointer, {}],
    ["  it  ", { scope }],
  ];
  for (const [source, options] of sources) {
    using borrowed = python.borrow(source, options);
    assertEquals([...borrowed.view], [97, 98, 99]);
    using typed = python.borrow(source, Uint8Array, options);
    typed.view[0]++;
    typed.view[0]--;
    using clamped = python.borrow(source, Uint8ClampedArray, options);
    assert(clamped.view instanceof Uint8ClampedArray);
  }
});

Deno.test("memory is borrowed of names, in a scope or none", () => {
  using block = alloc(Float64Array, [1, 2, 3]);
  {
    using borrowed = python.borrow("memoryview(b)[1:]", Float64Array, {
      names: { b: block },
    });
    assertEquals(addressOf(borrowed.view), block.address + 8);
    borrowed.view[0] = 9;
    assertEquals([...block.view], [1, 9, 3]);
    assertThrows(() => block.realloc(4), BlockInUseError);
  }
  block.realloc(4);
});

Deno.test("what is no source is a TypeError", () => {
  using block = alloc(Uint8Array, 1);
  for (const source of [undefined, null, 5, 5n, {}, [], block, block.view]) {
    assertThrows(
      () => python.borrow(source as unknown as BorrowSource),
      TypeError,
    );
  }
  for (const type of [DataView, Array, "Uint8Array", 3, null]) {
    assertThrows(
      () =>
        python.borrow(
          "bytearray(8)",
          type as unknown as TypedArrayConstructor<TypedArray>,
          {},
        ),
      TypeError,
    );
  }
  const reference = python.eval("bytearray(8)") as PyObjectRef;
  reference[Symbol.dispose]();
  assertThrows(() => python.borrow(reference), FreedError);
});

Deno.test("an expression that raises, doesn't compile or has no buffer is a PythonError", () => {
  assertRaises(() => python.borrow("1 / 0"), "ZeroDivisionError");
  assertRaises(() => python.borrow("1 +"), "SyntaxError");
  assertRaises(() => python.borrow("nowhere"), "NameError");
  for (const expression of ["42", "None", "'text'", "[1, 2]", "object()"]) {
    assertRaises(() => python.borrow(expression), "TypeError");
    assertRaises(() => python.borrow(expression, { copy: true }), "TypeError");
  }
});

Deno.test("a memoryview that was released is a PythonError", () => {
  using scope = newScope();
  python.run("m = memoryview(bytearray(3)); m.release()", { scope });
  assertRaises(() => python.borrow("m", { scope }), "ValueError");
});

/** The constructors by the formats that they show. */
const FORMATS: Record<string, TypedArrayConstructor<TypedArray>[]> = {
  b: [Int8Array],
  B: [Uint8Array, Uint8ClampedArray],
  c: [Uint8Array, Uint8ClampedArray],
  h: [Int16Array],
  H: [Uint16Array],
  i: [Int32Array],
  I: [Uint32Array],
  f: [Float32Array],
  d: [Float64Array],
  q: [BigInt64Array],
  Q: [BigUint64Array],
};

Deno.test("the type that is asked for must be the format's", () => {
  using scope = newScope();
  for (const [format, fitting] of Object.entries(FORMATS)) {
    python.run(`it = memoryview(bytearray(16)).cast('${format}')`, { scope });
    for (const type of CONSTRUCTORS) {
      if (fitting.includes(type)) {
        using borrowed = python.borrow("it", type, { scope });
        assert(borrowed.view instanceof type);
        assertEquals(borrowed.view.byteLength, 16);
        continue;
      }
      const error = assertRefused(
        () => python.borrow("it", type, { scope, copy: true }),
        "element",
      );
      assertEquals(error.format, format);
      assertEquals(
        error.message,
        `The buffer of format "${format}" and shape [${error.shape}] can't be shown as a ${type.name}. ` +
          "Ask for the type that its format says, or for none",
      );
    }
  }
});

Deno.test("half floats are shown as a Float16Array", () => {
  // Python's own memoryview can't cast to them; a block can be one.
  using block = alloc(Float16Array, [0.5, -2]);
  using borrowed = python.borrow("b", { names: { b: block } });
  assert(borrowed.view instanceof Float16Array);
  assertEquals([...borrowed.view], [0.5, -2]);
  assertEquals(borrowed.format, "e");
});

/** What no typed array can show, with its format and shape. */
const NOT_SHOWN: [
  expression: string,
  format: string | RegExp,
  shape: number[],
][] = [
  ["(ctypes.c_int32.__ctype_be__ * 3)()", ">i", [3]],
  ["(ctypes.c_double.__ctype_be__ * 3)()", ">d", [3]],
  [
    "type('S', (ctypes.BigEndianStructure,), {'_fields_': [('a', ctypes.c_int16)]})()",
    "T{>h:a:}",
    [],
  ],
  [
    "(type('S', (ctypes.Structure,), {'_fields_': [('a', ctypes.c_uint8)]}) * 2)()",
    "T{<B:a:}",
    [2],
  ],
  [
    "type('U', (ctypes.Union,), {'_fields_': [('a', ctypes.c_int32)]})()",
    "B",
    [],
  ],
  ["(ctypes.c_void_p * 2)()", /P$/, [2]],
  ["(ctypes.POINTER(ctypes.c_int32) * 2)()", /&/, [2]],
  ["(ctypes.c_wchar * 2)()", /u$/, [2]],
  ["(ctypes.c_longdouble * 2)()", /g$|d$/, [2]],
  ["memoryview(bytearray(16)).cast('P')", "P", [2]],
];

for (const [expression, format, shape] of NOT_SHOWN) {
  Deno.test(`${expression} has elements that no typed array shows`, () => {
    using scope = newScope();
    const isDouble = expression.includes("longdouble") &&
      python.eval("ctypes.sizeof(ctypes.c_longdouble)", { scope }) === 8;
    if (isDouble) return;
    python.run(`it = ${expression}`, { scope });
    for (const copy of [false, true]) {
      const error = assertRefused(
        () => python.borrow("it", { scope, copy }),
        "format",
      );
      if (typeof format === "string") assertEquals(error.format, format);
      else assert(format.test(error.format), error.format);
      assertEquals(error.shape, shape);
      assert(error.message.includes(JSON.stringify(error.format)));
    }
    assertRefused(() => python.borrow("it", Uint8Array, { scope }), "format");
  });
}

Deno.test("text of an array has elements that no typed array shows", () => {
  using scope = newScope();
  python.run(
    `
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        it = array.array("u", "ab") if "u" in array.typecodes else array.array("w", "ab")
    `,
    { scope },
  );
  assertRefused(() => python.borrow("it", { scope }), "format");
});

/** What is refused as it is and can be copied, why, and what the copy has. */
const COPIED: [expression: string, BufferErrorReason, Row][] = [
  ["b'abc'", "readOnly", ["", Uint8Array.of(97, 98, 99), "B", [3]]],
  ["b''", "readOnly", ["", new Uint8Array(0), "B", [0]]],
  ["memoryview(b'abcd').cast('H')", "readOnly", [
    "",
    Uint16Array.of(25185, 25699),
    "H",
    [2],
  ]],
  ["memoryview(bytearray(b'ab')).toreadonly()", "readOnly", [
    "",
    Uint8Array.of(97, 98),
    "B",
    [2],
  ]],
  ["memoryview(bytes(range(6))).cast('B', (2, 3))", "readOnly", [
    "",
    Uint8Array.of(0, 1, 2, 3, 4, 5),
    "B",
    [2, 3],
  ]],
  ["memoryview(bytearray(range(10)))[::2]", "strides", [
    "",
    Uint8Array.of(0, 2, 4, 6, 8),
    "B",
    [5],
  ]],
  ["memoryview(bytearray(range(4)))[::-1]", "strides", [
    "",
    Uint8Array.of(3, 2, 1, 0),
    "B",
    [4],
  ]],
  ["memoryview(bytes(range(10)))[::3]", "strides", [
    "",
    Uint8Array.of(0, 3, 6, 9),
    "B",
    [4],
  ]],
  ["memoryview(array.array('d', [1, 2, 3]))[::2]", "strides", [
    "",
    Float64Array.of(1, 3),
    "d",
    [2],
  ]],
  ["memoryview(bytearray(range(9)))[1:].cast('d')", "alignment", [
    "",
    new Float64Array(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer),
    "d",
    [1],
  ]],
  ["memoryview(bytearray(range(5)))[1:].cast('h')", "alignment", [
    "",
    Int16Array.of(513, 1027),
    "h",
    [2],
  ]],
];

for (const [expression, reason, [, view, format, shape]] of COPIED) {
  Deno.test(`${expression} is refused for its ${reason}, and copied where that is allowed`, () => {
    using scope = newScope();
    python.run(`it = ${expression}`, { scope });
    const error = assertRefused(() => python.borrow("it", { scope }), reason);
    assertEquals([error.format, error.shape], [format, shape]);
    assert(error.message.includes("{ copy: true }"));
    using copied = python.borrow("it", { scope, copy: true });
    assertEquals(copied.view, view);
    assertEquals(copied.format, format);
    assertEquals(copied.shape, shape);
    assertEquals(copied.copied, true);
    if (view.length === 0) return;
    const before = python.eval("bytes(it)", { scope });
    (copied.view as Uint8Array).reverse();
    new Uint8Array(copied.view.buffer).fill(255);
    assertEquals(python.eval("bytes(it)", { scope }), before);
  });
}

Deno.test("what needn't be copied isn't, where it would be allowed", () => {
  using scope = newScope();
  python.run("it = bytearray(3)", { scope });
  using borrowed = python.borrow("it", { scope, copy: true });
  assertEquals(borrowed.copied, false);
  borrowed.view[0] = 1;
  assertEquals(python.eval("it[0]", { scope }), 1);
});

Deno.test("a copy holds nothing of Python's, and outlives the original", () => {
  using scope = newScope();
  python.run("it = bytearray(range(4))", { scope });
  using copied = python.borrow("memoryview(it)[::2]", { scope, copy: true });
  python.run("it.clear(); del it", { scope });
  assertEquals([...copied.view], [0, 2]);
  copied.view[0] = 5;
  copied[Symbol.dispose]();
  assertThrows(() => copied.view, FreedError);
});

/** Ways to resize objects that are borrowed. */
const RESIZED: [make: string, resize: string][] = [
  ["bytearray(3)", "it.append(1)"],
  ["bytearray(3)", "del it[0]"],
  ["bytearray(3)", "it.clear()"],
  ["bytearray()", "it.extend(b'abc')"],
  ["array.array('d', [1])", "it.append(2)"],
  ["array.array('d', [1])", "del it[0]"],
  ["array.array('d')", "it.append(2)"],
  ["io.BytesIO(b'abc').getbuffer()", "it.release()"],
  ["memoryview(bytearray(3))", "it.release()"],
  ["mmap.mmap(-1, 4096)", "it.close()"],
];

for (const [make, resize] of RESIZED) {
  Deno.test(`${make} refuses ${resize} while it is borrowed, and not after`, () => {
    using scope = newScope();
    python.run(`it = ${make}`, { scope });
    const attempt = () => python.run(resize, { scope });
    {
      using _borrowed = python.borrow("it", { scope });
      assertRaises(attempt, "BufferError");
      using _again = python.borrow("it", { scope });
      assertRaises(attempt, "BufferError");
    }
    attempt();
  });
}

Deno.test("what is refused holds nothing", () => {
  using scope = newScope();
  python.run("it = bytearray(range(9))", { scope });
  const refused: [string, BufferErrorReason][] = [
    ["memoryview(it)[::2]", "strides"],
    ["memoryview(it).toreadonly()", "readOnly"],
    ["memoryview(it)[1:].cast('d')", "alignment"],
    ["memoryview(it)[1:].cast('P')", "format"],
  ];
  for (const [expression, reason] of refused) {
    assertRefused(() => python.borrow(expression, { scope }), reason);
    python.run("it.append(1); it.pop()", { scope });
  }
  assertRefused(() => python.borrow("it", Float64Array, { scope }), "element");
  python.run("it.append(1)", { scope });
});

Deno.test("using gives the memory back at once, attached or not", () => {
  using scope = newScope();
  python.run("it = bytearray(3)", { scope });
  for (const attached of [false, true]) {
    using _attached = attached ? attach() : undefined;
    const borrowed = python.borrow("it", { scope });
    const { view } = borrowed;
    const part = view.subarray(1);
    borrowed[Symbol.dispose]();
    // Attached, no other thread of Python's can have done it.
    python.run("it.append(1)", { scope });
    assertEquals([view.length, part.length], [0, 0]);
    assert(view.buffer.detached);
    assertEquals(borrowed.disposed, true);
    const error = assertThrows(() => borrowed.view, FreedError);
    assertEquals(error.message, "This borrowed memory was released");
    borrowed[Symbol.dispose]();
    assertEquals(borrowed.disposed, true);
  }
});

Deno.test("using lets Python free the memory at once, without another call of Python's", () => {
  const { blocks } = stats();
  const block = alloc(Uint8Array, 5_000);
  const borrowed = python.borrow("b", { names: { b: block } });
  block.free();
  assertEquals(stats().blocks, blocks + 1);
  // No other thread of Python's can do it meanwhile.
  using _attached = attach();
  borrowed[Symbol.dispose]();
  assertEquals(stats().blocks, blocks);
});

Deno.test("an object that only the view holds lives as long as that", () => {
  using scope = newScope();
  python.run(
    `
    gone = []
    class Mortal(ctypes.c_double * 4):
        def __del__(self):
            gone.append(True)
    `,
    { scope },
  );
  const borrowed = python.borrow("Mortal(1, 2, 3, 4)", { scope });
  assertEquals([...borrowed.view], [1, 2, 3, 4]);
  assertEquals(python.eval("len(gone)", { scope }), 0);
  borrowed[Symbol.dispose]();
  assertEquals(python.eval("len(gone)", { scope }), 1);
});

Deno.test("disposing the reference that was borrowed of takes nothing from the view", () => {
  const reference = python.eval("bytearray(b'abc')") as PyObjectRef;
  using borrowed = python.borrow(reference);
  reference[Symbol.dispose]();
  assertEquals([...borrowed.view], [97, 98, 99]);
});

Deno.test("disposing the scope that was borrowed of takes nothing from the view", () => {
  const scope = newScope();
  python.run("it = bytearray(b'abc')", { scope });
  using borrowed = python.borrow("it", { scope });
  scope[Symbol.dispose]();
  assertEquals([...borrowed.view], [97, 98, 99]);
});

Deno.test("the same object is borrowed many times over, and each is given back on its own", () => {
  using scope = newScope();
  python.run("it = bytearray(3)", { scope });
  const all = Array.from({ length: 100 }, () => python.borrow("it", { scope }));
  all[0].view[0] = 7;
  assert(all.every(({ view }) => view[0] === 7));
  for (const [index, borrowed] of all.entries()) {
    assertRaises(() => python.run("it.append(1)", { scope }), "BufferError");
    borrowed[Symbol.dispose]();
    assert(all.slice(index + 1).every(({ view }) => view[0] === 7));
  }
  python.run("it.append(1)", { scope });
});

Deno.test("an object without elements is borrowed, held and given back", () => {
  using scope = newScope();
  python.run("it = bytearray()", { scope });
  {
    using borrowed = python.borrow("it", { scope });
    assertEquals([borrowed.view.length, borrowed.shape], [0, [0]]);
    assertRaises(() => python.run("it.append(1)", { scope }), "BufferError");
  }
  python.run("it.append(1)", { scope });
  using none = borrow("(ctypes.c_double * 0)()");
  assertEquals(none.view, new Float64Array(0));
  using columns = borrow("((ctypes.c_double * 0) * 3)()");
  assertEquals([columns.view.length, columns.shape], [0, [3, 0]]);
});

Deno.test("a view that is lost gives the memory back, without a call of JavaScript's", async () => {
  using scope = newScope();
  python.run(
    `
    import threading
    gone = threading.Event()
    class Mortal(ctypes.c_double * 4):
        def __del__(self):
            gone.set()
    it = bytearray(3)
    none = bytearray()
    `,
    { scope },
  );
  const lose = () => {
    python.borrow("it", { scope });
    python.borrow("it", { scope }).view.subarray(1);
    python.borrow("none", { scope });
    python.borrow("Mortal()", { scope });
  };
  lose();
  // Python code waits for it on another thread.
  const waiting = python.evalAsync("gone.wait(10)", {
    names: { gone: scope.get("gone")! },
  });
  let isGone: unknown;
  waiting.then((result) => isGone = result);
  await until(() => {
    // Without the GIL, the thread that made an object frees it, the next time that it runs Python code.
    if (!HAS_GIL) python.run("pass");
    return isGone !== undefined;
  }, "the lost view");
  assertEquals(isGone, true);
  await until(() => {
    try {
      python.run("it.append(1); none.append(1)", { scope });
      return true;
    } catch {
      return false;
    }
  }, "the other lost views");
});

Deno.test("a part of the view holds the memory when the rest is lost", async () => {
  using scope = newScope();
  python.run("it = bytearray(b'abc')", { scope });
  const held = [
    (() => python.borrow("it", { scope }).view.subarray(1))(),
  ];
  await collectForAWhile();
  assertRaises(() => python.run("it.append(1)", { scope }), "BufferError");
  assertEquals([...held[0]], [98, 99]);
  held.pop();
  await untilGivenBack(scope, "the part");
});

Deno.test("a pending read into the view holds the memory after it is given back", async () => {
  await using fifo = await Fifo.open();
  using scope = newScope();
  python.run("it = bytearray(100)", { scope });
  const borrowed = python.borrow("it", Uint8Array, { scope });
  const reading = fifo.reader.read(borrowed.view);
  await assertPends(reading);
  borrowed[Symbol.dispose]();
  await collectForAWhile();
  assertRaises(() => python.run("it.append(1)", { scope }), "BufferError");
  fifo.writer.writeSync(Uint8Array.of(1, 2, 3));
  assertEquals(await reading, 3);
  assertEquals(
    python.eval("bytes(it[:4])", { scope }),
    Uint8Array.of(1, 2, 3, 0),
  );
  await untilGivenBack(scope, "the end of the read");
});

Deno.test("structuredClone with transfer keeps the hold, and takes it from the borrowed", () => {
  using scope = newScope();
  python.run("it = bytearray(b'abc')", { scope });
  const borrowed = python.borrow("it", { scope });
  const { view } = borrowed;
  const address = addressOf(view);
  const clone = structuredClone(view, { transfer: [view.buffer] });
  assertEquals(addressOf(clone), address);
  assertEquals([view.length, borrowed.view.length], [0, 0]);
  borrowed[Symbol.dispose]();
  assertRaises(() => python.run("it.append(1)", { scope }), "BufferError");
  clone[0] = 65;
  assertEquals(python.eval("it == b'Abc'", { scope }), true);
  clone.buffer.transfer(0);
  python.run("it.append(1)", { scope });
});

Deno.test("structuredClone without transfer copies", () => {
  using scope = newScope();
  python.run("it = bytearray(b'abc')", { scope });
  let clone: TypedArray;
  {
    using borrowed = python.borrow("it", { scope });
    clone = structuredClone(borrowed.view);
  }
  python.run("it.append(1)", { scope });
  assertEquals([...clone], [97, 98, 99]);
});

Deno.test("a view goes to a Worker and back, and is held all the while", async () => {
  using scope = newScope();
  python.run("it = bytearray(b'abc')", { scope });
  using worker = await HoldingWorker.start();
  using borrowed = python.borrow("it", Uint8Array, { scope });
  const back = await worker.ask({
    kind: "fill and give back",
    view: borrowed.view,
  });
  assertEquals(python.eval("it == b'\\x07' * 3", { scope }), true);
  assertRaises(() => python.run("it.append(1)", { scope }), "BufferError");
  back.buffer.transfer(0);
  python.run("it.append(1)", { scope });
});

Deno.test("a Worker that ends gives back what it was given", async () => {
  using scope = newScope();
  python.run("it = bytearray(b'abc')", { scope });
  {
    using worker = await HoldingWorker.start();
    const { view } = python.borrow("it", Uint8Array, { scope });
    await worker.ask({ kind: "keep", view });
    await collectForAWhile();
    assertRaises(() => python.run("it.append(1)", { scope }), "BufferError");
  }
  await untilGivenBack(scope, "the Worker's end");
});

Deno.test("a class of Python's own is borrowed of, and told once when it is given back", () => {
  using scope = newScope();
  // From 3.12 on there are such classes.
  if (python.eval("__import__('sys').version_info < (3, 12)")) return;
  python.run(
    `
    class Exporter:
        def __init__(self):
            self.memory = bytearray(b"abc")
            self.given = self.released = 0
        def __buffer__(self, flags):
            self.given += 1
            return memoryview(self.memory)
        def __release_buffer__(self, view):
            self.released += 1
            view.release()
    class Failing:
        def __buffer__(self, flags):
            raise RuntimeError("on purpose")
    it = Exporter()
    `,
    { scope },
  );
  {
    using borrowed = python.borrow("it", { scope });
    assertEquals([...borrowed.view], [97, 98, 99]);
    assertEquals(python.eval("it.given - it.released", { scope }), 1);
    borrowed[Symbol.dispose]();
    assertEquals(python.eval("it.given - it.released", { scope }), 0);
  }
  assertRefused(
    () => python.borrow("it", Float64Array, { scope }),
    "element",
  );
  assertEquals(python.eval("it.given - it.released", { scope }), 0);
  assertEquals(python.eval("it.given > 1", { scope }), true);
  assertRaises(() => python.borrow("Failing()", { scope }), "RuntimeError");
});

Deno.test("memory of more dimensions than shapes usually have is told in full", () => {
  using scope = newScope();
  python.run("shape = (1,) * 63 + (4,)", { scope });
  using borrowed = python.borrow("memoryview(bytearray(8)).cast('H', shape)", {
    scope,
  });
  assertEquals(borrowed.shape, [...Array(63).fill(1), 4]);
  assertEquals(borrowed.view, new Uint16Array(4));
});

/** Python's own tests have an exporter of any kind of buffer; not every Python comes with them. */
const HAS_TESTBUFFER = python.eval(
  "__import__('importlib.util').util.find_spec('_testbuffer') is not None",
);

/** Buffers that are laid out otherwise: how they are made, and their elements in C order. */
const LAYOUTS: [
  what: string,
  make: string,
  elements: number[],
  shape: number[],
][] = [
  [
    "in Fortran's order",
    "_testbuffer.ndarray([1, 2, 3, 4, 5, 6], shape=[2, 3], format='h', flags=_testbuffer.ND_FORTRAN | _testbuffer.ND_WRITABLE)",
    [1, 3, 5, 2, 4, 6],
    [2, 3],
  ],
  [
    "behind pointers",
    "_testbuffer.ndarray([1, 2, 3, 4], shape=[2, 2], format='h', flags=_testbuffer.ND_PIL | _testbuffer.ND_WRITABLE)",
    [1, 2, 3, 4],
    [2, 2],
  ],
  [
    "every other one of each dimension",
    "_testbuffer.ndarray(list(range(12)), shape=[3, 4], format='h', flags=_testbuffer.ND_WRITABLE)[::2, 1::2]",
    [1, 3, 9, 11],
    [2, 2],
  ],
];

for (const [what, make, elements, shape] of LAYOUTS) {
  Deno.test({
    name: `elements that lie ${what} are refused, and copied in C order`,
    ignore: !HAS_TESTBUFFER,
    fn: () => {
      using scope = new PythonScope();
      python.run(`import _testbuffer; it = ${make}`, { scope });
      const error = assertRefused(
        () => python.borrow("it", { scope }),
        "strides",
      );
      assertEquals(error.shape, shape);
      using copied = python.borrow("it", { scope, copy: true });
      assertEquals(copied.view, Int16Array.from(elements));
      assertEquals(copied.shape, shape);
    },
  });
}

Deno.test("what is borrowed of a block is the block's memory, and holds it", () => {
  const block = alloc(Float32Array, [1, 2, 3, 4]);
  using reference = new PyObjectRef(block.toPython({ shape: [2, 2] }));
  using borrowed = python.borrow(reference, Float32Array);
  assertEquals(borrowed.shape, [2, 2]);
  assertEquals(addressOf(borrowed.view), block.address);
  borrowed.view[3] = 9;
  assertEquals([...block.view], [1, 2, 3, 9]);
  block.free();
  assertEquals([...borrowed.view], [1, 2, 3, 9]);
});

Deno.test("a block that was exported read-only is refused as such", () => {
  using block = alloc(Float32Array, 4);
  using reference = new PyObjectRef(block.toPython({ readonly: true }));
  assertRefused(() => python.borrow(reference), "readOnly");
  using copied = python.borrow(reference, { copy: true });
  copied.view[0] = 1;
  assertEquals(block.view[0], 0);
});

Deno.test("what is borrowed while the thread is attached is the same", () => {
  using scope = newScope();
  using _attached = attach();
  python.run("it = bytearray(b'abc')", { scope });
  using borrowed = python.borrow("it", { scope });
  borrowed.view[0] = 65;
  assertEquals(python.eval("bytes(it)", { scope }), Uint8Array.of(65, 98, 99));
});

Deno.test("borrowing, giving back and refusing leave nothing in Python", async () => {
  using scope = newScope();
  python.run("it = bytearray(64); constant = bytes(64)", { scope });
  await leavesNothingInPython(() => {
    {
      using whole = python.borrow("it", Uint8Array, { scope });
      using part = python.borrow("memoryview(it)[8:]", Uint8Array, { scope });
      part.view[0] = whole.view[8] + 1;
    }
    using _copied = python.borrow("constant", { scope, copy: true });
    assertRefused(() => python.borrow("constant", { scope }), "readOnly");
    assertRefused(
      () => python.borrow("it", Float64Array, { scope }),
      "element",
    );
    assertThrows(() => python.borrow("7", { scope }), PythonError);
  });
});

Deno.test("lost views of 16 MiB are given back before they fill the memory", async () => {
  const { code, stdout, stderr } = await run(`
    import { python, PythonScope } from "@oneheap/oneheap";
    const scope = new PythonScope();
    python.run(\`
    alive = most = 0
    class Mortal(bytearray):
        def __init__(self):
            global alive, most
            super().__init__(2**24)
            alive += 1
            most = max(most, alive)
        def __del__(self):
            global alive
            alive -= 1
    \`, { scope });
    for (let index = 0; index < 150; index++) {
      python.borrow("Mortal()", { scope });
      if (index % 10 === 0) await new Promise((resolve) => setTimeout(resolve));
    }
    console.log(scope.get("most"));
  `);
  assertEquals([code, stderr], [0, ""]);
  assert(Number(stdout) < 75, `${stdout} at a time`);
});

Deno.test({
  name:
    "a copy that is larger than all memory is an AllocationError, and nothing is held",
  ignore: Deno.build.os !== "linux",
  fn() {
    using scope = new PythonScope();
    python.run(
      `
      import mmap, tempfile
      size = 2**40
      with tempfile.TemporaryFile() as file:
          file.truncate(size)
          it = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
      `,
      { scope },
    );
    const error = assertThrows(
      () => python.borrow("it", { scope, copy: true }),
      AllocationError,
    );
    assertEquals(error.requested, 2 ** 40);
    python.run("it.close()", { scope });
  },
});

Deno.test("a format that is very long is told as it is", () => {
  using scope = newScope();
  python.run(
    `
    Long = type("Long", (ctypes.Structure,), {"_fields_": [
        (f"{'field' * 10}{n}", ctypes.c_int) for n in range(1_000)
    ]})
    it = Long()
    `,
    { scope },
  );
  const error = assertRefused(() => python.borrow("it", { scope }), "format");
  assertEquals(error.format, python.eval("memoryview(it).format", { scope }));
  assert(error.format.length > 50_000);
});
