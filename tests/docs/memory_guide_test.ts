/** The guide "Where did my memory go": each of its programs has a fault, which its tool finds as the guide says. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { python } from "../../mod.ts";
import { examplesOf, isAsPromised, pages } from "../support/documents.ts";
import { withCheckoutImports } from "../support/checkout_imports.ts";
import { inFolder } from "../support/process.ts";

const ROOT = new URL("../../", import.meta.url);
const page = pages.find(({ path }) =>
  path === "docs/guide/where-did-my-memory-go.md"
)!;

/** The section of the guide with a program: the program, and what the guide shows of the output. */
function section(file: string): { source: string; shown: string[] } {
  const { source } = examplesOf(page).find((it) => it.file === file)!;
  const [, text] = page.text.split(source)[1].match(/^```text\n([^]*?)^```$/m)!;
  return { source, shown: text.trimEnd().split("\n") };
}

/** Starts a program of the guide in a folder. */
async function start(
  folder: string,
  file: string,
  env: Record<string, string> = {},
): Promise<Deno.ChildProcess> {
  await Deno.writeTextFile(
    `${folder}/${file}`,
    withCheckoutImports(section(file).source),
  );
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", file],
    cwd: folder,
    env: {
      NO_COLOR: "1",
      ONEHEAP_CACHE: folder,
      ONEHEAP_PYTHON: python.executable,
      ...env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Asserts that each line that the guide shows was printed, in that order. */
function assertShown(file: string, printed: string): void {
  let rest = printed.split("\n");
  for (const line of section(file).shown) {
    if (line === "…") continue;
    const at = rest.findIndex((it) => isAsPromised(`${it}\n`, [line]));
    assert(at >= 0, `${line}\nis not in\n${printed}`);
    rest = rest.slice(at + 1);
  }
}

const text = new TextDecoder();

Deno.test("the guide's leak in TypeScript is found by the difference of two heap reports", () =>
  inFolder(async (folder) => {
    const { code, stdout } = await (await start(folder, "report.ts")).output();
    assertEquals(code, 0);
    assertShown("report.ts", text.decode(stdout));
    assertMatch(await Deno.readTextFile(`${folder}/heap.html`), /<html/);
  }));

Deno.test("the guide's block that Python holds is found by a leak check", () =>
  inFolder(async (folder) => {
    const { code, stdout } = await (await start(folder, "held.ts")).output();
    assertEquals(code, 0);
    assertShown("held.ts", text.decode(stdout));
  }));

Deno.test({
  name: "the guide's overrun by a native library is found by the debug hooks",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    inFolder(async (folder) => {
      const env = { PYTHONMALLOC: "debug", ONEHEAP_CALL_SITES: "4" };
      const child = await start(folder, "overrun.ts", env);
      const { code, stderr } = await child.output();
      assert(code !== 0);
      assertShown("overrun.ts", text.decode(stderr));
    }),
});

Deno.test({
  name: "the guide's dict that grows is found by doctor --memory",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const env = { PYTHONTRACEMALLOC: "1" };
      const child = await start(folder, "grows.ts", env);
      const reader = child.stdout.getReader();
      await reader.read();
      const { code, stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--quiet", "ffi/doctor/doctor.ts", "--memory"],
        cwd: ROOT,
        env: { NO_COLOR: "1", ONEHEAP_CACHE: folder },
      }).output();
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
      await child.stderr.cancel();
      assertEquals(code, 0);
      assertShown("grows.ts", text.decode(stdout).replaceAll(/^ +/gm, ""));
    }),
});
