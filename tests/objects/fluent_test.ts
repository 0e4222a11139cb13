/** The fluent layer: each member of its API, on the main thread and in a Worker. */

import { assertEquals } from "@std/assert";
import { CASES } from "./fluent_cases.ts";

for (const [name, run] of Object.entries(CASES)) Deno.test(name, run);

Deno.test("all of this is so in a Worker", async () => {
  const worker = new Worker(new URL("fluent_worker.ts", import.meta.url), {
    type: "module",
  });
  try {
    const failures = await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = reject;
    });
    assertEquals(failures, []);
  } finally {
    worker.terminate();
  }
});
