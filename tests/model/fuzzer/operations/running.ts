/** Operations that run Python code on this thread. */

import { python, type RunOptions } from "../../../../mod.ts";
import type { ScopeHandle } from "../handles.ts";
import { act, forged, names, options, signal } from "../hostile.ts";
import { Thing } from "../model.ts";
import { expect } from "../outcome.ts";
import {
  anyValue,
  type Argument,
  errorsOf,
  expectBack,
  expectBytesOf,
} from "../values.ts";
import { type Choice, type Operation, remove, type World } from "../world.ts";
import { anyScope, scopeErrors, VARIABLES } from "./scopes.ts";

/** Options of a run with values, hostile or not. */
function optionsOf(
  world: World,
  argument: readonly Argument[],
  scope: ScopeHandle | undefined,
  isHostile: boolean,
): { passed: RunOptions; isAborted: boolean; isOdd: boolean } {
  const plain = Object.fromEntries(
    argument.map((it, index) => [VARIABLES[index], it.value]),
  );
  const passed: Record<string, unknown> = {
    names: names(world, plain, isHostile),
  };
  if (scope !== undefined) passed.scope = scope.scope;
  const isForged = isHostile && scope === undefined && world.random.once(8);
  if (isForged) passed.scope = forged(world);
  let isAborted = false, isOdd = isForged;
  if (world.random.once(3)) {
    const argument = signal(world, isHostile);
    passed.signal = argument.signal;
    isAborted = argument.isAborted;
    isOdd ||= argument.isOdd;
  }
  return {
    passed: options(world, passed, isHostile) as RunOptions,
    isAborted,
    isOdd,
  };
}

/** The errors of both, where either allows one. */
function either(
  one: Record<string, boolean>,
  other: Record<string, boolean>,
): Record<string, boolean> {
  const both = { ...one };
  for (const name of Object.keys(other)) both[name] ||= other[name];
  return both;
}

/** Evaluates a value that is given, or its bytes, in a fresh scope or in one of the world's. */
const evaluate: Operation = (world, isHostile) => {
  const { random } = world;
  const argument = anyValue(world, isHostile);
  const { passed, isAborted, isOdd } = optionsOf(
    world,
    [argument],
    undefined,
    isHostile,
  );
  const asBytes = argument.memory !== undefined && random.once(2);
  const source = asBytes ? "bytes(a)" : "a";
  return {
    what: `eval ${source} of ${nameOf(argument)}`,
    call: () => python.eval(source, passed),
    settle(outcome) {
      argument.settle();
      if (outcome.isDeepOrFailing) world.hasGarbage = true;
      const isDone = outcome.isDone({
        ...either(errorsOf([argument], outcome.isDisturbed), {
          TypeError: isOdd,
          RangeError: isOdd,
          FreedError: isOdd,
          InternalTypeError: isOdd,
          AbortError: isOdd,
          Marker: isAborted,
        }),
        // A forged array may have no buffer of Python's, and a reference may be to what has none.
        PythonError: argument.isForged,
        "PythonError:ValueError": asBytes,
        "PythonError:TypeError": asBytes,
        "PythonError:RuntimeError": asBytes,
        "PythonError:OverflowError": asBytes,
        "PythonError:MemoryError": asBytes,
      });
      if (!isDone) return;
      expect(
        outcome.isDisturbed || !argument.wasEnded,
        "a FreedError for what isn't any more",
      );
      expect(!isAborted, "the signal's reason");
      if (!asBytes) return expectBack(world, argument, outcome);
      expectBytesOf(outcome.value, argument.memory!, nameOf(argument));
    },
  };
};

function nameOf({ handle, isForged, value }: Argument): string {
  if (isForged) return "something forged";
  if (handle === undefined) return typeof value;
  return handle.constructor.name;
}

/** Sets variables of a scope. */
const assign: Operation = (world, isHostile) => {
  const scope = anyScope(world);
  if (scope === undefined || scope.busy > 0) return;
  const { random } = world;
  const argument = [anyValue(world, isHostile), anyValue(world, isHostile)]
    .slice(0, 1 + random.below(2));
  const { passed, isAborted, isOdd } = optionsOf(
    world,
    argument,
    scope,
    isHostile,
  );
  const way = random.below(4);
  const source = ["pass", "import fuzz; fuzz.call()", "1 / 0", "a"][way];
  const changed = scope.change();
  return {
    what: `set variables of scope ${world.scopes.indexOf(scope)} to ${
      argument.map(nameOf)
    }: ${source}`,
    call: () => python.run(source, passed),
    settle(outcome) {
      changed();
      for (const it of argument) it.settle();
      const isDone = outcome.isDone({
        ...either(
          either(
            errorsOf(argument, outcome.isDisturbed),
            scopeErrors(scope, outcome),
          ),
          {
            TypeError: isOdd,
            RangeError: isOdd,
            FreedError: isOdd,
            AbortError: isOdd,
            Marker: isAborted,
          },
        ),
        "PythonError:NameError": way === 3 && outcome.isDisturbed,
        "PythonError:ZeroDivisionError": way === 2,
        "PythonError:RuntimeError": way === 1,
        PythonError: argument.some((it) => it.isForged),
      });
      const raised = !isDone && isPythonError(outcome.error);
      if (!isDone && !raised) return;
      expect(way !== 2 || raised, "a ZeroDivisionError");
      if (argument.some((it) => it.isForged)) {
        // Whether Python has it can't be told.
        if (raised) return forget(world, scope);
      }
      if (scope.isDisposed) {
        world.hasGarbage = true;
        return;
      }
      argument.forEach((it, index) => scope.set(VARIABLES[index], it.thing()));
      if (way === 1) scope.set("fuzz", new Thing("other", undefined, "fuzz"));
    },
  };
};

function isPythonError(error: unknown): boolean {
  return error instanceof Error && error.name === "PythonError";
}

/** A scope whose variables can't be told any more is disposed. */
function forget(world: World, scope: ScopeHandle): void {
  // A finaliser that it runs may use the scope.
  scope.ending++;
  scope.scope[Symbol.dispose]();
  scope.ending--;
  if (!scope.isDisposed) scope.end();
  remove(world.scopes, scope);
}

/** Code that calls JavaScript, raises, doesn't compile, was never compiled, or sees to Python's collector. */
const CODES: readonly (readonly [source: string, error?: string])[] = [
  ["import fuzz; fuzz.call()", "RuntimeError"],
  ["import fuzz; fuzz.hold()", "RuntimeError"],
  ["import fuzz; fuzz.call(); fuzz.hold(); fuzz.call()", "RuntimeError"],
  ["import fuzz; fuzz.Finalised()"],
  ["import fuzz; fuzz.garbage(4); fuzz.gc.collect()"],
  ["import fuzz; fuzz.gc.set_threshold(1)"],
  ["import fuzz; fuzz.gc.set_threshold(7)"],
  ["import fuzz; fuzz.gc.set_threshold(41)"],
  ["import fuzz; fuzz.gc.set_threshold(700)"],
  ["import fuzz; fuzz.gc.disable()"],
  ["import fuzz; fuzz.gc.enable()"],
  ["import fuzz; raise fuzz.Raising()", "fuzz.Raising"],
  ["raise KeyError('x' * 3_000)", "KeyError"],
  ["import fuzz; repr(fuzz.Hostile())", "RuntimeError"],
  ["raise SystemExit(3)", "SystemExit"],
  ["1 +", "SyntaxError"],
  ["'\ud800'", "UnicodeEncodeError"],
  ["import fuzz; {fuzz.Hostile(): 1}[fuzz.Hostile()]", "KeyError"],
];

const ERRORS = ["RuntimeError", "fuzz.Raising", "UnicodeEncodeError"];

const runCode: Operation = (world, isHostile) => {
  const { random } = world;
  const [source, error] = random.pick(CODES)!;
  const isNew = random.once(3);
  const code = isNew ? `${source}\n# ${random.below(1e9)}` : source;
  const argument = random.once(2) ? [anyValue(world, isHostile)] : [];
  const { passed, isAborted, isOdd } = optionsOf(
    world,
    argument,
    undefined,
    isHostile,
  );
  return {
    what: `run ${code.replace("\n", " ")} with ${argument.map(nameOf)}`,
    call: () => python.run(code, passed),
    settle(outcome) {
      for (const it of argument) it.settle();
      const allowed: Record<string, boolean> = either(
        errorsOf(argument, outcome.isDisturbed),
        {
          TypeError: isOdd,
          RangeError: isOdd,
          FreedError: isOdd,
          InternalTypeError: isOdd,
          AbortError: isOdd,
          Marker: isAborted,
          PythonError: argument.some((it) => it.isForged),
        },
      );
      if (error !== undefined) {
        for (const type of [error, ...ERRORS]) {
          allowed[`PythonError:${type}`] = true;
        }
      }
      outcome.isDone(allowed);
    },
  };
};

/** A source that is none. */
const oddSource: Operation = (world, isHostile) => {
  if (!isHostile) return;
  const source = world.pick([
    null,
    undefined,
    5,
    { toString: () => (act(world), "1") },
    new String("1"),
    ["1"],
  ]) as string;
  const isAsync = world.random.once(3);
  return {
    what: "a source that is no string",
    call() {
      if (!isAsync) return python.eval(source);
      python.evalAsync(source).then(
        () => world.fail(new Error("a source that is none ran")),
        () => {},
      );
      throw new TypeError("as it should");
    },
    settle: (outcome) => outcome.expectThrown({ TypeError: true }),
  };
};

/** Names that are none. */
const oddNames: Operation = (world, isHostile) => {
  if (!isHostile) return;
  const { random } = world;
  const odd = random.pick<unknown>([
    { "not a name": 1 },
    { "": 1 },
    { "1a": 1 },
    [1, 2],
    new Map([["a", 1]]),
    null,
    "a",
    { a: [undefined] },
    { a: { valueOf: () => (act(world), 1) } },
    { a: () => act(world) },
    { a: Symbol("a") },
    { a: new WeakMap() },
    { a: [{ b: Symbol("b") }] },
    new Proxy({}, {
      ownKeys: () => (act(world), ["a", "b"]),
      getOwnPropertyDescriptor: () => (act(world), {
        enumerable: true,
        configurable: true,
        value: () => 1,
      }),
      get: () => (act(world), () => 1),
    }),
  ]) as Record<string, number>;
  return {
    what: "names that are none",
    call: () => python.run("pass", { names: odd }),
    settle: (outcome) =>
      outcome.expectThrown({ TypeError: true, RangeError: true }),
  };
};

/** Operations that run Python code. */
export const RUNNING: readonly Choice[] = [
  { weight: 12, plan: evaluate, isAtomic: true },
  { weight: 9, plan: assign },
  { weight: 9, plan: runCode },
  { weight: 1, plan: oddSource },
  { weight: 2, plan: oddNames },
];
