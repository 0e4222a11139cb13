/** Runs on threads of their own. */

import { PyObjectRef, python, type RunOptions } from "../../../../mod.ts";
import { RunHandle } from "../handles.ts";
import { names, options, signal } from "../hostile.ts";
import { expect, Marker, nameOf, Outcome } from "../outcome.ts";
import { anyValue, type Argument, errorsOf } from "../values.ts";
import { type Choice, type Operation, remove, type World } from "../world.ts";

const MAX_RUNS = 4;

/** A run that hasn't settled after so long is lost. */
const DEADLINE_MILLISECONDS = 20_000;

interface Code {
  readonly source: string;
  /** What it raises. */
  readonly error?: string;
  /** Whether only its signal ends it. */
  readonly isEndless?: boolean;
}

/** Calls JavaScript's thread from the run's. */
const CALLING: Code = { source: "__import__('fuzz').call_main(address)" };

const CODES: readonly Code[] = [
  CALLING,
  { source: "6 * 7" },
  { source: "a" },
  { source: "bytes(a)", error: "TypeError" },
  { source: "1 / 0", error: "ZeroDivisionError" },
  { source: "__import__('time').sleep(0.001)" },
  { source: "__import__('fuzz').garbage(2)" },
  {
    source: "any(False for _ in __import__('itertools').count())",
    isEndless: true,
  },
];

const start: Operation = (world, isHostile) => {
  if (world.runs.length >= MAX_RUNS) return;
  const { random, fixture } = world;
  const code = random.pick(CODES)!;
  // A Worker may end before.
  if (fixture.isWorker && (code === CALLING || code.isEndless)) return;
  const { source, error, isEndless } = code;
  const argument = anyValue(world, isHostile);
  const ended = isEndless === true;
  let passed = signal(world, isHostile && !ended);
  const controller = ended ? new AbortController() : passed.controller;
  if (ended) {
    passed = { signal: controller!.signal, isOdd: false, isAborted: false };
  }
  const plain: Record<string, unknown> = {
    names: names(
      world,
      { a: argument.value, address: fixture.callbackAddress },
      isHostile,
    ),
    signal: passed.signal,
  };
  // A hostile getter may hide the signal, which alone ends endless code.
  const runOptions = options(world, plain, isHostile && !ended) as RunOptions;
  const isRun = random.once(4);
  return {
    what: `${isRun ? "runAsync" : "evalAsync"} ${source}`,
    usesDeno: true,
    call: () =>
      isRun
        ? python.runAsync(source, runOptions)
        : python.evalAsync(source, runOptions),
    settle(outcome) {
      const { isDisturbed } = outcome;
      const isForged = argument.isForged || passed.isOdd;
      // The end of the stack is met before the run is, or by the promise.
      if (!outcome.isDone()) return argument.settle();
      expect(outcome.value instanceof Promise, "a promise");
      const { circumstances } = outcome;
      const wasEnded = argument.isEnded;
      let isEnded = false;
      const abort = () => {
        isEnded = true;
        try {
          controller!.abort();
        } catch (error) {
          // The signal's own getters are hostile.
          if (!(error instanceof Marker)) throw error;
        }
      };
      const check = (run: RunHandle) => {
        argument.settle();
        const threw = run.error !== undefined;
        const errors = errorsOf([argument], isDisturbed);
        const settled = new Outcome(
          {
            ...circumstances,
            isHostile: circumstances.isHostile || passed.isAborted,
          },
          isDisturbed,
          threw,
          run.value,
          run.error,
        );
        const isDone = settled.isDone({
          ...errors,
          FreedError: errors.FreedError || wasEnded,
          TypeError: errors.TypeError || isForged,
          RangeError: errors.RangeError || isForged,
          InternalTypeError: isForged,
          AbortError: passed.isOdd || isEnded,
          PythonError: argument.isForged,
          "PythonError:KeyboardInterrupt": isEnded,
          [`PythonError:${error}`]: true,
          "PythonError:RuntimeError": true,
          "PythonError:ValueError": source.startsWith("bytes"),
          "PythonError:OverflowError": source.startsWith("bytes"),
          "PythonError:MemoryError": source.startsWith("bytes"),
        });
        if (run.value instanceof PyObjectRef) run.value[Symbol.dispose]();
        if (!isDone || isRun) return;
        checkValue(source, run.value, argument);
      };
      const run = new RunHandle(
        outcome.value as Promise<unknown>,
        source,
        () => isEndless && abort(),
        check,
      );
      world.runs.push(run);
      if (controller !== undefined && random.once(6)) abort();
    },
  };
};

function checkValue(source: string, value: unknown, argument: Argument): void {
  if (source === "6 * 7") expect(value === 42, "42");
  if (source !== "bytes(a)" || argument.memory === undefined) return;
  // What JavaScript has written meanwhile may be in it, or not.
  expect(value instanceof Uint8Array, "bytes");
}

/** Operations on other threads. */
export const ASYNCHRONOUS: readonly Choice[] = [
  { weight: 2, plan: start, isAtomic: true },
];

/** Waits for one of the runs, or for all. The thread isn't attached. */
export async function settleRuns(world: World, all: boolean): Promise<void> {
  const runs = all ? [...world.runs] : world.runs.slice(0, 1);
  for (const run of runs) {
    run.finish();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<"late">((settle) =>
      timer = setTimeout(settle, DEADLINE_MILLISECONDS, "late")
    );
    const first = await Promise.race([run.settled, late]);
    clearTimeout(timer);
    expect(first !== "late", `the run of ${run.what} settles`);
    remove(world.runs, run);
    world.rethrow();
    world.note(
      `settled: ${run.what}${
        run.error === undefined ? "" : `, ${nameOf(run.error)}`
      }`,
    );
    run.check(run);
  }
}
