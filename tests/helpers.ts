/** What several tests need: scripts run in a process of their own, and waiting for V8's collector. */

const ROOT = new URL("../", import.meta.url);

/** How a script is run: the flags of `deno run` (all permissions by default), and environment variables. */
export interface RunOptions {
  flags?: string[];
  env?: Record<string, string>;
}

/** What came of a script. */
export interface RunResult {
  code: number;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** Runs TypeScript in a Deno of its own. In it `@oneheap/oneheap` is this checkout's `mod.ts`. */
export async function run(
  source: string,
  { flags = ["-A"], env = {} }: RunOptions = {},
): Promise<RunResult> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      file,
      source.replaceAll("@oneheap/oneheap", new URL("mod.ts", ROOT).href),
    );
    const output = await new Deno.Command(Deno.execPath(), {
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
      stdin: "null",
    }).output();
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
