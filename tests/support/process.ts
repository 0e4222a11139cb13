/** Scripts and programs in processes of their own. */

import { python } from "../../mod.ts";
import { withCheckoutImports } from "./checkout_imports.ts";

const ROOT = new URL("../../", import.meta.url);

/** How a script is run: the flags of `deno run` (all permissions by default), environment variables, and folders. */
export interface RunOptions {
  flags?: string[];
  env?: Record<string, string>;
  /** The current folder. */
  cwd?: string;
  /** The script's own folder; a temporary one by default. */
  folder?: string;
}

/** The outcome of a script. */
export interface RunResult {
  code: number;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** A script that takes longer is killed: it hangs. */
const DEADLINE_MILLISECONDS = 60_000;

/**
 * Runs TypeScript in a Deno of its own. In it `@oneheap/oneheap` is this checkout's `mod.ts`, and `@oneheap/c_api`
 * its `tests/support/c_api.ts`.
 */
export async function run(
  source: string,
  { flags = ["-A"], env = {}, cwd, folder }: RunOptions = {},
): Promise<RunResult> {
  const file = await Deno.makeTempFile({ dir: folder, suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      file,
      withCheckoutImports(source)
        .replaceAll(
          "@oneheap/c_api",
          new URL("tests/support/c_api.ts", ROOT).href,
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
