/** The options of the functions that run Python code, read before any of them is used. */

import type {
  NativeNames,
  NativeResult,
  NativeValue,
} from "../boundary/node_api.ts";
import { describe, requireOptions } from "../checks.ts";
import {
  entriesOf,
  isAbortSignal,
  isProxy,
  PlainArray,
  signalAborted,
  signalReason,
} from "../intrinsics.ts";
import type { PyArg } from "../objects/py_object_ref.ts";
import { crossesAlone, toNative } from "../values/conversions.ts";
import {
  type ReadOptions as ToJsOptions,
  readToJs,
  type ToJs,
} from "../values/read.ts";
import { crossWith, type Nested, writeNested } from "../values/write.ts";
import { normalIdentifier } from "./identifier.ts";
import { isScope, type PythonScope } from "./scope.ts";

/**
 * Options of running Python code.
 *
 * @example
 * ```ts
 * import { python, PythonScope, type RunOptions } from "@oneheap/oneheap";
 *
 * using scope = new PythonScope();
 * const options: RunOptions = { scope, names: { width: 3, height: 4 } };
 * console.log(python.eval("width * height", options)); // 12
 * ```
 */
export interface RunOptions {
  /** The scope to run in; without one, a fresh one. */
  scope?: PythonScope;
  /** Variables to be set in the scope before. */
  names?: Readonly<Record<string, PyArg | undefined>>;
  /**
   * Ends the run: `runAsync` and `evalAsync` have the code raise `KeyboardInterrupt`. `run` and `eval` only look at it before they
   * begin, for nothing can abort it while JavaScript waits for them.
   */
  signal?: AbortSignal;
  /**
   * Have `eval` and `evalAsync` return plain data: lists as arrays, dicts as objects, and so on, as {@linkcode PyObjectRef.toJs} does. It
   * is converted on the run's own thread. `run` and `runAsync` have no result.
   */
  toJs?: true | ToJs;
}

/** Names and their values, in arrays of this library's own. */
export type Names = [name: string, value: unknown][];

/** The options, checked. What is in here is the library's own, or has private fields, which no program can change. */
export interface ReadOptions {
  scope: PythonScope | undefined;
  names: Names | undefined;
  signal: AbortSignal | undefined;
  toJs: ToJsOptions | undefined;
}

/** Read the options, each property once. The caller's code may run in here, and has run when this returns. */
export function readOptions(options: RunOptions): ReadOptions {
  const { scope, names, signal, toJs } = requireOptions(options);
  return {
    scope: readScope(scope),
    names: readNames(names),
    signal: readSignal(signal),
    toJs: toJs === undefined ? undefined : readToJs(toJs),
  };
}

/** Return a scope; throw a `TypeError` for another value. */
export function readScope(scope: unknown): PythonScope | undefined {
  if (scope === undefined || isScope(scope)) return scope;
  throw new TypeError(
    `The scope must be a PythonScope; ${describe(scope)} was given`,
  );
}

/** Read names and values, each once. Python normalises names to NFKC, so that form is set. */
export function readNames(names: unknown): Names | undefined {
  if (names === undefined) return undefined;
  if (typeof names !== "object" || names === null || Symbol.iterator in names) {
    throw new TypeError(
      `The names must be an object of names and values; ${
        describe(names)
      } was given`,
    );
  }
  const entries = entriesOf(names) as Names;
  for (let index = 0; index < entries.length; index++) {
    const entry = entries[index];
    entry[0] = normalIdentifier(
      "The names must be Python identifiers",
      entry[0],
    );
  }
  return entries;
}

/** Return a signal; throw a `TypeError` for another value. */
function readSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || isAbortSignal(signal)) return signal;
  const shown = isProxy(signal) ? "a Proxy" : describe(signal);
  throw new TypeError(
    `The signal must be an AbortSignal, as AbortController has it; ${shown} was given`,
  );
}

/** Throw the signal's reason, if it was aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal !== undefined && signalAborted(signal)) throw signalReason(signal);
}

/** Write the values that cross on a tape. One that is undefined is left out. */
function writeNestedValues(names: Names): void {
  for (let index = 0; index < names.length; index++) {
    const entry = names[index];
    const value = entry[1];
    if (value === undefined || crossesAlone(value)) continue;
    writeNested(value, entry[0]);
  }
}

/**
 * Return alternating names and native values, undefined for those that cross on the tape; without a tape, undefined if there is such a
 * one. What runs of a program's code while the tape is written may have freed a block, so this comes after it.
 */
export function encodeNames(
  names: Names,
  hasTape: boolean,
): NativeNames | undefined {
  const pairs = new PlainArray<NativeValue | undefined>();
  for (let index = 0; index < names.length; index++) {
    const entry = names[index];
    if (entry[1] === undefined) continue;
    const native = toNative(entry[1]);
    if (native === undefined && !hasTape) return undefined;
    pairs[pairs.length] = entry[0];
    pairs[pairs.length] = native;
  }
  return pairs;
}

/** Cross with names and their values. */
export function crossWithNames(
  names: Names | undefined,
  isDetached: boolean,
  cross: (
    names: NativeNames | undefined,
    ...nested: Parameters<Nested>
  ) => NativeResult | undefined,
): NativeResult | undefined {
  const pairs = names && encodeNames(names, false);
  if (names === undefined || pairs !== undefined) {
    return cross(pairs, undefined, undefined, undefined);
  }
  return crossWith(
    isDetached,
    () => writeNestedValues(names),
    (tape, text, objects) =>
      cross(encodeNames(names, true), tape, text, objects),
  );
}
