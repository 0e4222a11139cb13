/** Does the case that its argument names, and prints what came of it. */

import { AllocationError, python, stats } from "../../../mod.ts";
import { CASES, MEGABYTE } from "./limited_cases.ts";

const before = stats();
try {
  await CASES[Deno.args[0]]();
  console.log("nothing failed");
} catch (error) {
  if (!(error instanceof AllocationError)) throw error;
  console.log(error.requested > 50 * MEGABYTE);
}
console.log(stats().bytes - before.bytes <= 1, python.eval("1 + 1"));
