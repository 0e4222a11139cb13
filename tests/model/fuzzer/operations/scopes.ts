/** Operations on scopes and their variables. */

import { PyObjectRef, python, PythonScope } from "../../../../mod.ts";
import { releasing, ScopeHandle } from "../handles.ts";
import { options } from "../hostile.ts";
import { Memory, Thing } from "../model.ts";
import { expect, type Outcome } from "../outcome.ts";
import { expectBytesOf, keep } from "../values.ts";
import { type Choice, type Operation, remove, type World } from "../world.ts";

const MAX_SCOPES = 4;

/** The variables of a scope. */
export const VARIABLES = ["a", "b", "c"];

/** A scope that no operation is changing. */
export function anyScope(world: World): ScopeHandle | undefined {
  return world.pick(world.scopes);
}

/** Errors of a scope. One that is disposed in the middle of the call, or of its own disposal, is refused by native code. */
export function scopeErrors(
  scope: ScopeHandle,
  { isDisturbed }: Outcome,
): Record<string, boolean> {
  const isEnded = scope.isDisposed || scope.ending > 0;
  return {
    FreedError: isEnded,
    RangeError: isEnded && (isDisturbed || scope.ending > 0),
  };
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
  const passed = options(world, { scope: scope.scope }, isHostile);
  const changed = scope.change();
  return {
    what: `in scope ${world.scopes.indexOf(scope)}: ${code}`,
    call: () => python.run(code, passed),
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
  const passed = options(world, { scope: scope.scope }, isHostile);
  return {
    what: `read ${name} of scope ${world.scopes.indexOf(scope)}${
      asBytes ? " as bytes" : ""
    }`,
    call: () =>
      asBytes ? python.eval(`bytes(${name})`, passed) : scope.scope.get(name),
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
  const passed = options(world, { scope: scope.scope }, isHostile);
  const changed = scope.change();
  return {
    what: `del ${name} of scope ${world.scopes.indexOf(scope)}`,
    call: () => python.run(`del ${name}`, passed),
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

/** Operations on scopes. */
export const SCOPES: readonly Choice[] = [
  { weight: 6, plan: make },
  { weight: 8, plan: read, isAtomic: true },
  { weight: 6, plan: write },
  { weight: 3, plan: del },
  { weight: 2, plan: newScope, isAtomic: true },
  { weight: 2, plan: endScope, isAtomic: true },
];
