/** What several tests need: element types, block counts, scripts in a process of their own, and V8's collector. */

import { assertEquals } from "@std/assert";
import {
  type Element,
  type EmbeddedPython,
  python,
  PythonScope,
  stats,
  type TypedArray,
  type TypedArrayConstructor,
} from "../../mod.ts";

const ROOT = new URL("../../", import.meta.url);

/** Numbers as elements of a typed array: bigints where it has those. */
export function elements<A extends TypedArray>(
  type: TypedArrayConstructor<A>,
  ...numbers: number[]
): Element<A>[] {
  return type.name.startsWith("Big") ? numbers.map(BigInt) : numbers;
}

/** Runs a function, and fails unless as many blocks and bytes are alive after it as before. */
export function leavesNothing(run: () => void): void {
  const before = stats();
  run();
  const after = stats();
  assertEquals(after.blocks, before.blocks);
  assertEquals(after.bytes, before.bytes);
}

/** Whether an attached thread keeps others from running Python code: not on free-threaded builds. */
export const HAS_GIL = python.eval(
  "getattr(__import__('sys'), '_is_gil_enabled', lambda: True)()",
) === true;

/** How a script is run: the flags of `deno run` (all permissions by default), environment variables, and folders. */
export interface RunOptions {
  flags?: string[];
  env?: Record<string, string>;
  /** The current folder. */
  cwd?: string;
  /** The script's own folder; a temporary one by default. */
  folder?: string;
}

/** What came of a script. */
export interface RunResult {
  code: number;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** A script that takes longer is killed: it hangs. */
const DEADLINE_MILLISECONDS = 60_000;

/**
 * Runs TypeScript in a Deno of its own. In it `@oneheap/oneheap` is this checkout's `mod.ts`, and `@oneheap/interpreter`
 * its `tests/support/interpreter.ts`.
 */
export async function run(
  source: string,
  { flags = ["-A"], env = {}, cwd, folder }: RunOptions = {},
): Promise<RunResult> {
  const file = await Deno.makeTempFile({ dir: folder, suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      file,
      source
        .replaceAll("@oneheap/oneheap", new URL("mod.ts", ROOT).href)
        .replaceAll(
          "@oneheap/interpreter",
          new URL("tests/support/interpreter.ts", ROOT).href,
        ),
    );
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--no-check",
        "--quiet",
        "--v8-flags=--expose-gc",
        ...flags,
        file,
      ],
      env: { NO_COLOR: "1", ...env },
      cwd,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const deadline = setTimeout(
      () => child.kill("SIGKILL"),
      DEADLINE_MILLISECONDS,
    );
    const output = await child.output();
    clearTimeout(deadline);
    const { code, signal } = output;
    const decoder = new TextDecoder();
    return {
      code,
      signal,
      stdout: decoder.decode(output.stdout),
      stderr: decoder.decode(output.stderr),
    };
  } finally {
    await Deno.remove(file);
  }
}

/** Runs a program of `tasks/` with this process's library and Python. */
export async function runTask(
  name: string,
  args: string[] = [],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const program = new URL(`tasks/${name}`, ROOT).href;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", "--quiet", program, ...args],
    env: {
      NO_COLOR: "1",
      ONEHEAP_LIBRARY: openedLibrary("liboneheap_deno.so"),
      ONEHEAP_PYTHON: python.executable,
      ...env,
    },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** What came of importing the library in a process of its own: a Python, or what Deno printed about the error. */
export interface Loading {
  python: EmbeddedPython | undefined;
  error: string;
}

/** An environment that names no Python but what is on the `PATH`. */
export const NO_PYTHON = {
  ONEHEAP_PYTHON: "",
  VIRTUAL_ENV: "",
  CONDA_PREFIX: "",
};

/** Imports the library in a process of its own and uses it there. Nothing but `env` tells it where Python is. */
export async function load(
  { env, ...options }: RunOptions = {},
): Promise<Loading> {
  const { stdout, stderr } = await run(
    `
    import { alloc, python } from "@oneheap/oneheap";
    using block = alloc(Float64Array, 8);
    block.view.fill(1.5);
    if (block.realloc(16).view[7] === 1.5) console.log(JSON.stringify(python));
    `,
    { ...options, env: { ...NO_PYTHON, ...env } },
  );
  const python = stdout === "" ? undefined : JSON.parse(stdout);
  return { python, error: stderr };
}

/** The file of a library that this process has opened, told by how its path ends. */
export function openedLibrary(name: string): string {
  const files = Deno.readTextFileSync("/proc/self/maps").split("\n")
    .filter((line) => line.endsWith(name))
    .map((line) => line.slice(line.indexOf("/")));
  if (files.length === 0) throw new Error(`${name} is not open`);
  return files[0];
}

/** Gives the function a temporary folder, whose name is not all ASCII and which is removed in the end. */
export async function inFolder(
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "oneheap ünï 日本 " });
  try {
    await use(await Deno.realPath(folder));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Writes an executable `python3` into a folder and returns its path: the embedded Python's, but `prelude` runs before
 * what it is asked. It adds a line to `python3.log` beside it each time that it is started.
 */
export async function writePython3(
  folder: string,
  prelude = "",
): Promise<string> {
  const path = `${folder}/python3`;
  const script = `#!/bin/sh
echo started >> "$0.log"
for question; do :; done
exec '${python.executable}' -I -S -X utf8 -c "${prelude}
$question"
`;
  await Deno.writeTextFile(path, script, { mode: 0o755 });
  return path;
}

/** What `writePython3` puts before the question to make a Python of that version. */
export function ofVersion(major: number, minor: number): string {
  return `import sys; sys.version_info = (${major}, ${minor}, 0, 'final', 0)`;
}

/** What makes a Python without a shared library: no such file is there. */
export const WITHOUT_LIBRARY =
  "import os.path; os.path.isfile = lambda path: False";

/** Makes a virtual environment of the embedded Python with a module `marker` in it, whose `value` is 42. */
export async function makeVirtualEnvironment(root: string): Promise<string> {
  const { success } = await new Deno.Command(python.executable, {
    args: ["-m", "venv", "--without-pip", root],
  }).output();
  if (!success) throw new Error(`no virtual environment at ${root}`);
  const [{ name }] = Deno.readDirSync(`${root}/lib`);
  const module = `${root}/lib/${name}/site-packages/marker.py`;
  await Deno.writeTextFile(module, "value = 42\n");
  return root;
}

/** Collects all garbage now; the tests run with `--expose-gc`. */
export function collectGarbage(): void {
  (globalThis as unknown as { gc(): void }).gc();
}

/** Waits until the condition holds, collecting garbage meanwhile; fails after a while. */
export async function until(
  condition: () => boolean,
  what: string,
): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (condition()) return;
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`waited in vain: ${what}`);
}

/**
 * Runs a function over and over, and fails unless Python then has as many blocks of memory and references as before. Where
 * Python's allocator doesn't count its blocks (`PYTHONMALLOC=malloc`), only references are compared.
 *
 * @param warmUp So often it is run before: what is kept of the last sources, say, isn't lost memory.
 */
export async function leavesNothingInPython(
  run: () => void,
  { repetitions = 2_000, warmUp = 100 } = {},
): Promise<void> {
  using scope = new PythonScope();
  // The references that are counted are those that no call may leave behind. From 3.12 on some of the objects count none.
  python.run(
    `
    import gc, sys
    clear_caches = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache
    lasting = None, True, int, float, str, bytes, dict, tuple, TypeError, __builtins__
    def count():
        clear_caches()
        gc.collect()
        return f"{sys.getallocatedblocks()} {sum(map(sys.getrefcount, lasting))}"
    `,
    { scope },
  );
  const counts = () =>
    (python.eval("count()", { scope }) as string).split(" ").map(Number);
  const repeat = (times: number) => {
    for (let time = 0; time < times; time++) run();
  };
  repeat(warmUp);
  collectGarbage();
  const before = counts();
  repeat(repetitions);
  const isAsBefore = () =>
    counts().every((count, index) => count < before[index] + repetitions / 20);
  await until(isAsBefore, "as few blocks and references in Python as before");
}
