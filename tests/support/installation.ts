/** Installations of Python and virtual environments that the tests make, and importing the library beside them. */

import { type EmbeddedPython, python } from "../../mod.ts";
import { run, type RunOptions } from "./process.ts";

/** The outcome of importing the library in a process of its own: a Python, or what Deno printed about the error. */
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
