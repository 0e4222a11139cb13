/** Where memory is out, what fails says so with an error of its own, and changes nothing. */

import { assertEquals, assertMatch } from "@std/assert";
import { python } from "../../mod.ts";
import { buildFailingMalloc } from "./memory_out/failing_malloc.ts";
import { CASES } from "./memory_out/limited_cases.ts";

/** `LD_PRELOAD` and `RLIMIT_AS` do what these tests need there. */
const IS_LINUX = Deno.build.os === "linux";

/** A program that takes longer hangs. */
const DEADLINE_MILLISECONDS = 300_000;

/** Runs a program of `memory_out/`. */
async function runProgram(
  name: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const program = new URL(`memory_out/${name}`, import.meta.url).href;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", program, ...args],
    env: { NO_COLOR: "1", ONEHEAP_PYTHON: python.executable, ...env },
    stdin: "null",
    signal: AbortSignal.timeout(DEADLINE_MILLISECONDS),
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** Gives the function the library that fails requests for memory. */
async function withFailingMalloc(
  use: (path: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(await buildFailingMalloc(folder));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** How many requests of `compile` make this Python fail without an exception, without this library. */
async function countCompileFaults(malloc: string): Promise<string> {
  const { success, stdout } = await new Deno.Command(python.executable, {
    args: [new URL("memory_out/faults.py", import.meta.url).pathname],
    env: { LD_PRELOAD: malloc },
    stdin: "null",
  }).output();
  assertEquals(success, true);
  return new TextDecoder().decode(stdout).trim();
}

for (const mode of ["nth", "rest"]) {
  const what = mode === "nth"
    ? "any one request for memory"
    : "every request for memory from any one on";
  Deno.test({
    name:
      `every operation fails with an error and changes nothing when ${what} fails`,
    ignore: !IS_LINUX,
    fn: () =>
      withFailingMalloc(async (malloc) => {
        const faults = await countCompileFaults(malloc);
        const { code, stdout, stderr } = await runProgram(
          "program.ts",
          [mode, faults],
          { LD_PRELOAD: malloc },
        );
        const last = stdout.trim().split("\n").at(-1);
        assertEquals({ code, last, stderr }, {
          code: 0,
          last: "done",
          stderr: "",
        });
        assertMatch(stdout, /^call with large bytes: [1-9]/m);
      }),
  });
}

for (const name of Object.keys(CASES)) {
  Deno.test({
    name:
      `an AllocationError, and nothing worse, where the system has no memory for ${name}`,
    ignore: !IS_LINUX,
    async fn() {
      const result = await runProgram("limited.ts", [name]);
      assertEquals(result, { code: 0, stdout: "true\ntrue 2\n", stderr: "" });
    },
  });
}
