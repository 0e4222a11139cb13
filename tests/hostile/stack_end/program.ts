/**
 * Runs the cases of a group: `program.ts GROUP MODE FIRST`. Prints a line of JSON before each case and after it, so that a crash or a
 * hang names the case. Ends after the first case that fails, for what comes after it can't be trusted.
 */

import { runCases } from "./run_cases.ts";
import { MODES } from "./modes.ts";

const [group, mode, first] = Deno.args;
const request = { group, mode, first: Number(first) };

if (MODES[mode].isInWorker) {
  const worker = new Worker(new URL("worker.ts", import.meta.url), {
    type: "module",
  });
  worker.postMessage(request);
  worker.onmessage = () => worker.terminate();
} else {
  await runCases(request);
}
