/** Every error class that is exported stands where error classes are listed. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import * as api from "../../mod.ts";
import { LIBRARY_ERRORS } from "../model/fuzzer/outcome.ts";

const CLASSES = Object.values(api).filter((value) =>
  typeof value === "function" && value.prototype instanceof Error
) as (typeof Error)[];

Deno.test("the page of errors has a row for each error class, and says more of it", async () => {
  const page = await Deno.readTextFile(
    new URL("../../docs/reference/errors.md", import.meta.url),
  );
  const row = /^\| `(\w+)` .*$/gm;
  const rows = [...page.matchAll(row)].map(([, name]) => name);
  const rest = page.replaceAll(row, "");
  for (const { name } of CLASSES) {
    assertEquals(rows.includes(name), true, `a row for ${name}`);
    assertStringIncludes(rest, name);
  }
});

Deno.test("the fuzzer knows by its name each error class that is none of JavaScript's own", () => {
  const others = CLASSES.filter((type) =>
    Object.getPrototypeOf(type.prototype) === Error.prototype
  );
  assertEquals(
    LIBRARY_ERRORS.map(({ name }) => name).sort(),
    others.map(({ name }) => name).sort(),
  );
});
