/** Runs the cases of the fluent layer in a Worker. */

import { CASES } from "./fluent_cases.ts";

const failures: string[] = [];
for (const [name, run] of Object.entries(CASES)) {
  try {
    await run();
  } catch (error) {
    failures.push(`${name}: ${(error as Error).stack}`);
  }
}
(self as unknown as Worker).postMessage(failures);
