/** The README's examples with NumPy. Run by `deno task test:pythons`, which makes the virtual environment. */

import { assertEquals } from "@std/assert";
import { run } from "../support/process.ts";
import { numpyTest } from "../support/numpy.ts";

const README = new URL("../../README.md", import.meta.url);

const examples = Deno.readTextFileSync(README)
  .matchAll(/^```ts ignore\n([^]*?)^```$/gm)
  .map(([, source]) => source)
  .filter((source) => source.includes("numpy"))
  .toArray();

numpyTest("the README has examples with NumPy", () => {
  assertEquals(examples.length, 2);
});

for (const [index, source] of examples.entries()) {
  numpyTest(
    `the README's example ${index + 1} with NumPy prints what it says`,
    async () => {
      const promised = source.matchAll(/console\.log\(.*\/\/ (.*)$/gm)
        .map(([, output]) => `${output}\n`);
      const { stdout, stderr } = await run(source);
      assertEquals(stderr, "");
      assertEquals(stdout, promised.toArray().join(""));
    },
  );
}
