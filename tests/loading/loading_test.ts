import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { basename, relative } from "node:path";
import { python } from "../../mod.ts";
import {
  load,
  makeVirtualEnvironment,
  NO_PYTHON,
  ofVersion,
  WITHOUT_LIBRARY,
  writePython3,
} from "../support/installation.ts";
import { inFolder, openedLibrary, run } from "../support/process.ts";

/** How the Rust library's path ends. */
const LIBRARY_NAME = "/liboneheap_deno.so";

const VERSION = python.version.match(/^3\.\d+/)![0];

/** Answers as PyPy would. */
const PYPY = "import sys; sys.implementation.name = 'pypy'";

/** A copy of the embedded Python's library, with an executable beside it as in an installation. */
async function copyPythonLibrary(
  folder: string,
  name = basename(Deno.realPathSync(python.library)),
): Promise<string> {
  const library = `${folder}/lib/${name}`;
  const executable = name.replace("lib", "bin/").replace(/\.so.*/, "");
  await Deno.mkdir(`${folder}/lib`);
  await Deno.mkdir(`${folder}/bin`);
  await Deno.copyFile(python.library, library);
  await Deno.symlink(python.executable, `${folder}/${executable}`);
  return library;
}

Deno.test("python3 on the PATH is asked for its library, and that is embedded", () =>
  inFolder(async (folder) => {
    await writePython3(folder);
    const loading = await load({ env: { PATH: folder } });
    assertEquals(loading.error, "");
    assertEquals(loading.python?.version, python.version);
    assertEquals(loading.python?.prefix, python.prefix);
    assertEquals(loading.python?.executable, python.executable);
    assertEquals(
      await Deno.realPath(loading.python!.library),
      await Deno.realPath(python.library),
    );
  }));

Deno.test("without any Python the error tells what was tried and what to do", () =>
  inFolder(async (folder) => {
    for (const PATH of [folder, ""]) {
      const { error } = await load({ env: { PATH } });
      assertStringIncludes(error, "LibraryError: No Python to embed was found");
      assertStringIncludes(error, "Install Python 3.11 or later");
      assertStringIncludes(error, "set ONEHEAP_PYTHON");
      assertStringIncludes(error, "python3: there is none");
    }
  }));

Deno.test("the error that import throws lists the attempts in its field", () =>
  inFolder(async (folder) => {
    const VIRTUAL_ENV = `${folder}/gone`;
    const { stdout } = await run(
      `
      try {
        await import("@oneheap/oneheap");
      } catch ({ name, tried }) {
        console.log(JSON.stringify({ name, tried }));
      }
      `,
      { env: { ...NO_PYTHON, PATH: folder, VIRTUAL_ENV } },
    );
    const reason = "there is none";
    assertEquals(JSON.parse(stdout), {
      name: "LibraryError",
      tried: [
        { subject: `${VIRTUAL_ENV}/bin/python3`, reason },
        { subject: "python3", reason },
      ],
    });
  }));

Deno.test("of a Python without a shared library the error names the package to install", () =>
  inFolder(async (folder) => {
    await writePython3(folder, WITHOUT_LIBRARY);
    const { error } = await load({ env: { PATH: folder } });
    assertStringIncludes(error, `Python ${VERSION} (${python.executable})`);
    assertStringIncludes(error, "has no shared library");
    assertStringIncludes(error, `install the package libpython${VERSION}`);
    assertStringIncludes(error, "Debian");
    assertStringIncludes(error, "--enable-shared");
  }));

Deno.test("a Python that can't be embedded is refused with the reason", () =>
  inFolder(async (folder) => {
    const cases = [
      [ofVersion(3, 10), "it is Python 3.10; 3.11 or later is needed"],
      [ofVersion(2, 7), "it doesn't answer as a Python 3 does"],
      [PYPY, "it is pypy; CPython is needed"],
      ["raise SystemExit(7)", "it ended with status 7"],
      ["1 / 0", "it ended with status 1: ZeroDivisionError: division by zero"],
      ["raise SystemExit", "it doesn't answer as a Python 3 does"],
    ];
    for (const [prelude, reason] of cases) {
      await writePython3(folder, prelude);
      const { error } = await load({ env: { PATH: folder } });
      assertStringIncludes(error, `python3: ${reason}`);
    }
  }));

Deno.test("ONEHEAP_PYTHON names an executable, and goes before VIRTUAL_ENV and PATH", () =>
  inFolder(async (folder) => {
    const ONEHEAP_PYTHON = await writePython3(folder);
    const env = { ONEHEAP_PYTHON, VIRTUAL_ENV: "/nowhere", PATH: "/nowhere" };
    const loading = await load({ env });
    assertEquals(loading.error, "");
    assertEquals(loading.python?.executable, python.executable);
  }));

Deno.test("ONEHEAP_PYTHON names a shared library, whose installation's executable and prefix are taken", () =>
  inFolder(async (folder) => {
    const library = await copyPythonLibrary(folder);
    const env = { ONEHEAP_PYTHON: library, PATH: "/nowhere" };
    const loading = await load({ env });
    assertEquals(loading.error, "");
    assertEquals(loading.python?.library, library);
    assertMatch(loading.python!.executable, /\/bin\/python3\.\d+t?$/);
    assertStringIncludes(loading.python!.executable, folder);
  }));

Deno.test("ONEHEAP_PYTHON that names nothing to embed is an error with the reason", () =>
  inFolder(async (folder) => {
    await writePython3(folder);
    const text = `${folder}/text`;
    const textLibrary = `${folder}/libpython${VERSION}.so`;
    await Deno.writeTextFile(text, "neither", { mode: 0o644 });
    await Deno.mkdir(`${folder}/empty`);
    await Deno.copyFile(text, textLibrary);
    const cases = [
      [`${folder}/missing`, "which can't be embedded", "there is none"],
      [text, "which can't be embedded", "Permission denied"],
      [folder, "names a folder", `library: ${folder}/python3, perhaps.`],
      [`${folder}/empty`, "names a folder", "Python's shared library."],
      ["/bin/echo", "which can't be embedded", "doesn't answer as a Python 3"],
      [`${folder}/libpython3.11.so.9`, "is not there", "Set ONEHEAP_PYTHON"],
      [textLibrary, "can't be opened as a library", ""],
      ["libpython3.10.so.1.0", "can't be embedded", "it is Python 3.10"],
    ];
    for (const [ONEHEAP_PYTHON, ...parts] of cases) {
      const { error } = await load({ env: { ONEHEAP_PYTHON, PATH: folder } });
      assertStringIncludes(error, "LibraryError");
      assertStringIncludes(error, ONEHEAP_PYTHON);
      for (const part of parts) assertStringIncludes(error, part);
    }
  }));

Deno.test("a library that only calls itself libpython is an error", () =>
  inFolder(async (folder) => {
    const library = `${folder}/libpython${VERSION}.so`;
    await Deno.copyFile(openedLibrary("/libm.so.6"), library);
    const { error } = await load({ env: { ONEHEAP_PYTHON: library } });
    assertStringIncludes(error, "LibraryError");
    assertStringIncludes(
      error,
      `needs functions of Python that ${library} doesn't have`,
    );
  }));

Deno.test("the embedded Python imports the packages of the virtual environment that it was found by", () =>
  inFolder(async (folder) => {
    const root = await makeVirtualEnvironment(`${folder}/environment`);
    await writePython3(folder);
    const environments = [
      { ONEHEAP_PYTHON: "", VIRTUAL_ENV: root, PATH: folder },
      { ONEHEAP_PYTHON: "", VIRTUAL_ENV: "", PATH: `${root}/bin` },
      { ONEHEAP_PYTHON: `${root}/bin/python3`, VIRTUAL_ENV: "", PATH: folder },
    ];
    await Promise.all(environments.map(async (env) => {
      const { stdout, stderr } = await run(
        `
        import { python } from "@oneheap/oneheap";
        import { evaluate } from "@oneheap/c_api";
        console.log(python.prefix);
        console.log(evaluate("__import__('marker').value"));
        `,
        { env: { LC_ALL: "C", CONDA_PREFIX: "", ...env } },
      );
      assertEquals(stderr, "");
      assertEquals(stdout, `${root}\n42\n`);
    }));
  }));

/** Opens that libpython as another library of Deno's would, then imports the library. */
function loadBeside(
  library: string,
  { before = "", after = "", env = {} }: {
    before?: string;
    after?: string;
    env?: Record<string, string>;
  } = {},
): ReturnType<typeof run> {
  return run(
    `
    const other = Deno.dlopen(${JSON.stringify(library)}, {
      Py_InitializeEx: { parameters: ["i32"], result: "void" },
      PyEval_SaveThread: { parameters: [], result: "pointer" },
      PyEval_RestoreThread: { parameters: ["pointer"], result: "void" },
      PyRun_SimpleString: { parameters: ["buffer"], result: "i32" },
    }).symbols;
    function execute(statement) {
      other.PyRun_SimpleString(new TextEncoder().encode(statement + "\\0"));
    }
    ${before}
    const { alloc, attach, python, raw } = await import("@oneheap/oneheap");
    const block = alloc(Float64Array, 1_000);
    block.view.fill(1);
    block.realloc(2_000).view;
    {
      using _attached = attach();
      raw.free(raw.malloc(64));
    }
    block.free();
    console.log(python.library);
    ${after}
    `,
    { env: { ...NO_PYTHON, ...env } },
  );
}

Deno.test("the same libpython opened before by somebody else, for itself alone, is taken", async () => {
  const { stdout, stderr } = await loadBeside(python.library, {
    env: { ONEHEAP_PYTHON: python.library },
  });
  assertEquals(stderr, "");
  assertEquals(stdout, `${python.library}\n`);
});

Deno.test("another libpython opened before is taken in place of the one that is found", () =>
  inFolder(async (folder) => {
    await writePython3(folder);
    const library = await copyPythonLibrary(folder);
    const { stdout, stderr } = await loadBeside(library, {
      env: { PATH: folder },
    });
    assertEquals(stderr, "");
    assertEquals(stdout, `${library}\n`);
  }));

Deno.test("another libpython than the one ONEHEAP_PYTHON asks for is an error", () =>
  inFolder(async (folder) => {
    const library = await copyPythonLibrary(folder);
    for (const ONEHEAP_PYTHON of [python.library, python.executable]) {
      const { code, stderr } = await loadBeside(library, {
        env: { ONEHEAP_PYTHON },
      });
      assertEquals(code, 1);
      assertStringIncludes(stderr, "LibraryError: Another Python is in this");
      assertStringIncludes(stderr, `Set ONEHEAP_PYTHON to ${library}`);
    }
    const { stdout, stderr } = await loadBeside(library, {
      env: { ONEHEAP_PYTHON: library },
    });
    assertEquals(stderr, "");
    assertEquals(stdout, `${library}\n`);
  }));

Deno.test("another libpython that is too old is an error", () =>
  inFolder(async (folder) => {
    await writePython3(folder);
    const library = await copyPythonLibrary(folder, "libpython3.10.so.1.0");
    const { code, stderr } = await loadBeside(library, {
      env: { PATH: folder },
    });
    assertEquals(code, 1);
    assertStringIncludes(stderr, "LibraryError: Another Python is in this");
    assertStringIncludes(stderr, `${library}: it is Python 3.10`);
  }));

Deno.test("a Python that somebody else has started on this thread goes on, attached or detached", async () => {
  const start = "other.Py_InitializeEx(0); execute('mark = 42');";
  const end = "execute('print(mark, flush=True)');";
  const cases = [
    { before: start, after: end },
    {
      before: `${start} const state = other.PyEval_SaveThread();`,
      after: `other.PyEval_RestoreThread(state); ${end}`,
    },
  ];
  await Promise.all(cases.map(async ({ before, after }) => {
    const env = { ONEHEAP_PYTHON: python.executable };
    const result = await loadBeside(python.library, { before, after, env });
    assertEquals(result.stderr, "");
    assertMatch(result.stdout, /libpython.*\n42\n$/);
    assertEquals(result.code, 0);
  }));
});

/** The machine code of a function that returns 999. */
const RETURN_999: Partial<Record<string, number[]>> = {
  x86_64: [0xb8, 0xe7, 0x03, 0x00, 0x00, 0xc3],
  aarch64: [0xe0, 0x7c, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6],
};

/**
 * Writes machine code in the place of a function of a 64-bit little-endian ELF library. No compiler has to be there for
 * it, and the library stays the real one in all else.
 */
function replaceFunction(
  library: Uint8Array<ArrayBuffer>,
  name: string,
  code: number[],
): void {
  const file = new DataView(library.buffer);
  const word = (at: number) => Number(file.getBigUint64(at, true));
  const sections = Array.from(
    { length: file.getUint16(0x3c, true) },
    (_, index) => word(0x28) + index * file.getUint16(0x3a, true),
  );
  const SHT_DYNSYM = 11;
  const symbols = sections.find((at) =>
    file.getUint32(at + 4, true) === SHT_DYNSYM
  )!;
  const names = word(sections[file.getUint32(symbols + 0x28, true)] + 0x18);
  const encoded = new TextEncoder().encode(name + "\0");
  const start = word(symbols + 0x18);
  for (let at = start; at < start + word(symbols + 0x20); at += 24) {
    const from = names + file.getUint32(at, true);
    const found = library.subarray(from, from + encoded.length);
    if (!encoded.every((byte, index) => byte === found[index])) continue;
    const address = word(at + 8);
    const section = sections[file.getUint16(at + 6, true)];
    library.set(code, address - word(section + 0x10) + word(section + 0x18));
    return;
  }
  throw new Error(`no ${name} in the library`);
}

Deno.test("a library of another boundary is an error that tells both numbers", () =>
  inFolder(async (folder) => {
    const library = await Deno.readFile(openedLibrary(LIBRARY_NAME));
    replaceFunction(library, "oneheap_abi", RETURN_999[Deno.build.arch]!);
    const ONEHEAP_LIBRARY = `${folder}/library.so`;
    await Deno.writeFile(ONEHEAP_LIBRARY, library);
    const env = { ONEHEAP_PYTHON: python.executable, ONEHEAP_LIBRARY };
    const { error } = await load({ env });
    assertMatch(
      error,
      /LibraryError: .*library\.so .*speaks boundary 999, this version needs \d/,
    );
    assertStringIncludes(error, "deno task build");
  }));

Deno.test("ONEHEAP_LIBRARY may be relative to the current folder", async () => {
  const library = openedLibrary(LIBRARY_NAME);
  const env = {
    ONEHEAP_PYTHON: python.executable,
    ONEHEAP_LIBRARY: relative(Deno.cwd(), library),
  };
  const loading = await load({ env });
  assertEquals(loading.error, "");
  assertEquals(loading.python?.version, python.version);
});

Deno.test("ONEHEAP_LIBRARY that names no library of oneheap's is an error that says so", () =>
  inFolder(async (folder) => {
    const text = `${folder}/text.so`;
    await Deno.writeTextFile(text, "no library");
    const cases = [
      [`${folder}/liboneheap_deno.so`, "The Rust library is not at"],
      [text, "can't be opened as a library"],
      [python.library, "is no library of oneheap's"],
    ];
    for (const [ONEHEAP_LIBRARY, part] of cases) {
      const env = { ONEHEAP_PYTHON: python.executable, ONEHEAP_LIBRARY };
      const { error } = await load({ env });
      assertStringIncludes(error, "LibraryError");
      assertStringIncludes(error, part);
      assertStringIncludes(error, ONEHEAP_LIBRARY);
    }
  }));

Deno.test("python3 is started once, however many Workers import the library", () =>
  inFolder(async (folder) => {
    const path = await writePython3(folder);
    const { stdout, stderr } = await run(
      `
      const code = \`
        import { alloc, python } from "@oneheap/oneheap";
        alloc(Float64Array, 1).free();
        postMessage(python.version);
        close();
      \`;
      const url = "data:text/javascript," + encodeURIComponent(code);
      function inWorker() {
        const worker = new Worker(url, { type: "module" });
        return new Promise((resolve, reject) => {
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = reject;
        });
      }
      const versions = [await inWorker()];
      versions.push(...await Promise.all([inWorker(), inWorker()]));
      versions.push((await import("@oneheap/oneheap")).python.version);
      console.log(versions.join());
      `,
      { env: { ...NO_PYTHON, PATH: folder } },
    );
    assertEquals(stderr, "");
    assertEquals(stdout, Array(4).fill(python.version).join() + "\n");
    assertEquals(await Deno.readTextFile(`${path}.log`), "started\n");
  }));

Deno.test("Workers that import the library first at the same time share one Python", async () => {
  const { stdout, stderr } = await run(`
    const code = \`
      import { evaluate, execute } from "@oneheap/c_api";
      execute("import sys; sys.__dict__.setdefault('counted', []).append(1)");
      postMessage(evaluate("id(sys)"));
      setInterval(() => {}, 1_000);
    \`;
    const url = "data:text/javascript," + encodeURIComponent(code);
    const workers = Array.from({ length: 4 }, () => new Worker(url, { type: "module" }));
    const answers = await Promise.all(workers.map((worker) =>
      new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data))
    ));
    const { evaluate } = await import("@oneheap/c_api");
    console.log(new Set(answers).size, evaluate("len(__import__('sys').counted)"));
    Deno.exit();
  `);
  assertEquals(stderr, "");
  assertEquals(stdout, "1 4\n");
});
