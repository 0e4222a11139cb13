import { assertEquals, assertMatch } from "@std/assert";
import { python } from "../../mod.ts";
import { inFolder, runTask } from "../support/process.ts";

Deno.test("Python uses the demonstration's block where it is, and keeps it when TypeScript has freed it", () =>
  inFolder(async (folder) => {
    const file = `${folder}/letters`;
    Deno.writeTextFileSync(file, "abc".repeat(1_000_000) + "a");
    const { code, stdout, stderr } = await runTask("demo.ts", [file]);
    assertEquals([code, stderr], [0, ""]);
    const [, ours, theirs] = stdout.match(
      /TypeScript +(0x[0-9a-f]+)\n.*?(0x[0-9a-f]+)\n/,
    )!;
    assertEquals(ours, theirs);
    const counted = "'a' 1,000,001, 'b' 1,000,000, 'c' 1,000,000";
    assertEquals(stdout.split(counted).length, 3);
    const hasNumPy = python.eval(
      "__import__('importlib.util').util.find_spec('numpy') is not None",
    );
    assertMatch(stdout, hasNumPy ? /^ {2}NumPy \d/m : /^ {2}plain Python /m);
    const megabytes = ["before", "block", "has it", "too"].map((row) =>
      Math.floor(tracedBytes(stdout, row) / 1e6)
    );
    assertEquals(megabytes, [0, 3, 3, 0]);
  }));

/** What `tracemalloc` told, in the row that is called so. */
function tracedBytes(output: string, row: string): number {
  const [, bytes] = output.match(RegExp(`${row} +([\\d,]+)`))!;
  return Number(bytes.replaceAll(",", ""));
}

Deno.test("the demonstration takes a file of Python's where it is given none, and says which it can't read", async () => {
  const { code, stdout } = await runTask("demo.ts");
  assertEquals(code, 0);
  assertMatch(stdout, /\.py, [\d,]+ bytes\n/);
  await inFolder(async (folder) => {
    for (const path of [folder, `${folder}/missing`]) {
      const { code, stderr } = await runTask("demo.ts", [path]);
      assertEquals(code, 1);
      assertEquals(stderr.startsWith(path), true);
    }
  });
});
