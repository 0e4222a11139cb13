/** What the end of the process does about files of Python's that nobody closed: what `python3` does. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { python } from "../../mod.ts";
import { HAS_GIL } from "../support/build.ts";
import { inFolder, run } from "../support/process.ts";

/** Longer than the two seconds that the end may take, and much less than for ever. */
const SOON = 20_000;

/** Runs Python code in a scope of its own and then the rest of a script, in a folder that `check` looks at after the end. */
async function atTheEnd(
  code: string,
  check: (folder: string, stderr: string) => void | Promise<void>,
  rest = "",
): Promise<void> {
  await inFolder(async (folder) => {
    const start = performance.now();
    const { signal, stderr } = await run(`
      import { attach, detach, python, PythonScope } from "@oneheap/oneheap";
      const folder = ${JSON.stringify(folder)};
      const scope = new PythonScope();
      python.run("import os; os.chdir(folder)", { names: { folder } });
      python.run(${JSON.stringify(code)}, { scope });
      ${rest}
    `);
    assert(performance.now() - start < SOON);
    assertEquals(signal, null);
    await check(folder, stderr);
  });
}

/** Fails unless a file has that text. */
function hasText(name: string, text: string): (folder: string) => void {
  return (folder) =>
    assertEquals(Deno.readTextFileSync(`${folder}/${name}`), text);
}

const WRITE = "f = open('file', 'w')\nf.write('text')\n";
const hasWritten = hasText("file", "text");

for (
  const [name, code, rest] of [
    ["an ordinary end", WRITE, ""],
    ["Deno.exit()", WRITE, "Deno.exit(0);"],
    ["an uncaught error", WRITE, "throw new Error('uncaught');"],
    ["an uncaught rejection", WRITE, "Promise.reject(new Error('uncaught'));"],
    ["an end while attached", WRITE, "attach(); Deno.exit(0);"],
    ["an end with a function in the scope", WRITE + "def g(): pass", ""],
    [
      "an end with the file in a module",
      WRITE + "import __main__; __main__.f = f",
      "",
    ],
    [
      "an end with the file in a cycle of a function's",
      "def g():\n    f = open('file', 'w')\n    f.write('text')\n    cycle = [f]\n    cycle.append(cycle)\ng()",
      "",
    ],
    [
      "an end with the collector's objects frozen",
      WRITE + "import gc; gc.freeze()",
      "",
    ],
    [
      "an end with the collector disabled",
      WRITE + "import gc; gc.disable()",
      "",
    ],
  ]
) {
  Deno.test(`an open file of Python's is flushed at ${name}`, () =>
    atTheEnd(code, hasWritten, rest));
}

Deno.test("an open file is flushed at Deno.exit() while a Worker lives", () =>
  atTheEnd(
    "",
    hasWritten,
    `
    const worker = new Worker("data:text/javascript," + encodeURIComponent(\`
      import { python } from "@oneheap/oneheap";
      python.run("import __main__; f = __main__.f = open('file', 'w'); f.write('text')");
      postMessage("written");
      setInterval(() => {}, 1_000);
    \`), { type: "module" });
    worker.onmessage = () => Deno.exit(0);
    `,
  ));

Deno.test("a file that a run opened which still runs is flushed", () =>
  atTheEnd(
    "",
    hasWritten,
    `
    python.runAsync(${
      JSON.stringify(WRITE + "import time\ntime.sleep(1_000)")
    });
    const isOpen = () => python.eval("__import__('os').path.exists('file')");
    while (!isOpen()) await new Promise((resolve) => setTimeout(resolve, 10));
    await new Promise((resolve) => setTimeout(resolve, 100));
    Deno.exit(0);
    `,
  ));

Deno.test("binary files, files for reading and writing, and text over a buffer are flushed", () =>
  atTheEnd(
    `
import io
binary = open("binary", "wb")
binary.write(b"binary")
both = open("both", "w+b")
both.write(b"both")
under = open("under", "wb")
over = io.TextIOWrapper(under, encoding="utf-16-le")
over.write("over")
pair = io.BufferedRWPair(open("binary", "rb", 0), open("pair", "wb", 0))
pair.write(b"pair")
class Upper(io.TextIOWrapper):
    def flush(self):
        super().flush()
upper = Upper(open("upper", "wb"))
upper.write("upper")
`,
    (folder) => {
      hasText("binary", "binary")(folder);
      hasText("both", "both")(folder);
      hasText("under", "o\0v\0e\0r\0")(folder);
      hasText("pair", "pair")(folder);
      hasText("upper", "upper")(folder);
    },
  ));

Deno.test("what an exit function writes is flushed, and a file that it closes is left alone", () =>
  atTheEnd(
    `
import atexit
f, closed = open("file", "w"), open("closed", "w")
closed.write("closed")
def at_exit():
    f.write("text")
    closed.close()
atexit.register(at_exit)
`,
    (folder, stderr) => {
      hasWritten(folder);
      hasText("closed", "closed")(folder);
      assertEquals(stderr, "");
    },
  ));

Deno.test("what a finaliser of garbage writes is flushed", () =>
  atTheEnd(
    `
import gc, __main__
gc.disable()
f = __main__.f = open("file", "w")
class Garbage:
    def __init__(self):
        self.itself = self
    def __del__(self, file=f):
        file.write("text")
Garbage()
`,
    hasWritten,
  ));

Deno.test("a file whose flush fails keeps no other from being flushed", () =>
  atTheEnd(
    `
import io, sys
class Broken(io.TextIOWrapper):
    def flush(self):
        raise KeyboardInterrupt
class Strange(io.TextIOWrapper):
    def __getattribute__(self, name):
        raise SystemExit
first = [Broken(io.BytesIO()), Strange(io.BytesIO()), open("/dev/full", "w")]
for file in first[0], first[2]:
    file.write("lost")
io.TextIOWrapper(io.BytesIO()).detach()
io.TextIOWrapper.__new__(io.TextIOWrapper)
${WRITE}
last = list(first)
sys.stdout = Broken(io.BytesIO())
`,
    hasWritten,
  ));

Deno.test("a failed flush is reported where python3 reports it", () =>
  atTheEnd(
    `f = open("/dev/full", "w")\nf.write("lost")`,
    (_, stderr) => {
      const reports = stderr.match(/^Exception ignored/gm)?.length ?? 0;
      const isReported = python.eval(
        "__import__('sys').version_info >= (3, 13)",
      );
      assertEquals(reports, isReported ? 1 : 0, stderr);
    },
  ));

Deno.test("output that can't be flushed is reported, as python3 reports it", () =>
  atTheEnd(
    `import sys\nsys.stdout = open("/dev/full", "w")\nprint("lost")`,
    (_, stderr) => {
      assertMatch(
        stderr,
        /^Exception ignored .*\/dev\/full.*\nOSError: \[Errno 28\] .*\n$/,
      );
    },
  ));

Deno.test("a pipe that is full holds neither files up nor the end, beyond its deadline", () =>
  atTheEnd(
    `
import os, fcntl, sys
reading, writing = os.pipe()
os.set_blocking(writing, False)
try:
    while True:
        os.write(writing, bytes(4096))
except BlockingIOError:
    os.set_blocking(writing, True)
pipe = open(writing, "w")
pipe.write("never")
${WRITE}
print("printed", end="")
`,
    hasWritten,
  ));

/** What Python itself does at its end, for comparison: each writes \`out\`. */
const WRITERS: Record<string, { write: string; read: string }> = {
  "gzip file": {
    write: "import gzip; g = gzip.open('out', 'wb'); g.write(b'text')",
    read: "import gzip; assert gzip.open('out').read() == b'text'",
  },
  "gzip file of text": {
    write: "import gzip; g = gzip.open('out', 'wt'); g.write('text')",
    read: "import gzip; assert gzip.open('out').read() == b'text'",
  },
  "gzip file in a cycle": {
    write:
      "import gzip\ndef f():\n    g = gzip.open('out', 'wb')\n    g.write(b'text')\n    l = [g]\n    l.append(l)\nf()",
    read: "import gzip; assert gzip.open('out').read() == b'text'",
  },
  "bzip2 file": {
    write: "import bz2; b = bz2.open('out', 'wb'); b.write(b'text')",
    read: "import bz2; assert bz2.open('out').read() == b'text'",
  },
  "LZMA file": {
    write: "import lzma; x = lzma.open('out', 'wb'); x.write(b'text')",
    read: "import lzma; assert lzma.open('out').read() == b'text'",
  },
  "ZIP archive": {
    write:
      "import zipfile; z = zipfile.ZipFile('out', 'w'); z.writestr('a', 'text')",
    read: "import zipfile; assert zipfile.ZipFile('out').read('a') == b'text'",
  },
  "ZIP archive with a member that is written": {
    write:
      "import zipfile; z = zipfile.ZipFile('out', 'w'); w = z.open('a', 'w'); w.write(b'text')",
    read: "import zipfile; assert zipfile.ZipFile('out').read('a') == b'text'",
  },
  "compressed TAR stream": {
    write:
      "import tarfile; t = tarfile.open('out', 'w|gz'); t.addfile(tarfile.TarInfo('a'))",
    read: "import tarfile; assert tarfile.open('out').getnames() == ['a']",
  },
  "WAVE file": {
    write:
      "import wave; w = wave.open('out', 'wb'); w.setparams((1, 2, 8000, 0, 'NONE', '')); w.writeframesraw(bytes(8))",
    read: "import wave; assert wave.open('out').getnframes() == 4",
  },
  "shelf": {
    write:
      "import shelve, dbm.dumb; s = shelve.Shelf(dbm.dumb.open('out'), writeback=True); s['a'] = [1]; s['a'].append(2)",
    read:
      "import shelve, dbm.dumb; assert shelve.Shelf(dbm.dumb.open('out'))['a'] == [1, 2]",
  },
  "temporary file": {
    write:
      "import tempfile; t = tempfile.NamedTemporaryFile(dir='.'); t.write(b'text')",
    read: "import os; assert not os.listdir()",
  },
  "file of a class of its own": {
    write: `
import io
class Footer(io.TextIOWrapper):
    def close(self):
        if not self.closed:
            self.write(" and its end")
        super().close()
file = Footer(open("out", "wb"))
file.write("text")
`,
    read: "assert open('out').read() == 'text and its end'",
  },
};

/** Runs code by \`python3\` in a folder. */
async function runPython(folder: string, code: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(python.executable, {
    args: ["-c", code],
    cwd: folder,
    stdin: "null",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
}

/** From 3.14 on, `python3` itself may not write the end of a gzip file that is open when it ends; without a GIL, of none. */
const LEAVES_GZIP_INCOMPLETE = python.eval(
  "__import__('sys').version_info >= (3, 14)",
) === true;

for (const [name, { write, read }] of Object.entries(WRITERS)) {
  Deno.test(`a ${name} is complete at the end, as python3 leaves it`, async () => {
    const isComplete = !name.startsWith("gzip") || !LEAVES_GZIP_INCOMPLETE;
    if (isComplete && HAS_GIL) {
      await inFolder(async (folder) => {
        await runPython(folder, write);
        await runPython(folder, read);
      });
    }
    await atTheEnd(
      write + "\ndef function(): pass",
      (folder) => runPython(folder, read),
    );
  });
}

Deno.test("an open ZIP member, its archive and text over both are completed from the outside in", () =>
  atTheEnd(
    `
import gzip, io, zipfile
archive = zipfile.ZipFile("out", "w")
text = io.TextIOWrapper(gzip.GzipFile(fileobj=archive.open("a.gz", "w"), mode="w"))
text.write("text")
`,
    async (folder, stderr) => {
      assertEquals(stderr, "");
      await runPython(
        folder,
        "import gzip, zipfile; assert gzip.decompress(zipfile.ZipFile('out').read('a.gz')) == b'text'",
      );
    },
  ));

Deno.test("Python's output comes out beside open files", () =>
  inFolder(async (folder) => {
    const { stdout } = await run(
      `
      import { python } from "@oneheap/oneheap";
      const folder = ${JSON.stringify(folder)};
      python.run("import __main__, os; os.chdir(folder); __main__.f = open('file', 'w'); __main__.f.write('text'); print('printed', end='')", { names: { folder } });
      `,
      { env: { PYTHONUNBUFFERED: "" } },
    );
    assertStringIncludes(stdout, "printed");
    hasWritten(folder);
  }));
