/** A block in Python: an `oneheap.Block`, which exports the block's own memory to whatever takes a buffer. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  alloc,
  AllocationError,
  type Block,
  BlockInUseError,
  FreedError,
  PyObjectRef,
  python,
  PythonError,
  PythonScope,
  type PythonValue,
  stats,
  type ToPythonOptions,
  type TypedArray,
  type TypedArrayConstructor,
} from "../../mod.ts";
import {
  collectGarbage,
  elements,
  inFolder,
  leavesNothing,
  until,
} from "../support/helpers.ts";

/** The element types, with what Python's `struct` and this library's `repr` call them. */
const TYPES: [TypedArrayConstructor<TypedArray>, string, string][] = [
  [Int8Array, "b", "int8"],
  [Uint8Array, "B", "uint8"],
  [Uint8ClampedArray, "B", "uint8"],
  [Int16Array, "h", "int16"],
  [Uint16Array, "H", "uint16"],
  [Int32Array, "i", "int32"],
  [Uint32Array, "I", "uint32"],
  [Float16Array, "e", "float16"],
  [Float32Array, "f", "float32"],
  [Float64Array, "d", "float64"],
  [BigInt64Array, "q", "int64"],
  [BigUint64Array, "Q", "uint64"],
];

/** Evaluates with a block as `b`. */
function ask(expression: string, b: PythonValue): PythonValue {
  return python.eval(expression, { names: { b } });
}

/** What `repr()` makes of an expression over a block as `b`. */
function repr(expression: string, b: PythonValue): PythonValue {
  return ask(`repr(${expression})`, b);
}

/** A reference to a new Python object over the block. */
function exported(
  block: Block<TypedArray>,
  options?: ToPythonOptions,
): PyObjectRef {
  return new PyObjectRef(block.toPython(options));
}

/** Fails unless the function raises in Python. */
function assertRaises(
  run: () => unknown,
  type: string,
  includes?: string,
): void {
  const error = assertThrows(run, PythonError, includes);
  assertEquals(error.type, type);
}

for (const [type, format, name] of TYPES) {
  Deno.test(`Python sees a block of ${type.name} where it is, with its format`, () => {
    const size = type.BYTES_PER_ELEMENT;
    using block = alloc(type, elements(type, 1, 2, 100));
    assertEquals(
      ask(
        "__import__('ctypes').addressof(__import__('ctypes').c_char.from_buffer(b))",
        block,
      ),
      block.address,
    );
    assertEquals(
      repr(
        "(lambda m: (m.format, m.itemsize, m.nbytes, m.shape, m.strides, m.readonly, m.c_contiguous))(memoryview(b))",
        block,
      ),
      `('${format}', ${size}, ${3 * size}, (3,), (${size},), False, True)`,
    );
    assertEquals(
      repr(
        `[int(it) for it in __import__("struct").unpack("3${format}", b)]`,
        block,
      ),
      "[1, 2, 100]",
    );
    assertEquals(repr("b", block), `<oneheap.Block of ${name}, shape (3,)>`);
  });
}

Deno.test("what one side writes the other reads, without a call in between", () => {
  using scope = new PythonScope();
  using block = alloc(Float64Array, [1, 2, 3]);
  python.run("m = memoryview(b)", { scope, names: { b: block } });
  block.view[1] = 2.5;
  assertEquals(python.eval("m[1]", { scope }), 2.5);
  python.run("m[2] = -1", { scope });
  assertEquals(block.view[2], -1);
});

Deno.test("a block has the shape that is asked for, in C order", () => {
  using block = alloc(Int32Array, Array.from({ length: 24 }, (_, i) => i));
  using cube = exported(block, { shape: [2, 3, 4] });
  assertEquals(
    repr(
      "(lambda m: (m.ndim, m.shape, m.strides, m.nbytes, m[1, 2, 3], m[1, 0, 0], m[0, 1, 0]))(memoryview(b))",
      cube,
    ),
    "(3, (2, 3, 4), (48, 16, 4), 96, 23, 12, 4)",
  );
  assertEquals(
    repr("memoryview(b).tolist()[1][2]", cube),
    "[20, 21, 22, 23]",
  );
  assertEquals(`${cube}`, "<oneheap.Block of int32, shape (2, 3, 4)>");
  using column = exported(block, { shape: [24, 1, 1] });
  assertEquals(
    repr("(memoryview(b).shape, memoryview(b).strides)", column),
    "((24, 1, 1), (4, 4, 4))",
  );
});

Deno.test("a block of one element can have no dimensions", () => {
  using block = alloc(Float64Array, [2.5]);
  using scalar = exported(block, { shape: [] });
  assertEquals(
    repr(
      "(lambda m: (m.ndim, m.shape, m.strides, m.nbytes, m[()], m.tolist()))(memoryview(b))",
      scalar,
    ),
    "(0, (), (), 8, 2.5, 2.5)",
  );
  assertEquals(ask("len(bytes(b))", scalar), 8);
  assertEquals(`${scalar}`, "<oneheap.Block of float64, shape ()>");
});

Deno.test("a block without elements can have any shape of none", () => {
  using block = alloc(Float64Array, 0);
  const HUGE = 2 ** 40;
  for (
    const shape of [undefined, [0], [0, 3], [3, 0], [2, 0, 5], [0, HUGE, HUGE]]
  ) {
    using none = exported(block, { shape });
    assertEquals(
      repr("memoryview(b).shape", none),
      shape === undefined || shape.length === 1
        ? "(0,)"
        : `(${shape.join(", ")})`,
    );
    assertEquals(
      repr("(memoryview(b).nbytes, bytes(b), memoryview(b).tolist())", none),
      `(0, b'', ${
        shape?.[0] ? `[${"[], ".repeat(shape[0]).slice(0, -2)}]` : "[]"
      })`,
    );
  }
});

for (
  const shape of [
    [],
    [5],
    [7],
    [2, 2],
    [2, 3, 2],
    [6, 0],
    [0],
    [2 ** 40, 2 ** 40],
  ]
) {
  Deno.test(`shape [${shape.join(", ")}] doesn't fit a block of 6, and says so`, () => {
    using block = alloc(Int16Array, 6);
    assertThrows(
      () => block.toPython({ shape }),
      RangeError,
      "The shape must have as many elements as the block, 6",
    );
    block.realloc(7);
  });
}

for (const shape of [[0, 2 ** 40, 2 ** 40], [2 ** 40, 2 ** 40, 0]]) {
  Deno.test(`a block of no elements has the shape [${shape.join(", ")}]`, () => {
    using block = alloc(Int16Array, 0);
    using object = new PyObjectRef(block.toPython({ shape }));
    const read = "list(memoryview(b).shape)";
    assertEquals(ask(`${read} == [${shape.join(", ")}]`, object), true);
  });
}

Deno.test("a shape that is no array is a TypeError", () => {
  using block = alloc(Int16Array, 4);
  for (const shape of [null, "4", 4]) {
    assertThrows(
      () => block.toPython({ shape } as unknown as ToPythonOptions),
      TypeError,
      "The shape must be an array",
    );
  }
  block.realloc(7);
});

for (const extent of [-1, 1.5, NaN, Infinity, 2 ** 53]) {
  Deno.test(`an extent of ${extent} is a RangeError`, () => {
    using block = alloc(Int16Array, 6);
    const error = assertThrows(
      () => block.toPython({ shape: [6, extent] }),
      RangeError,
    );
    assertEquals(error.message.startsWith("The shape must be"), true);
    block.realloc(7);
  });
}

Deno.test("a shape that is no array of numbers is a TypeError", () => {
  using block = alloc(Int16Array, 6);
  for (const shape of [["6"], [null], [6n], [[6]]]) {
    assertThrows(
      () => block.toPython({ shape: shape as unknown as number[] }),
      TypeError,
    );
  }
  block.realloc(7);
});

Deno.test("a shape of 64 dimensions is Python's limit", () => {
  using block = alloc(Uint8Array, 1);
  using most = exported(block, { shape: Array(64).fill(1) });
  assertEquals(ask("memoryview(b).ndim", most), 64);
  using more = exported(block, { shape: Array(65).fill(1) });
  assertRaises(() => ask("memoryview(b)", more), "ValueError");
  assertEquals(`${more}`.length > 65, true);
});

Deno.test("a read-only block can't be written in Python, but in JavaScript", () => {
  using block = alloc(Uint8Array, [1, 2, 3]);
  using b = exported(block, { readonly: true });
  assertEquals(ask("memoryview(b).readonly", b), true);
  assertEquals(`${b}`, "<oneheap.Block of uint8, shape (3,), read-only>");
  const attempts: [string, string][] = [
    ["memoryview(b).__setitem__(0, 9)", "TypeError"],
    ["__import__('io').BytesIO(b'xyz').readinto(b)", "TypeError"],
    ["__import__('struct').pack_into('B', b, 0, 9)", "TypeError"],
    ["__import__('ctypes').c_char.from_buffer(b)", "TypeError"],
  ];
  for (const [attempt, type] of attempts) {
    assertRaises(() => ask(attempt, b), type);
  }
  assertEquals([...block.view], [1, 2, 3]);
  block.view[0] = 9;
  assertEquals(repr("bytes(b)", b), "b'\\t\\x02\\x03'");
  using writable = exported(block);
  ask("memoryview(b).__setitem__(1, 8)", writable);
  assertEquals([...block.view], [9, 8, 3]);
});

/** What takes a buffer and reads: an expression over `b`, which has the bytes 1 to 6, and what `repr()` makes of it. */
const READERS: [string, string][] = [
  ["bytes(b)", "b'\\x01\\x02\\x03\\x04\\x05\\x06'"],
  ["bytearray(b)", "bytearray(b'\\x01\\x02\\x03\\x04\\x05\\x06')"],
  ["b'-'.join([b, b])[5:8]", "b'\\x06-\\x01'"],
  ["b'\\x00' + memoryview(b)[:1]", "b'\\x00\\x01'"],
  ["struct.unpack_from('<HB', b, 2)", "(1027, 5)"],
  ["list(struct.iter_unpack('3B', b))", "[(1, 2, 3), (4, 5, 6)]"],
  ["int.from_bytes(b, 'little')", String(0x060504030201)],
  [
    "(lambda a: (a.frombytes(b), a)[1])(array.array('H'))",
    "array('H', [513, 1027, 1541])",
  ],
  ["array.array('B', memoryview(b))", "array('B', [1, 2, 3, 4, 5, 6])"],
  ["io.BytesIO(b).read(2)", "b'\\x01\\x02'"],
  [
    "(lambda f: (f.write(b), f.getvalue()))(io.BytesIO())",
    "(6, b'\\x01\\x02\\x03\\x04\\x05\\x06')",
  ],
  ["zlib.decompress(zlib.compress(b)) == memoryview(b)", "True"],
  ["zlib.crc32(b) == zlib.crc32(bytes(b))", "True"],
  ["binascii.hexlify(b)", "b'010203040506'"],
  ["hashlib.sha256(b).digest() == hashlib.sha256(bytes(b)).digest()", "True"],
  ["re.search(b'\\x03.', b).span()", "(2, 4)"],
  ["memoryview(b) == bytes(b)", "True"],
  ["b'\\x01\\x02\\x03\\x04\\x05\\x06' == memoryview(b)", "True"],
  ["memoryview(b)[1:5:2].tolist()", "[2, 4]"],
  ["memoryview(b)[::-1].tolist()", "[6, 5, 4, 3, 2, 1]"],
  ["memoryview(b).cast('H').tolist()", "[513, 1027, 1541]"],
  ["memoryview(b).cast('B', (2, 3)).tolist()", "[[1, 2, 3], [4, 5, 6]]"],
  ["sum(memoryview(b))", "21"],
  ["memoryview(b).obj is b", "True"],
];

for (const [expression, result] of READERS) {
  Deno.test(`a block is read by ${expression}`, () => {
    using scope = new PythonScope();
    python.run(
      "import array, binascii, hashlib, io, re, struct, zlib",
      { scope },
    );
    using block = alloc(Uint8Array, [1, 2, 3, 4, 5, 6]);
    assertEquals(
      python.eval(`repr(${expression})`, { scope, names: { b: block } }),
      result,
    );
    python.run("del b", { scope });
    // Nobody keeps it.
    block.realloc(7);
  });
}

/** What takes a buffer and writes: statements over `b`, six zeroes, and what they make of it. */
const WRITERS: [string, number[]][] = [
  ["struct.pack_into('<HB', b, 2, 0x0403, 5)", [0, 0, 3, 4, 5, 0]],
  ["memoryview(b)[1:3] = b'\\x07\\x08'", [0, 7, 8, 0, 0, 0]],
  ["memoryview(b)[::2] = b'\\x01\\x02\\x03'", [1, 0, 2, 0, 3, 0]],
  ["memoryview(b).cast('H')[2] = 0x0102", [0, 0, 0, 0, 2, 1]],
  ["io.BytesIO(b'\\x05' * 6).readinto(b)", [5, 5, 5, 5, 5, 5]],
  ["io.BytesIO(b'\\x05' * 6).readinto(memoryview(b)[4:])", [0, 0, 0, 0, 5, 5]],
  ["(ctypes.c_uint8 * 6).from_buffer(b)[3] = 9", [0, 0, 0, 9, 0, 0]],
  ["random.shuffle(memoryview(b))", [0, 0, 0, 0, 0, 0]],
];

for (const [statement, result] of WRITERS) {
  Deno.test(`a block is written by ${statement}`, () => {
    using scope = new PythonScope();
    python.run("import ctypes, io, random, struct", { scope });
    using block = alloc(Uint8Array, 6);
    python.run(`${statement}\ndel b`, { scope, names: { b: block } });
    assertEquals([...block.view], result);
    block.realloc(7);
  });
}

Deno.test("a socket sends a block, and receives into one", () => {
  using scope = new PythonScope();
  const length = 50_000;
  using sent = alloc(Float32Array, Array.from({ length }, (_, i) => i));
  using received = alloc(Float32Array, length);
  python.run(
    `
    import socket, threading
    one, other = socket.socketpair()
    with one, other:
        thread = threading.Thread(target=one.sendall, args=(sent,))
        thread.start()
        rest = memoryview(received).cast("B")
        while rest:
            rest = rest[other.recv_into(rest):]
        thread.join()
    del thread, rest, sent, received
    `,
    { scope, names: { sent, received } },
  );
  assertEquals(received.view, sent.view);
  sent.realloc(0);
  received.realloc(0);
});

Deno.test("a file is written from a block, and read into one", () =>
  inFolder((folder) => {
    using scope = new PythonScope();
    const length = 50_000;
    using written = alloc(Float64Array, Array.from({ length }, (_, i) => i));
    using read = alloc(Float64Array, length);
    python.run(
      `
      import os
      path = os.path.join(folder, "file")
      with open(path, "wb", buffering=0) as file:
          assert file.write(written) == ${8 * length}
      with open(path, "rb", buffering=0) as file:
          assert file.readinto(read) == ${8 * length}
      with open(path, "rb") as file:
          head = memoryview(read)[:100]
          assert file.readinto(head) == 800
      del written, read, head
      `,
      { scope, names: { folder, written, read } },
    );
    assertEquals(read.view, written.view);
    read.realloc(0);
    return Promise.resolve();
  }));

/** Asks for a buffer as C code does, by flags, and tells what it is given. */
const REQUEST = `
import ctypes

class Buffer(ctypes.Structure):
    _fields_ = [
        ("buf", ctypes.c_void_p), ("obj", ctypes.c_void_p), ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t), ("readonly", ctypes.c_int), ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p), ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
        ("strides", ctypes.POINTER(ctypes.c_ssize_t)), ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    ]

get = ctypes.pythonapi.PyObject_GetBuffer
get.argtypes = [ctypes.py_object, ctypes.POINTER(Buffer), ctypes.c_int]
release = ctypes.pythonapi.PyBuffer_Release
release.argtypes = [ctypes.POINTER(Buffer)]
release.restype = None

def request(b, flags):
    buffer = Buffer(obj=1)
    try:
        get(b, buffer, flags)
    except BufferError as error:
        return f"{error}; obj {buffer.obj}"
    numbers = lambda pointer: list(pointer[:buffer.ndim]) if pointer else None
    given = [
        "address" if buffer.buf == address else "elsewhere", "obj" if buffer.obj == id(b) else "not obj",
        buffer.len, buffer.itemsize, "readonly" if buffer.readonly else "writable", buffer.ndim,
        buffer.format, numbers(buffer.shape), numbers(buffer.strides), buffer.suboffsets,
    ]
    release(buffer)
    return repr(given)
`;

const SIMPLE = 0;
const WRITABLE = 1;
const FORMAT = 4;
const ND = 8;
const STRIDES = 0x10 | ND;
const C_CONTIGUOUS = 0x20 | STRIDES;
const F_CONTIGUOUS = 0x40 | STRIDES;
const ANY_CONTIGUOUS = 0x80 | STRIDES;
const INDIRECT = 0x100 | STRIDES;

/** Asks for a buffer of a Python object over a new block of int16. */
function request(
  flags: number,
  { shape = [6], readonly = false }: ToPythonOptions = {},
): PythonValue {
  using scope = new PythonScope();
  python.run(REQUEST, { scope });
  const length = shape.reduce((product, extent) => product * extent, 1);
  using block = alloc(Int16Array, length);
  using b = exported(block, { shape, readonly });
  const names = { b, flags, address: block.address };
  return python.eval("request(b, flags)", { scope, names });
}

const REFUSED_WRITABLE = "this oneheap.Block was exported read-only; obj None";
const REFUSED_FORTRAN =
  "this oneheap.Block is in C order, not in Fortran's; obj None";

/** How a buffer is asked for, of what, and what is given. */
const REQUESTS: [string, number, ToPythonOptions, string][] = [
  [
    "SIMPLE",
    SIMPLE,
    {},
    "['address', 'obj', 12, 2, 'writable', 1, None, None, None, None]",
  ],
  [
    "SIMPLE",
    SIMPLE,
    { shape: [2, 3] },
    "['address', 'obj', 12, 2, 'writable', 1, None, None, None, None]",
  ],
  [
    "SIMPLE",
    SIMPLE,
    { readonly: true },
    "['address', 'obj', 12, 2, 'readonly', 1, None, None, None, None]",
  ],
  [
    "WRITABLE",
    WRITABLE,
    {},
    "['address', 'obj', 12, 2, 'writable', 1, None, None, None, None]",
  ],
  ["WRITABLE", WRITABLE, { readonly: true }, REFUSED_WRITABLE],
  [
    "FORMAT",
    FORMAT,
    {},
    "['address', 'obj', 12, 2, 'writable', 1, b'h', None, None, None]",
  ],
  [
    "ND",
    ND,
    { shape: [2, 3] },
    "['address', 'obj', 12, 2, 'writable', 2, None, [2, 3], None, None]",
  ],
  [
    "STRIDES",
    STRIDES,
    { shape: [2, 3] },
    "['address', 'obj', 12, 2, 'writable', 2, None, [2, 3], [6, 2], None]",
  ],
  [
    "STRIDES | FORMAT | WRITABLE",
    STRIDES | FORMAT | WRITABLE,
    { shape: [3, 2] },
    "['address', 'obj', 12, 2, 'writable', 2, b'h', [3, 2], [4, 2], None]",
  ],
  [
    "STRIDES | FORMAT | WRITABLE",
    STRIDES | FORMAT | WRITABLE,
    { readonly: true },
    REFUSED_WRITABLE,
  ],
  [
    "C_CONTIGUOUS",
    C_CONTIGUOUS,
    { shape: [2, 3] },
    "['address', 'obj', 12, 2, 'writable', 2, None, [2, 3], [6, 2], None]",
  ],
  ["F_CONTIGUOUS", F_CONTIGUOUS, { shape: [2, 3] }, REFUSED_FORTRAN],
  ["F_CONTIGUOUS", F_CONTIGUOUS, { shape: [2, 1, 3] }, REFUSED_FORTRAN],
  [
    "F_CONTIGUOUS",
    F_CONTIGUOUS,
    {},
    "['address', 'obj', 12, 2, 'writable', 1, None, [6], [2], None]",
  ],
  [
    "F_CONTIGUOUS",
    F_CONTIGUOUS,
    { shape: [1, 6, 1] },
    "['address', 'obj', 12, 2, 'writable', 3, None, [1, 6, 1], [12, 2, 2], None]",
  ],
  [
    "F_CONTIGUOUS",
    F_CONTIGUOUS,
    { shape: [0, 3] },
    "['address', 'obj', 0, 2, 'writable', 2, None, [0, 3], [6, 2], None]",
  ],
  [
    "ANY_CONTIGUOUS",
    ANY_CONTIGUOUS,
    { shape: [2, 3] },
    "['address', 'obj', 12, 2, 'writable', 2, None, [2, 3], [6, 2], None]",
  ],
  [
    "INDIRECT | FORMAT",
    INDIRECT | FORMAT,
    { shape: [2, 3], readonly: true },
    "['address', 'obj', 12, 2, 'readonly', 2, b'h', [2, 3], [6, 2], None]",
  ],
  [
    "INDIRECT | FORMAT",
    INDIRECT | FORMAT,
    { shape: [] },
    "['address', 'obj', 2, 2, 'writable', 0, b'h', None, None, None]",
  ],
  [
    "INDIRECT | FORMAT",
    INDIRECT | FORMAT,
    { shape: [0] },
    "['address', 'obj', 0, 2, 'writable', 1, b'h', [0], [2], None]",
  ],
];

for (const [what, flags, options, given] of REQUESTS) {
  Deno.test(`a buffer asked for as ${what} of ${JSON.stringify(options)} is as Python's documentation has it`, () => {
    leavesNothing(() => assertEquals(request(flags, options), given));
  });
}

Deno.test("two buffers of a block are the same memory", () => {
  using scope = new PythonScope();
  using block = alloc(Uint8Array, 2);
  python.run("one, other = memoryview(b), memoryview(b); one[0] = 7", {
    scope,
    names: { b: block },
  });
  assertEquals(python.eval("other[0]", { scope }), 7);
  assertEquals(python.eval("one.obj is other.obj", { scope }), true);
});

Deno.test("no block can be made from Python", () => {
  using block = alloc(Uint8Array, 1);
  const attempts = [
    "type(b)()",
    "type(b)(b)",
    "type(b).__new__(type(b))",
    "object.__new__(type(b))",
    "type('Sub', (type(b),), {})",
    "__import__('copy').copy(b)",
    "__import__('copy').deepcopy(b)",
    "__import__('pickle').dumps(b)",
    "setattr(type('Other', (), {})(), '__class__', type(b))",
    "setattr(b, '__class__', type('Other', (), {}))",
  ];
  for (const attempt of attempts) {
    assertRaises(() => ask(attempt, block), "TypeError");
  }
  assertEquals(repr("bytes(b)", block), "b'\\x00'");
});

Deno.test("neither a block nor its type can be changed from Python", () => {
  using block = alloc(Uint8Array, 1);
  const attempts: [string, string][] = [
    ["setattr(type(b), 'x', 1)", "TypeError"],
    ["setattr(type(b), '__repr__', None)", "TypeError"],
    ["delattr(type(b), '__doc__')", "TypeError"],
    ["setattr(b, 'x', 1)", "AttributeError"],
    ["b.x", "AttributeError"],
    ["b.__dict__", "AttributeError"],
    ["__import__('weakref').ref(b)", "TypeError"],
    ["len(b)", "TypeError"],
    ["b[0]", "TypeError"],
  ];
  for (const [attempt, type] of attempts) {
    assertRaises(() => ask(attempt, block), type);
  }
});

Deno.test("the type says what it is", () => {
  using block = alloc(Uint8Array, 1);
  assertEquals(
    repr(
      "(type(b).__module__, type(b).__qualname__, type(b).__bases__)",
      block,
    ),
    "('oneheap', 'Block', (<class 'object'>,))",
  );
  assertEquals(repr("type(b)", block), "<class 'oneheap.Block'>");
  assert(
    (ask("type(b).__doc__", block) as string).includes("nothing is copied"),
  );
  assertEquals(ask("__import__('gc').is_tracked(b)", block), false);
  assertEquals(ask("b == b and hash(b) == hash(b)", block), true);
  using other = alloc(Uint8Array, 1);
  assertEquals(
    python.eval("type(b) is type(other)", { names: { b: block, other } }),
    true,
  );
});

Deno.test("many blocks in Python keep apart, also when JavaScript has freed them", () => {
  using scope = new PythonScope();
  const blocks = Array.from({ length: 100 }, (_, i) => alloc(Uint8Array, [i]));
  const names = Object.fromEntries(blocks.map((it, i) => [`b${i}`, it]));
  python.run("all = [globals()[f'b{i}'] for i in range(100)]", {
    scope,
    names,
  });
  assertEquals(
    python.eval("[bytes(it)[0] for it in all] == list(range(100))", { scope }),
    true,
  );
  blocks.forEach((block) => block.free());
  assertEquals(
    python.eval("[bytes(it)[0] for it in all] == list(range(100))", { scope }),
    true,
  );
});

Deno.test("a block that comes back is the same Block, by every way", async () => {
  using scope = new PythonScope();
  using block = alloc(Float64Array, 3);
  assert(ask("b", block) === block);
  assert(ask("[b, None][0]", block) === block);
  assert(ask("memoryview(b).obj", block) === block);
  assert(await python.evalAsync("b", { names: { b: block } }) === block);
  python.run("kept = b; same = lambda it: it", { scope, names: { b: block } });
  assert(scope.get("kept") === block);
  using same = scope.get("same") as PyObjectRef;
  assert(same.call(block) === block);
  using reference = exported(block, { shape: [3, 1], readonly: true });
  assert(same.call(reference) === block);
  using namespace = python.eval("__import__('types').SimpleNamespace(it=b)", {
    names: { b: block },
  }) as PyObjectRef;
  assert(namespace.get("it") === block);
});

Deno.test("blocks that come back aren't taken for one another", () => {
  using scope = new PythonScope();
  const blocks = Array.from({ length: 50 }, () => alloc(Uint8Array, 1));
  const names = Object.fromEntries(blocks.map((it, i) => [`b${i}`, it]));
  python.run("pass", { scope, names });
  for (const [index, block] of blocks.entries()) {
    assert(scope.get(`b${index}`) === block);
  }
  blocks.forEach((block) => block.free());
});

Deno.test("a block that was resized is known again", () => {
  using block = alloc(Uint8Array, 5_000);
  assert(ask("b", block) === block);
  block.realloc(70_000);
  assert(ask("b", block) === block);
  block.view.fill(1);
  assert(ask("b", block) === block);
  block.realloc(10);
  assert(ask("b", block) === block);
});

Deno.test("a block that could not be resized is known again", () => {
  using block = alloc(Uint8Array, 5_000);
  for (const viewed of [false, true]) {
    if (viewed) block.view.fill(1);
    assert(ask("b", block) === block);
    assertThrows(() => block.realloc(2 ** 52), AllocationError);
    assert(ask("b", block) === block);
  }
  using reference = exported(block);
  assertThrows(() => block.realloc(2 ** 52), BlockInUseError);
  assert(ask("b", reference) === block);
});

Deno.test("memory whose block is gone comes back as a reference", async () => {
  using scope = new PythonScope();
  const freed = alloc(Uint8Array, [1]);
  const transferred = alloc(Uint8Array, [2]);
  python.run("pass", { scope, names: { freed, transferred } });
  (() => {
    python.run("lost = b; del b", {
      scope,
      names: { b: alloc(Uint8Array, [3]) },
    });
  })();
  freed.free();
  const clone = structuredClone(transferred.view, {
    transfer: [transferred.view.buffer],
  });
  for (const [index, name] of ["freed", "transferred"].entries()) {
    using back = scope.get(name) as PyObjectRef;
    assert(back instanceof PyObjectRef);
    assertEquals(ask("bytes(b)[0]", back), index + 1);
  }
  clone.buffer.transfer(0);
  for (let round = 0; round < 3; round++) {
    // Not to look for it meanwhile, for what is looked at lives.
    await new Promise((resolve) => setTimeout(resolve));
    collectGarbage();
  }
  using lost = scope.get("lost") as PyObjectRef;
  assert(lost instanceof PyObjectRef);
  assertEquals(ask("bytes(b)[0]", lost), 3);
});

Deno.test("a block is known again after thousands were given to Python and freed or lost", async () => {
  const before = stats().blocks;
  using scope = new PythonScope();
  using kept = alloc(Uint8Array, 1);
  python.run("pass", { scope, names: { kept } });
  for (let round = 0; round < 5_000; round++) {
    const block = alloc(Uint8Array, 1);
    assert(ask("b", block) === block);
    if (round % 2 === 0) block.free();
  }
  assert(scope.get("kept") === kept);
  await until(() => stats().blocks <= before + 1, "the lost blocks");
  assert(scope.get("kept") === kept);
});

Deno.test("a block that was freed can't be given to Python", () => {
  const block = alloc(Uint8Array, 1);
  block.free();
  assertThrows(() => block.toPython(), FreedError);
  assertThrows(() => ask("b", block), FreedError);
  assertThrows(() => python.borrow("b", { names: { b: block } }), FreedError);
});

Deno.test("each toPython is an object of its own", () => {
  using block = alloc(Uint8Array, 1);
  using one = exported(block);
  using other = exported(block);
  assertEquals(
    python.eval("one is other", { names: { one, other } }),
    false,
  );
  const error = assertThrows(() => block.realloc(2), BlockInUseError);
  assertEquals(error.holders, 2);
});

Deno.test("blocks in Python leave no reference to their type", () => {
  using block = alloc(Uint8Array, 1);
  const references = () =>
    ask("__import__('sys').getrefcount(type(b))", block) as number;
  const before = references();
  for (let round = 0; round < 100; round++) ask("memoryview(b).nbytes", block);
  // Without a GIL threads count references on their own, and there may seem to be fewer.
  assert(references() <= before);
});

Deno.test("blocks given to Python leave nothing", () => {
  leavesNothing(() => {
    for (const [type] of TYPES) {
      using block = alloc(type, 4);
      ask("memoryview(b).nbytes", block);
      using matrix = exported(block, { shape: [2, 2], readonly: true });
      ask("bytes(b)", matrix);
    }
  });
});
