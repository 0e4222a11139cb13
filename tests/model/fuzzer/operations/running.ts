/** Operations that run Python code on this thread, and scopes. */

import { python, PythonScope, type RunOptions } from "../../../../mod.ts";
import { releasing, ScopeHandle } from "../handles.ts";
import { act, forged, names, options, signal } from "../hostile.ts";
import { Memory, Thing } from "../model.ts";
import { expect, type Outcome } from "../outcome.ts";
import {
  anyValue,
  errorsOf,
  expectBack,
  expectBytesOf,
  type Given,
  keep,
} from "../values.ts";
import { PyObjectRef } from "../../../../mod.ts";
import { type Choice, type Operation, remove, type World } from "../world.ts";

const MAX_SCOPES = 4;

/** The variables of a scope. */
const VARIABLES = ["a", "b", "c"];

/** Options of a run with values, hostile or not. */
function optionsOf(
  world: World,
  given: readonly Given[],
  scope: ScopeHandle | undefined,
  isHostile: boolean,
): { told: RunOptions; isAborted: boolean; isOdd: boolean } {
  const plain = Object.fromEntries(
    given.map((it, index) => [VARIABLES[index], it.value]),
  );
  const told: Record<string, unknown> = {
    names: names(world, plain, isHostile),
  };
  if (scope !== undefined) told.scope = scope.scope;
  const isForged = isHostile && scope === undefined && world.random.once(8);
  if (isForged) told.scope = forged(world);
  let isAborted = false, isOdd = isForged;
  if (world.random.once(3)) {
    const given = signal(world, isHostile);
    told.signal = given.signal;
    isAborted = given.isAborted;
    isOdd ||= given.isOdd;
  }
  return {
    told: options(world, told, isHostile) as RunOptions,
    isAborted,
    isOdd,
  };
}

/** A scope that no operation is changing. */
function anyScope(world: World): ScopeHandle | undefined {
  return world.pick(world.scopes);
}

/** Errors of a scope. One that is disposed in the middle of the call, or of its own disposal, is refused by native code. */
function scopeErrors(
  scope: ScopeHandle,
  { isDisturbed }: Outcome,
): Record<string, boolean> {
  const isEnded = scope.isDisposed || scope.ending > 0;
  return {
    FreedError: isEnded,
    RangeError: isEnded && (isDisturbed || scope.ending > 0),
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
  const given = anyValue(world, isHostile);
  const { told, isAborted, isOdd } = optionsOf(
    world,
    [given],
    undefined,
    isHostile,
  );
  const asBytes = given.memory !== undefined && random.once(2);
  const source = asBytes ? "bytes(a)" : "a";
  return {
    what: `eval ${source} of ${nameOf(given)}`,
    call: () => python.eval(source, told),
    settle(outcome) {
      given.settle();
      if (outcome.isDeepOrFailing) world.hasGarbage = true;
      const isDone = outcome.isDone({
        ...either(errorsOf([given], outcome.isDisturbed), {
          TypeError: isOdd,
          RangeError: isOdd,
          FreedError: isOdd,
          InternalTypeError: isOdd,
          AbortError: isOdd,
          Marker: isAborted,
        }),
        // A forged array may have no buffer of Python's, and a reference may be to what has none.
        PythonError: given.isForged,
        "PythonError:ValueError": asBytes,
        "PythonError:TypeError": asBytes,
        "PythonError:RuntimeError": asBytes,
        "PythonError:OverflowError": asBytes,
        "PythonError:MemoryError": asBytes,
      });
      if (!isDone) return;
      expect(
        outcome.isDisturbed || !given.wasEnded,
        "a FreedError for what isn't any more",
      );
      expect(!isAborted, "the signal's reason");
      if (!asBytes) return expectBack(world, given, outcome);
      expectBytesOf(outcome.value, given.memory!, nameOf(given));
    },
  };
};

function nameOf({ handle, isForged, value }: Given): string {
  if (isForged) return "something forged";
  if (handle === undefined) return typeof value;
  return handle.constructor.name;
}

/** Sets variables of a scope. */
const assign: Operation = (world, isHostile) => {
  const scope = anyScope(world);
  if (scope === undefined || scope.busy > 0) return;
  const { random } = world;
  const given = [anyValue(world, isHostile), anyValue(world, isHostile)]
    .slice(0, 1 + random.below(2));
  const { told, isAborted, isOdd } = optionsOf(world, given, scope, isHostile);
  const way = random.below(4);
  const source = ["pass", "import fuzz; fuzz.call()", "1 / 0", "a"][way];
  const changed = scope.change();
  return {
    what: `set variables of scope ${world.scopes.indexOf(scope)} to ${
      given.map(nameOf)
    }: ${source}`,
    call: () => python.run(source, told),
    settle(outcome) {
      changed();
      for (const it of given) it.settle();
      const isDone = outcome.isDone({
        ...either(
          either(
            errorsOf(given, outcome.isDisturbed),
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
        PythonError: given.some((it) => it.isForged),
      });
      const raised = !isDone && isPythonError(outcome.error);
      if (!isDone && !raised) return;
      expect(way !== 2 || raised, "a ZeroDivisionError");
      if (given.some((it) => it.isForged)) {
        // Whether Python has it can't be told.
        if (raised) return forget(world, scope);
      }
      if (scope.isDisposed) {
        world.hasGarbage = true;
        return;
      }
      given.forEach((it, index) => scope.set(VARIABLES[index], it.thing()));
      if (way === 1) scope.set("fuzz", new Thing("other", undefined, "fuzz"));
    },
  };
};

function isPythonError(error: unknown): boolean {
  return error instanceof Error && error.name === "PythonError";
}

/** A scope whose variables can't be told any more is disposed. */
function forget(world: World, scope: ScopeHandle): void {
  scope.scope[Symbol.dispose]();
  if (!scope.isDisposed) scope.end();
  remove(world.scopes, scope);
}

/** What can be made in Python. */
const MADE: readonly (readonly [source: string, make: () => Thing])[] = [
  ["import fuzz; a = fuzz.Finalised()", () => other("a finalised object")],
  [
    "import fuzz; a = fuzz.Finalised(True, True)",
    () => other("a finalised cycle"),
  ],
  ["import fuzz; a = fuzz.Hostile()", () => other("a hostile object")],
  ["a = [1, 2, 3]", () => other("a list")],
  ["import fuzz; fuzz.garbage(3); a = 1", () => other("a number")],
  ["a = bytearray(24)", () => array(24)],
  ["a = bytearray(70_000)", () => array(70_000)],
];

function other(name: string): Thing {
  return new Thing("other", undefined, name);
}

function array(size: number): Thing {
  const memory = new Memory(new Uint8Array(size), undefined);
  return new Thing("bytearray", memory, "a bytearray");
}

/** Makes an object in a scope. */
const make: Operation = (world, isHostile) => {
  const scope = anyScope(world);
  if (scope === undefined || scope.busy > 0) return;
  const { random } = world;
  const [source, thing] = random.pick(MADE)!;
  const name = random.pick(VARIABLES)!;
  const code = source.replace("a =", `${name} =`);
  const told = options(world, { scope: scope.scope }, isHostile);
  const changed = scope.change();
  return {
    what: `in scope ${world.scopes.indexOf(scope)}: ${code}`,
    call: () => python.run(code, told),
    settle(outcome) {
      changed();
      if (!outcome.isDone(scopeErrors(scope, outcome))) return;
      if (scope.isDisposed) return void (world.hasGarbage = true);
      if (code.startsWith("import")) scope.set("fuzz", other("fuzz"));
      scope.set(name, thing());
    },
  };
};

/** Reads a variable of a scope. */
const read: Operation = (world, isHostile) => {
  const scope = anyScope(world);
  if (scope === undefined) return;
  const { random } = world;
  const name = random.pick(VARIABLES)!;
  const isKnown = scope.busy === 0;
  const asBytes = random.once(2);
  const told = options(world, { scope: scope.scope }, isHostile);
  return {
    what: `read ${name} of scope ${world.scopes.indexOf(scope)}${
      asBytes ? " as bytes" : ""
    }`,
    call: () =>
      asBytes ? python.eval(`bytes(${name})`, told) : scope.scope.get(name),
    settle(outcome) {
      if (outcome.isDeepOrFailing) world.hasGarbage = true;
      const thing = scope.variables.get(name);
      const isStrict = isKnown && !outcome.isDisturbed;
      const has = thing?.memory !== undefined;
      const isDone = outcome.isDone({
        ...scopeErrors(scope, outcome),
        PythonError: asBytes && (!isStrict || !has),
      });
      const { value } = outcome;
      if (value instanceof PyObjectRef && isDone && (!isStrict || asBytes)) {
        value[Symbol.dispose]();
      }
      if (!isDone || !isStrict) return;
      expect(!scope.isDisposed, "a FreedError for a disposed scope");
      if (asBytes) {
        if (has) expectBytesOf(value, thing!.memory!, name);
        return;
      }
      if (thing === undefined) {
        return expect(value === undefined, "no variable");
      }
      if (value instanceof PyObjectRef) keep(world, value, thing);
    },
  };
};

/** Writes to a variable's memory in Python. */
const write: Operation = (world) => {
  const scope = anyScope(world);
  if (scope === undefined || scope.isDisposed || scope.busy > 0) return;
  const { random } = world;
  const found = random.pick(
    [...scope.variables].filter(([, { memory }]) =>
      memory !== undefined && memory.size > 0
    ),
  );
  if (found === undefined) return;
  const [name, thing] = found;
  const memory = thing.memory!;
  const offset = random.below(memory.size);
  const value = 0x80 | random.below(128);
  const code = `__import__("fuzz").write(${name}, ${offset}, ${value})`;
  const changed = scope.change();
  return {
    what: `in scope ${world.scopes.indexOf(scope)}: ${code}`,
    call: () => python.eval(code, { scope: scope.scope }),
    settle(outcome) {
      changed();
      const isDone = outcome.isDone({
        ...scopeErrors(scope, outcome),
        "PythonError:TypeError": thing.readonly,
        PythonError: outcome.isDisturbed,
      });
      if (isDone) memory.write(offset, Uint8Array.of(value));
    },
  };
};

/** Deletes a variable. */
const del: Operation = (world, isHostile) => {
  const scope = anyScope(world);
  if (scope === undefined || scope.busy > 0) return;
  const name = world.pick(VARIABLES)!;
  const told = options(world, { scope: scope.scope }, isHostile);
  const changed = scope.change();
  return {
    what: `del ${name} of scope ${world.scopes.indexOf(scope)}`,
    call: () => python.run(`del ${name}`, told),
    settle(outcome) {
      changed();
      const has = scope.variables.has(name);
      const isDone = outcome.isDone({
        ...scopeErrors(scope, outcome),
        "PythonError:NameError": !has || outcome.isDisturbed,
      });
      if (isDone && has) scope.set(name, undefined);
    },
  };
};

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
  const given = random.once(2) ? [anyValue(world, isHostile)] : [];
  const { told, isAborted, isOdd } = optionsOf(
    world,
    given,
    undefined,
    isHostile,
  );
  return {
    what: `run ${code.replace("\n", " ")} with ${given.map(nameOf)}`,
    call: () => python.run(code, told),
    settle(outcome) {
      for (const it of given) it.settle();
      const allowed: Record<string, boolean> = either(
        errorsOf(given, outcome.isDisturbed),
        {
          TypeError: isOdd,
          RangeError: isOdd,
          FreedError: isOdd,
          InternalTypeError: isOdd,
          AbortError: isOdd,
          Marker: isAborted,
          PythonError: given.some((it) => it.isForged),
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
    { a: undefined },
    { a: { valueOf: () => (act(world), 1) } },
    { a: () => act(world) },
    { a: Symbol("a") },
    { a: new Float64Array(3) },
    { a: [1] },
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

const newScope: Operation = (world) => {
  if (world.scopes.length >= MAX_SCOPES) return;
  return {
    what: "new PythonScope()",
    call: () => new PythonScope(),
    settle(outcome) {
      if (!outcome.isDone()) return;
      world.scopes.push(new ScopeHandle(outcome.value as PythonScope));
    },
  };
};

const endScope: Operation = (world) => {
  const handle = anyScope(world);
  if (handle === undefined) return;
  handle.ending++;
  const released = releasing(handle.variables.values());
  return {
    what: `dispose scope ${world.scopes.indexOf(handle)}`,
    call: () => handle.scope[Symbol.dispose](),
    settle(outcome) {
      handle.ending--;
      released();
      if (!outcome.isDone()) return;
      if (handle.busy > 0) world.hasGarbage = true;
      const { isDisposed } = handle;
      if (!isDisposed) handle.end();
      else if (handle.busy === 0) remove(world.scopes, handle);
      expect(handle.scope.disposed, "a disposed scope");
    },
  };
};

/** Operations that run Python code. */
export const RUNNING: readonly Choice[] = [
  { weight: 12, plan: evaluate, isAtomic: true },
  { weight: 9, plan: assign },
  { weight: 6, plan: make },
  { weight: 8, plan: read, isAtomic: true },
  { weight: 6, plan: write },
  { weight: 3, plan: del },
  { weight: 9, plan: runCode },
  { weight: 1, plan: oddSource },
  { weight: 2, plan: oddNames },
  { weight: 2, plan: newScope, isAtomic: true },
  { weight: 2, plan: endScope, isAtomic: true },
];
