/** Several Workers that allocate at once, each as many blocks. Python's lock is taken for each, where there is one. */

import { WORKER_BLOCKS } from "../counts.ts";
import { SIZES } from "../sizes.ts";
import { startWorkers } from "./workers.ts";

for (const count of [1, 2, 4]) {
  const workers = await startWorkers(count);
  for (const { label, bytes } of SIZES.slice(0, 3)) {
    const group = `${count} ${count === 1 ? "Worker" : "Workers"}, ${label}`;

    Deno.bench(
      { name: "new Float64Array", group, baseline: true },
      async () => {
        await workers.run("typed array", WORKER_BLOCKS, bytes);
      },
    );

    Deno.bench({ name: "block", group }, async () => {
      await workers.run("block", WORKER_BLOCKS, bytes);
    });
  }
}
