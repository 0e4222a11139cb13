/** `doctor --memory`: what holds the memory of a program that runs, or ran. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { inFolder } from "../support/process.ts";

const ROOT = new URL("../../", import.meta.url);
const DEBUG = new URL("ffi/debug/debug.ts", ROOT).href;
const MOD = new URL("mod.ts", ROOT).href;

/** Runs the doctor. */
async function doctor(
  cache: string,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "ffi/doctor/doctor.ts", "--memory", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", ONEHEAP_CACHE: cache },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** A program that runs until it is disposed. */
class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  /** Starts a program that imports `debug`, and waits until it has printed something. */
  static async start(
    folder: string,
    name: string,
    body: string,
    flags: string[] = ["-A"],
  ): Promise<Program> {
    const file = `${folder}/${name}`;
    await Deno.writeTextFile(
      file,
      `import { alloc, attach, python, PythonScope } from "${MOD}";
      import "${DEBUG}";
      ${body}`,
    );
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--no-check", "--quiet", ...flags, file],
      env: { NO_COLOR: "1", ONEHEAP_CACHE: folder, ONEHEAP_CALL_SITES: "4" },
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    reader.releaseLock();
    return new Program(child);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Ends it as the system does. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }

  /** Waits until it has ended by itself. */
  async ended(): Promise<void> {
    await this.#child.stdout.cancel();
    await this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    if (!this.#child.stdout.locked) {
      await this.#child.stdout.cancel().catch(() => {});
    }
  }
}

/** Holds 50 MB in a block, and more in a dict of Python's, then does something. */
const HOLDS = (then: string) => `
  function loads() { return alloc(Uint8Array, 50_000_000); }
  globalThis.block = loads();
  globalThis.scope = new PythonScope();
  python.run("cache = {i: str(i) * 30 for i in range(400_000)}", { scope });
  console.log("ready");
  ${then}`;

const BUSY = "for (;;) {}";

function memoryTest(
  name: string,
  run: (folder: string) => Promise<void>,
): void {
  Deno.test({
    name: `doctor --memory: ${name}`,
    ignore: Deno.build.os === "windows",
    fn: () => inFolder(run),
  });
}

memoryTest(
  "a program whose JavaScript is busy says what holds its memory, the largest first",
  async (folder) => {
    await using program = await Program.start(folder, "busy.ts", HOLDS(BUSY));
    const { code, stdout, stderr } = await doctor(folder);
    assertEquals([code, stderr], [0, ""]);
    const lines = stdout.trimEnd().split("\n");
    assert(lines.length <= 12, stdout);
    assertStringIncludes(lines[0], `busy.ts, process ${program.pid}`);
    assertMatch(lines[1], /^47\.7 MiB in 1 blocks/);
    const sizes = lines.slice(3);
    assertMatch(sizes[0], /MiB in \d+: Python's builtins\.str$/);
    assertMatch(sizes[1], /^ +47\.7 MiB in 1: loads \(.*busy\.ts:\d+\)$/);
  },
);

memoryTest("where somebody keeps the GIL, the rest is said", async (folder) => {
  await using _program = await Program.start(
    folder,
    "attached.ts",
    HOLDS(`attach(); ${BUSY}`),
  );
  const { code, stdout } = await doctor(folder);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "Python didn't answer in time");
  assertMatch(stdout, /47\.7 MiB in 1: loads/);
});

memoryTest(
  "of several programs one is chosen by its number, and a killed one isn't asked",
  async (folder) => {
    await using first = await Program.start(folder, "first.ts", HOLDS(BUSY));
    await using second = await Program.start(folder, "second.ts", HOLDS(BUSY));
    const both = await doctor(folder);
    assertEquals(both.code, 1);
    assertStringIncludes(both.stderr, `--memory ${first.pid}`);
    assertStringIncludes(both.stderr, `--memory ${second.pid}`);
    const chosen = await doctor(folder, `${second.pid}`);
    assertEquals(chosen.code, 0);
    assertStringIncludes(chosen.stdout, "second.ts");
    await first.kill();
    const left = await doctor(folder);
    assertEquals(left.code, 0);
    assertStringIncludes(left.stdout, "second.ts");
  },
);

memoryTest(
  "a program that has ended said what it held then",
  async (folder) => {
    await using program = await Program.start(folder, "ended.ts", HOLDS(""));
    await program.ended();
    const { code, stdout } = await doctor(folder);
    assertEquals(code, 0);
    assertStringIncludes(stdout, "No program that runs answers");
    assertStringIncludes(stdout, "47.7 MiB in 1: loads");
    const names = [...Deno.readDirSync(`${folder}/memory`)].map(({ name }) =>
      name
    );
    assertEquals(names, [`${program.pid}.txt`]);
  },
);

memoryTest("where nobody answers, it says what to do", async (folder) => {
  const { code, stderr } = await doctor(folder);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "has to import @oneheap/oneheap/debug");
});

memoryTest(
  "without the permission to write nothing is written, and the program runs",
  async (folder) => {
    await using program = await Program.start(folder, "reads.ts", HOLDS(""), [
      "--allow-ffi",
      "--allow-read",
      "--allow-env",
      "--allow-run",
    ]);
    await program.ended();
    assertEquals(
      [...Deno.readDirSync(folder)].map(({ name }) => name),
      ["reads.ts"],
    );
  },
);
