/** The examples of the documentation have the right types. `deno test --doc` doesn't see those that are marked `ignore`, for they need NumPy or another file. */

import { assert } from "@std/assert";
import { withCheckoutImports } from "../support/checkout_imports.ts";
import { examplesOf, type Page, pages } from "../support/documents.ts";
import { inFolder } from "../support/process.ts";

Deno.test("the examples that deno task check leaves out have the right types", async () => {
  const left = pages.filter(({ text }) => text.includes("```ts ignore"));
  for (const page of left) await checkTypes(page);
});

async function checkTypes(page: Page): Promise<void> {
  await inFolder(async (folder) => {
    const examples = examplesOf(page).filter(({ notRun }) =>
      notRun === undefined
    );
    for (const { file, source } of examples) {
      await Deno.writeTextFile(
        `${folder}/${file}`,
        withCheckoutImports(source),
      );
    }
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--quiet", ...examples.map(({ file }) => file)],
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    assert(success, new TextDecoder().decode(stderr));
  });
}
