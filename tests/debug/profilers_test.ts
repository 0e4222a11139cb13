/**
 * Python's profilers see TypeScript: memray, py-spy, pytest-memray, cProfile and tracemalloc's filters. Those that Python doesn't come with
 * are there where `deno task test:pythons` has installed them.
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { recordCallSites } from "../../ffi/debug/debug.ts";
import { alloc, type PyObjectRef, python, PythonScope } from "../../mod.ts";
import { inFolder, run } from "../support/process.ts";
import { pathOf } from "./places.ts";

const HERE = pathOf(import.meta);

/** Whether this Python has a module. */
function has(module: string): boolean {
  return python.eval(
    `__import__("importlib.util").util.find_spec(${
      JSON.stringify(module)
    }) is not None`,
  ) as boolean;
}

/** Registers a test that needs a module. */
function toolTest(
  module: string,
  name: string,
  fn: () => void | Promise<void>,
): void {
  Deno.test({ name: `${module}: ${name}`, ignore: !has(module), fn });
}

Deno.test("tracemalloc: snapshots are filtered by the files of TypeScript, and compared", () => {
  using scope = new PythonScope();
  python.run(
    `
    import tracemalloc
    tracemalloc.start(4)
    only_here = [tracemalloc.Filter(True, "*/profilers_test.ts")]
    before = tracemalloc.take_snapshot().filter_traces(only_here)
    `,
    { scope },
  );
  using _recording = recordCallSites({ frames: 1 });
  using _block = alloc(Uint8Array, 5_000_000);
  const [file, size] = python.eval<[string, number]>(
    `(lambda it: (it.traceback[0].filename, it.size_diff))(
      tracemalloc.take_snapshot().filter_traces(only_here).compare_to(before, "lineno")[0])`,
    { scope, toJs: true },
  );
  python.run("tracemalloc.stop()", { scope });
  assertEquals(file, HERE);
  // Python's own objects for the call may be there too.
  assertGreater(size, 4_999_999);
  assertLess(size, 5_001_000);
});

Deno.test("tracemalloc may be stopped as soon as a recording has begun", async () => {
  // CPython crashes where a thread makes its state meanwhile; without care, one process in six.
  const program = `
    import { recordCallSites } from "@oneheap/oneheap/debug";
    import { python, PythonScope } from "@oneheap/oneheap";
    const scope = new PythonScope();
    python.run("import tracemalloc, time", { scope });
    recordCallSites({ frames: 1 });
    python.run(\`
end = time.monotonic() + 0.3
while time.monotonic() < end:
    tracemalloc.start(4)
    tracemalloc.stop()
\`, { scope });
  `;
  const results = await Promise.all(
    Array.from({ length: 8 }, () => run(program)),
  );
  for (const { code, signal, stderr } of results) {
    assertEquals([code, signal], [0, null], stderr);
  }
});

Deno.test("cProfile: the functions of TypeScript are in its statistics, above Python's", () => {
  using scope = new PythonScope();
  python.run(
    `
    import cProfile, pstats
    profile = cProfile.Profile()

    def work():
        return sum(range(1000))
    `,
    { scope },
  );
  using _recording = recordCallSites({ frames: 2 });
  using profile = scope.get("profile") as PyObjectRef;
  using work = scope.get("work") as PyObjectRef;
  function profiled() {
    return work.call();
  }
  profile.method("enable");
  profiled();
  profiled();
  profile.method("disable");
  const stats = python.eval<[string, string, number][]>(
    "[(file, name, calls) for (file, _, name), (calls, *_) in pstats.Stats(profile).stats.items()]",
    { scope, toJs: true },
  );
  const callsOf = (function_: string) =>
    stats.find(([, name]) => name === function_)?.[2];
  assertEquals(callsOf("profiled"), 2);
  assertEquals(callsOf("work"), 2);
  assert(stats.some(([file]) => file === HERE));
});

/** A program that memray tracks, and what it has of the largest allocation: its size, and its stack, the innermost frame first. */
async function tracked(
  folder: string,
  options: string,
  stack: string,
  env: Record<string, string> = {},
): Promise<{ size: number; stack: [string, string, number][] }> {
  const file = `${folder}/memray.bin`;
  const program = await run(
    `import { alloc, python, PythonScope } from "@oneheap/oneheap";
    using scope = new PythonScope();
    python.run("import memray; tracker = memray.Tracker(file${options}); tracker.__enter__()", { scope, names: { file: ${
      JSON.stringify(file)
    } } });
    function loads() {
      return alloc(Uint8Array, 50_000_000);
    }
    function main() {
      return loads();
    }
    const block = main();
    python.run("tracker.__exit__(None, None, None)", { scope });
    console.log(block.length);`,
    { env: { ONEHEAP_CALL_SITES: "4", ...env } },
  );
  assertEquals([program.code, program.stderr, program.stdout], [
    0,
    "",
    "50000000\n",
  ]);
  using scope = new PythonScope();
  python.run(
    `
    import memray
    with memray.FileReader(file) as reader:
        largest = max(reader.get_high_watermark_allocation_records(merge_threads=True), key=lambda it: it.size)
        found = {"size": largest.size, "stack": [list(it) for it in largest.${stack}()]}
    `,
    { scope, names: { file } },
  );
  return python.eval("found", { scope, toJs: true });
}

toolTest(
  "memray",
  "a block has its functions and lines",
  () =>
    inFolder(async (folder) => {
      const { size, stack } = await tracked(folder, "", "stack_trace");
      assertGreater(size, 49_999_999);
      assertEquals(stack.slice(0, 2).map(([name]) => name), ["loads", "main"]);
      assertMatch(stack[0][1], /\.ts$/);
      assertEquals(stack[0][2], 5);
    }),
);

/** The library with line tables, if it is built: `cargo build --profile line-tables`. */
const LINE_TABLES = new URL(
  "../../rust/target/line-tables/liboneheap_deno.so",
  import.meta.url,
);

function isBuilt(file: URL): boolean {
  try {
    return Deno.statSync(file).isFile;
  } catch {
    return false;
  }
}

Deno.test({
  name:
    "memray: native traces show the lines of Rust, where the library has line tables",
  ignore: !has("memray") || !isBuilt(LINE_TABLES),
  fn: () =>
    inFolder(async (folder) => {
      const { stack } = await tracked(
        folder,
        ", native_traces=True",
        "hybrid_stack_trace",
        { ONEHEAP_LIBRARY: pathOfUrl(LINE_TABLES) },
      );
      const rust = stack.filter(([, file]) => file.endsWith(".rs"));
      assert(
        rust.some(([name]) => name.includes("oneheap_block_alloc")),
        JSON.stringify(stack),
      );
      assert(rust.some(([, file, line]) =>
        file.endsWith("memory/block.rs") && line > 0
      ));
      const names = stack.map(([name]) =>
        name
      );
      assertGreater(names.indexOf("main"), names.indexOf("loads"));
    }),
});

function pathOfUrl(url: URL): string {
  return decodeURIComponent(url.pathname);
}

toolTest(
  "pytest_memray",
  "a limit holds for what TypeScript allocates, and the report has its place",
  () =>
    inFolder(async (folder) => {
      await Deno.writeTextFile(
        `${folder}/test_limit.py`,
        `import builtins, ctypes, pytest

allocate = ctypes.CFUNCTYPE(None, ctypes.c_double)(builtins.allocate_address)

@pytest.mark.limit_memory("20 MB")
def test_within_the_limit():
    allocate(1e6)

@pytest.mark.limit_memory("20 MB")
def test_beyond_the_limit():
    allocate(5e7)
`,
      );
      const { stdout, stderr } = await run(
        `import { alloc, python } from "@oneheap/oneheap";
      const kept = [];
      function allocatesInCallback(size) { kept.push(alloc(Uint8Array, size)); }
      const callback = new Deno.UnsafeCallback({ parameters: ["f64"], result: "void" }, allocatesInCallback);
      const address = Number(Deno.UnsafePointer.value(callback.pointer));
      python.run("import builtins; builtins.allocate_address = address", { names: { address } });
      python.run("import pytest, sys; sys.argv = ['pytest']; print(pytest.main(['-q', '-p', 'no:cacheprovider', '--memray', folder]))", { names: { folder: ${
          JSON.stringify(folder)
        } } });
      callback.close();`,
        { env: { ONEHEAP_CALL_SITES: "4" }, cwd: folder },
      );
      assertStringIncludes(stdout, "1 failed, 1 passed", stderr);
      assertStringIncludes(stdout, "allocatesInCallback");
      assertStringIncludes(stdout, "test_beyond_the_limit");
    }),
);

/** py-spy beside the Python that runs. */
const PY_SPY = `${python.executable.replace(/[^/]*$/, "")}py-spy`;

Deno.test({
  name:
    "py-spy: dump shows the functions of TypeScript in a Deno process that runs",
  ignore: !isBuilt(new URL(`file://${PY_SPY}`)),
  fn: () =>
    inFolder(async (folder) => {
      await Deno.writeTextFile(
        `${folder}/sleeps.ts`,
        `import { python } from "${import.meta.resolve("../../mod.ts")}";
        function waitsForPython() {
          python.run("import time\\ndef waits():\\n    time.sleep(30)\\nprint('ready', flush=True)\\nwaits()");
        }
        waitsForPython();`,
      );
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", "--quiet", `${folder}/sleeps.ts`],
        env: { ONEHEAP_CALL_SITES: "4", ONEHEAP_PYTHON: python.executable },
        stdin: "null",
        stdout: "piped",
      }).spawn();
      const reader = child.stdout.getReader();
      await reader.read();
      const { success, stdout, stderr } = await new Deno.Command(PY_SPY, {
        args: ["dump", "--pid", String(child.pid)],
      }).output();
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
      const text = new TextDecoder();
      const said = text.decode(stderr);
      if (!success && /permission denied|not permitted/i.test(said)) {
        console.log("py-spy may not trace other processes here");
        return;
      }
      assert(success, said);
      assertMatch(
        text.decode(stdout),
        /waits \(.*\n.*\n? *waitsForPython \(.*sleeps\.ts:3\)/,
      );
    }),
});
