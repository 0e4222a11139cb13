/** What the tests of asynchronous runs share. */

import { assertEquals, assertLess } from "@std/assert";
import { run } from "../support/process.ts";

/** How many threads of a name there are in this process. */
export function threads(name: string): number {
  let count = 0;
  for (const { name: thread } of Deno.readDirSync("/proc/self/task")) {
    try {
      const path = `/proc/self/task/${thread}/comm`;
      if (Deno.readTextFileSync(path).trim() === name) count++;
    } catch {
      // It has ended just now.
    }
  }
  return count;
}

/** Runs a script, which has to end soon by itself; tells its exit code and what it printed. */
export async function end(
  source: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const start = performance.now();
  const { code, signal, stdout, stderr } = await run(
    `
    import { alloc, python, stats } from "@oneheap/oneheap";
    const soon = (then, milliseconds = 100) => setTimeout(then, milliseconds);
    /** Runs a script in a Worker, which tells when it is there. */
    async function work(source) {
      const worker = new Worker(
        "data:text/javascript," + encodeURIComponent(\`
          import { alloc, python } from "@oneheap/oneheap";
          \${source}
        \`),
        { type: "module" },
      );
      await new Promise((resolve) => worker.onmessage = resolve);
      return worker;
    }
    ${source}
    `,
    { env: { PYTHONUNBUFFERED: "" } },
  );
  assertEquals(signal, null, stderr);
  assertLess(performance.now() - start, 20_000);
  return { code, stdout, stderr };
}
