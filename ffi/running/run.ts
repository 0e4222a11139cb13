/** Running Python code, on this thread or on one of its own. */

import { reportDue, reportExternalMemory } from "../external_memory.ts";
import { napi, symbols } from "../library.ts";
import {
  crossing,
  type PythonValue,
  text,
  valueOf,
} from "../objects/object.ts";
import { dictionaryOf, PythonScope } from "./scope.ts";
import type { Crossing, Mode, Outcome } from "../symbols.ts";
import { describe } from "../types.ts";

/**
 * What running Python code can be told.
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
  names?: Readonly<Record<string, PythonValue>>;
  /**
   * Ends the run: `runAsync` and `evalAsync` have the code raise `KeyboardInterrupt`. `run` and `eval` only look at it before they
   * begin, for nothing can abort it while JavaScript waits for them.
   */
  signal?: AbortSignal;
}

/** Runs code and waits for what comes of it. */
export function execute(
  mode: Mode,
  source: string,
  options: RunOptions | undefined,
): PythonValue {
  text("source", source);
  if (reportDue[0] !== 0) reportExternalMemory();
  if (options === undefined) {
    return valueOf(napi.execute(mode, source, undefined, undefined));
  }
  const { scope, names } = given(options);
  options.signal?.throwIfAborted();
  return valueOf(napi.execute(mode, source, scope, names));
}

/** Scope and names as they cross. */
export function given({ scope, names }: RunOptions): {
  scope: ArrayBuffer | undefined;
  names: Crossing[] | undefined;
} {
  if (scope !== undefined && !(scope instanceof PythonScope)) {
    throw new TypeError(
      `The scope must be a PythonScope; ${describe(scope)} was given`,
    );
  }
  return {
    scope: scope && dictionaryOf(scope),
    names: names === undefined ? undefined : pairs(names),
  };
}

/** What Python takes for a name: `identifier` of its language reference, "Lexical analysis". */
const IDENTIFIER = /^[\p{XID_Start}_]\p{XID_Continue}*$/u;

/** Names and values in turn. Python knows names by their NFKC form, so that is what is set. */
function pairs(names: Readonly<Record<string, PythonValue>>): Crossing[] {
  if (typeof names !== "object" || names === null || Symbol.iterator in names) {
    throw new TypeError(
      `The names must be an object of names and values; ${
        describe(names)
      } was given`,
    );
  }
  const pairs: Crossing[] = [];
  for (const [name, value] of Object.entries(names)) {
    const normal = name.normalize("NFKC");
    if (!IDENTIFIER.test(normal)) {
      throw new RangeError(
        `The names must be Python identifiers; ${describe(name)} was given`,
      );
    }
    pairs.push(normal, crossing(value));
  }
  return pairs;
}

/** The runs of this thread that have not settled. */
const runs = new Map<number, (outcome: Outcome) => void>();

let lastRun = 0;

/** Where what comes of runs is put; made by the first of them. */
let inbox: number | undefined;

/** Runs code on a thread of its own. */
export async function start(
  mode: Mode,
  source: string,
  options: RunOptions = {},
): Promise<PythonValue> {
  text("source", source);
  const { scope, names } = given(options);
  const { signal } = options;
  signal?.throwIfAborted();
  const at = inbox ??= napi.inbox();
  const run = lastRun = (lastRun + 1) >>> 0;
  const refused = napi.start(at, run, mode, source, scope, names);
  if (refused !== undefined) return valueOf(refused);
  const settled = new Promise<Outcome>((settle) => runs.set(run, settle));
  if (runs.size === 1) deliver(at);
  const abort = () => napi.interrupt(at, run);
  signal?.addEventListener("abort", abort);
  try {
    return valueOf(
      await settled,
      signal?.aborted ? signal.reason : undefined,
    );
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** Settles runs until there are none. One call of Deno's waits at a time, and keeps the event loop alive meanwhile. */
async function deliver(at: number): Promise<void> {
  while (runs.size > 0) {
    await symbols.oneheap_wait(napi.ticket(at));
    const taken = napi.take(at);
    for (let index = 0; index < taken.length; index += 2) {
      const run = taken[index] as number;
      const settle = runs.get(run);
      runs.delete(run);
      settle?.(taken[index + 1] as Outcome);
    }
  }
}
