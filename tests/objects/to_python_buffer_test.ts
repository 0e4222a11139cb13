/** The buffers that an `oneheap.Block` exports, and what takes them. */

import { assertEquals } from "@std/assert";
import {
  alloc,
  python,
  PythonScope,
  type PythonValue,
  type ToPythonOptions,
} from "../../mod.ts";
import { leavesNothing } from "../support/collection.ts";
import { inFolder } from "../support/process.ts";
import { exported } from "./exporting.ts";

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
