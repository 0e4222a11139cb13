/**
 * Does each operation with its nth request for memory failing, for n = 1, 2, 3 … until there is no nth. What fails has to fail with
 * an error that says so, and to change nothing; the same operation works right afterwards. Says first what it is about to do.
 *
 * Its arguments are "nth" or "rest" (all requests from the nth on fail), how many faults `faults.py` has found in this Python's
 * `compile`, and what the names of the operations contain, if not all are to be done.
 */

import { AllocationError, PythonError, stats } from "../../../mod.ts";
import { FailingMalloc } from "./failing_malloc.ts";
import { OPERATIONS, scope } from "./operations.ts";

const [mode, compileFaults, only = ""] = Deno.args;
const malloc = new FailingMalloc();

/** An operation that still asks for memory then asks for more each time. */
const MAX_REQUESTS = 2_000;

const encoder = new TextEncoder();
const say = (line: string) =>
  Deno.stdout.writeSync(encoder.encode(line + "\n"));

/** Whether an error tells that memory is out. */
function tellsOfMemory(error: unknown): boolean {
  if (error instanceof AllocationError) return error.requested > 0;
  return error instanceof PythonError && error.type === "MemoryError";
}

/** Whether an error is Python's for its own fault when memory is out, as `faults.py` has it without this library. */
function isCPythonFault(error: unknown): boolean {
  return error instanceof PythonError && error.type === "SystemError" &&
    /without (setting an exception|exception set)|with an exception set/.test(
      error.message,
    );
}

let number = 0;
for (const operation of OPERATIONS) {
  const { name, run, isRight } = operation;
  if (!name.includes(only)) continue;
  // What is made once is made.
  for (let time = 0; time < 2; time++) {
    const here = number++;
    if (!isRight(await run(here), here)) {
      throw new Error(`${name} doesn't work`);
    }
  }
  let failures = 0;
  for (let first = 1;; first++) {
    if (first > MAX_REQUESTS) throw new Error(`${name} never ends`);
    say(`> ${name}, ${first}`);
    const before = stats();
    const x = scope.get("x");
    const last = mode === "rest" ? Number.MAX_SAFE_INTEGER : first;
    const here = number++;
    const { requests, failedBytes, result, error } = await malloc.attempt(
      { first, last },
      () => run(here),
    );
    const where = `${name}, request ${first} of ${failedBytes} bytes: `;
    if (error === undefined) {
      if (requests < first) break;
      const { isRightWithout = isRight } = operation;
      if (!isRightWithout(result, here)) {
        throw new Error(`${where}it returned ${Deno.inspect(result)}`);
      }
    } else {
      failures++;
      const isExpected = tellsOfMemory(error) ||
        compileFaults !== "0" && operation.compiles && isCPythonFault(error);
      if (!isExpected) throw new Error(where + error, { cause: error });
      const now = scope.get("x");
      const isSame = now === x ||
        now instanceof Uint8Array && x instanceof Uint8Array &&
          now.length === x.length;
      if (!isSame) throw new Error(`${where}x was set`);
      if (operation.isUnchanged?.() === false) {
        throw new Error(`${where}something was changed`);
      }
    }
    const after = stats();
    if (after.blocks !== before.blocks || after.bytes !== before.bytes) {
      throw new Error(`${where}blocks were lost`);
    }
    const again = number++;
    if (!isRight(await run(again), again)) {
      throw new Error(`${where}the operation does not work afterwards`);
    }
  }
  say(`${name}: ${failures}`);
}
say("done");
