/** Every example of the documentation runs, and prints what it says. Those with NumPy run where `deno task test:pythons` has it. */

import { assert, assertEquals } from "@std/assert";
import { withCheckoutImports } from "../support/checkout_imports.ts";
import {
  type Example,
  examplesOf,
  isAsPromised,
  pages,
  promisedOutput,
} from "../support/documents.ts";
import { numpyTest } from "../support/numpy.ts";
import { inFolder, run } from "../support/process.ts";

/** Between what two examples print. */
const SEPARATOR = "---- the next example ----";

for (const page of pages) {
  const examples = examplesOf(page).filter(({ notRun }) =>
    notRun === undefined
  );
  const started = examples.filter(({ isNamed, isForThisSystem }) =>
    !isNamed && isForThisSystem
  );
  const [withNumPy, plain] = [
    started.filter(({ needsNumPy }) => needsNumPy),
    started.filter(({ needsNumPy }) => !needsNumPy),
  ];
  if (plain.length > 0) {
    Deno.test(`the examples of ${page.path} print what they say`, () =>
      runExamples(examples, plain));
  }
  if (withNumPy.length > 0) {
    numpyTest(
      `the examples of ${page.path} with NumPy print what they say`,
      () => runExamples(examples, withNumPy),
    );
  }
}

/** Run examples one after the other in one process, each a file of one folder. */
async function runExamples(
  files: readonly Example[],
  started: readonly Example[],
): Promise<void> {
  await inFolder(async (folder) => {
    for (const { file, source } of files) {
      await Deno.writeTextFile(
        `${folder}/${file}`,
        withCheckoutImports(source),
      );
    }
    const program = started.map(({ file }) =>
      `await import("./${file}"); console.log("${SEPARATOR}");`
    ).join("\n");
    const { code, stdout, stderr } = await run(program, {
      folder,
      cwd: folder,
      env: { PYTHONUNBUFFERED: "1" },
    });
    assertEquals([code, stderr], [0, ""]);
    const outputs = stdout.split(`${SEPARATOR}\n`);
    for (const [index, { source, file }] of started.entries()) {
      const promised = promisedOutput(source);
      if (isAsPromised(outputs[index], promised)) continue;
      const shown = promised.map((line) => `${line}\n`).join("");
      assertEquals(outputs[index], shown, `${file}:\n${source}`);
    }
  });
}

Deno.test("what is not run says why", () => {
  const notRun = pages.flatMap((page) =>
    examplesOf(page).filter(({ notRun }) => notRun !== undefined)
      .map(({ notRun }) => `${page.path}: ${notRun}`)
  );
  for (const reason of notRun) assert(reason.length > 20, reason);
});

Deno.test("an example that prints something else is noticed", () => {
  const promised = promisedOutput(`
    console.log(1); // 1
    console.log(
      error.message,
    );
    // a
    // b … d
    console.log("not promised to be anything");
  `);
  assertEquals(promised, ["1", "a", "b … d"]);
  assert(isAsPromised("1\na\nb c d\n", promised));
  assert(!isAsPromised("1\na\nb c\n", promised));
  assert(!isAsPromised("1\na\n", promised));
  assert(isAsPromised("1\n2\n3\n4\n", ["1", "…", "4"]));
});
