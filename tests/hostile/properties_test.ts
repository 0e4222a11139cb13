/**
 * User code that runs in the middle of an operation (getters, Proxies, iterators, patched prototypes) and takes away what the operation
 * uses; and objects that aren't what they seem to be. Nothing shows freed memory or another block's, and nothing crashes.
 */

import { assertEquals } from "@std/assert";
import { ALLOCATORS } from "../support/build.ts";
import { failuresOf } from "../support/case_programs/processes.ts";
import { GROUPS } from "./properties/groups.ts";

const PROGRAM = new URL("properties/program.ts", import.meta.url);

/** Allocators that notice, or that crash, where freed memory is used. */
const WATCHFUL = ALLOCATORS.slice(0, 2);

for (const [group, cases] of Object.entries(GROUPS)) {
  Deno.test(`user code ${group} reaches no freed memory and no other's`, async () => {
    const names = cases.map(({ name }) => name);
    const failures = await Promise.all(WATCHFUL.map(async (allocator) => {
      const program = {
        url: PROGRAM,
        args: [group],
        env: { PYTHONMALLOC: allocator },
      };
      return (await failuresOf(program, names)).map((it) =>
        `${allocator}: ${it}`
      );
    }));
    assertEquals(failures.flat(), []);
  });
}
