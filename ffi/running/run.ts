/** Running Python code, on this thread or on one of its own. */

import { MODE, type Mode } from "../boundary/status.ts";
import { requireString } from "../checks.ts";
import {
  addEventListener,
  rejectedPromise,
  removeEventListener,
  signalAborted,
  signalReason,
} from "../intrinsics.ts";
import { napi } from "../loading/native.ts";
import { reportDue, reportExternalMemory } from "../memory/external_memory.ts";
import type { PythonValue } from "../objects/py_object_ref.ts";
import { fromNative } from "../values/conversions.ts";
import {
  add,
  newRun,
  queueAddress,
  remove,
  type Run,
  startPump,
} from "./completions.ts";
import {
  encodeNames,
  type ReadOptions,
  readOptions,
  type RunOptions,
  throwIfAborted,
} from "./options.ts";
import { dictionaryOf } from "./scope.ts";

/** Run code and wait for its result. */
export function runCode(
  mode: Mode,
  source: string,
  options: RunOptions | undefined,
): PythonValue {
  requireString("source", source);
  if (reportDue[0] !== 0) reportExternalMemory();
  if (options === undefined) {
    return fromNative(
      napi.run(mode, source, undefined, undefined),
    ) as PythonValue;
  }
  const { scope, names, signal } = readOptions(options);
  throwIfAborted(signal);
  const dictionary = scope && dictionaryOf(scope);
  return fromNative(
    napi.run(mode, source, dictionary, encodeNames(names)),
  ) as PythonValue;
}

/** Run code on a thread of its own. The promise is rejected where that is not possible. */
export function runCodeAsync(
  mode: Mode,
  source: string,
  options: RunOptions = {},
): Promise<PythonValue | undefined> {
  try {
    requireString("source", source);
    if (reportDue[0] !== 0) reportExternalMemory();
    const read = readOptions(options);
    throwIfAborted(read.signal);
    return launch(mode, source, read);
  } catch (error) {
    return rejectedPromise(error);
  }
}

/** Run code on a thread of its own. What can fail comes first, and the native call that starts it last. */
function launch(
  mode: Mode,
  source: string,
  { scope, names, signal }: ReadOptions,
): Promise<PythonValue | undefined> {
  // No step below, nor what undoes it, fails for want of stack.
  napi.ensureStack();
  const run = newRun();
  const { number } = run;
  const queue = queueAddress();
  const abort = () => napi.interruptRun(queue, number);
  if (signal !== undefined) addEventListener(signal, "abort", abort);
  try {
    const dictionary = scope && dictionaryOf(scope);
    const values = encodeNames(names);
    const value = valueOf(mode, run, signal, abort);
    startPump();
    add(run);
    const refused = napi.runAsync(
      queue,
      number,
      mode,
      source,
      dictionary,
      values,
    );
    if (refused === undefined) return value;
    run.result = refused;
    run.settle();
    remove(run);
    return value;
  } catch (error) {
    remove(run);
    if (signal !== undefined) removeEventListener(signal, "abort", abort);
    throw error;
  }
}

/** Return the value of a run, once it has settled. */
async function valueOf(
  mode: Mode,
  run: Run,
  signal: AbortSignal | undefined,
  abort: () => void,
): Promise<PythonValue | undefined> {
  try {
    await run.settled;
    if (run.failure !== undefined) throw run.failure.error;
    const cause = signal !== undefined && signalAborted(signal)
      ? signalReason(signal)
      : undefined;
    const value = fromNative(run.result!, cause) as PythonValue;
    return mode === MODE.eval ? value : undefined;
  } finally {
    if (signal !== undefined) removeEventListener(signal, "abort", abort);
  }
}
