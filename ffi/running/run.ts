/** Running Python code, on this thread or on one of its own. */

import type { NativeResult } from "../boundary/node_api.ts";
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
  prepareToRead,
  readConverted,
  type ReadOptions as ToJsOptions,
} from "../values/read.ts";
import {
  add,
  newRun,
  queueAddress,
  remove,
  type Run,
  startPump,
} from "./completions.ts";
import {
  crossWithNames,
  encodeNames,
  type ReadOptions,
  readOptions,
  type RunOptions,
  throwIfAborted,
} from "./options.ts";
import { moduleOf } from "./scope.ts";

/** Run code and wait for its result. */
export function runCode(
  mode: Mode,
  source: string,
  options: RunOptions | undefined,
): PythonValue {
  requireString("source", source);
  if (reportDue[0] !== 0) reportExternalMemory();
  if (options === undefined) {
    return fromNative(napi.run(mode, source)) as PythonValue;
  }
  const { scope, names, signal, toJs } = readOptions(options);
  throwIfAborted(signal);
  const module = scope && moduleOf(scope);
  if (toJs !== undefined && mode === MODE.eval) prepareToRead();
  const number = mode === MODE.eval ? toJs?.number : undefined;
  if (number === undefined) {
    if (names === undefined) {
      return fromNative(napi.run(mode, source, module)) as PythonValue;
    }
    const pairs = encodeNames(names, false);
    if (pairs !== undefined) {
      return fromNative(
        napi.run(mode, source, module, pairs),
      ) as PythonValue;
    }
  }
  const result = crossWithNames(
    names,
    false,
    (pairs, tape, text, objects) =>
      napi.run(mode, source, module, pairs, tape, text, objects, number),
  );
  return valueOfResult(mode, result!, toJs, undefined) as PythonValue;
}

/** Return the value of a run's result; throw a failure. */
function valueOfResult(
  mode: Mode,
  result: NativeResult,
  toJs: ToJsOptions | undefined,
  cause: unknown,
): unknown {
  return toJs === undefined || mode !== MODE.eval
    ? fromNative(result, cause)
    : readConverted(result, toJs, cause);
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
  { scope, names, signal, toJs }: ReadOptions,
): Promise<PythonValue | undefined> {
  // No step below, nor what undoes it, fails for want of stack.
  napi.ensureStack();
  const run = newRun();
  const { number } = run;
  const queue = queueAddress();
  const abort = () => napi.interruptRun(queue, number);
  if (signal !== undefined) addEventListener(signal, "abort", abort);
  try {
    const module = scope && moduleOf(scope);
    const options = mode === MODE.eval ? toJs : undefined;
    if (options !== undefined) prepareToRead();
    let value: Promise<PythonValue | undefined>;
    const refused = crossWithNames(
      names,
      true,
      (pairs, tape, text, objects) => {
        value = valueOf(mode, run, signal, abort, options);
        startPump();
        add(run);
        return napi.runAsync(
          queue,
          number,
          mode,
          source,
          module,
          pairs,
          tape,
          text,
          objects,
          options?.number,
        );
      },
    );
    if (refused === undefined) return value!;
    run.result = refused;
    run.settle();
    remove(run);
    return value!;
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
  toJs: ToJsOptions | undefined,
): Promise<PythonValue | undefined> {
  try {
    await run.settled;
    if (run.failure !== undefined) throw run.failure.error;
    const cause = signal !== undefined && signalAborted(signal)
      ? signalReason(signal)
      : undefined;
    const value = valueOfResult(mode, run.result!, toJs, cause) as PythonValue;
    return mode === MODE.eval ? value : undefined;
  } finally {
    if (signal !== undefined) removeEventListener(signal, "abort", abort);
  }
}
