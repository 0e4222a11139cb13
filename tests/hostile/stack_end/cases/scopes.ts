/** Scopes. */

import {
  FreedError,
  PyObjectRef,
  python,
  PythonScope,
} from "../../../../mod.ts";
import {
  expectEqual,
  expectThrows,
} from "../../../support/case_programs/expect.ts";
import { type Case, defineCase } from "../case.ts";
import { makeThing, thingsAlive } from "../python_state.ts";

/** A scope that has the only reference to an object. */
interface Scoped {
  variables: PythonScope;
  before: number;
  after?: number;
}

function scoped(): Scoped {
  const variables = new PythonScope();
  using thing = makeThing();
  python.run("number = 7", { scope: variables, names: { thing } });
  return { variables, before: thingsAlive() };
}

function expectScope({ variables }: Scoped): void {
  expectEqual(variables.disposed, false, "disposed");
  expectEqual(variables.get("number"), 7, "a variable");
}

/** An operation that leaves a scope as it is. */
function scopeReading(
  operation: string,
  variant: string,
  act: (variables: PythonScope) => unknown,
  check: (value: unknown) => void,
): Case<unknown> {
  return defineCase<Scoped>({
    operation,
    variant,
    prepare: scoped,
    act: ({ variables }) => act(variables),
    check(objects, outcome) {
      expectScope(objects);
      if (outcome.done) check(outcome.value);
    },
    finish({ variables }, outcome) {
      if (outcome.done && outcome.value instanceof PyObjectRef) {
        outcome.value[Symbol.dispose]();
      }
      const alive = thingsAlive();
      variables[Symbol.dispose]();
      expectEqual(alive - thingsAlive(), 1, "how many objects are deleted");
    },
  });
}

/** The cases of scopes. */
export const CASES: readonly Case<unknown>[] = [
  defineCase({
    operation: "new PythonScope",
    variant: "without variables",
    prepare() {},
    act: () => new PythonScope(),
    check(_, outcome) {
      if (!outcome.done) return;
      const variables = outcome.value as PythonScope;
      python.run("number = 7", { scope: variables });
      expectEqual(variables.get("number"), 7, "a variable");
    },
    finish(_, outcome) {
      if (outcome.done) (outcome.value as PythonScope)[Symbol.dispose]();
    },
  }),
  scopeReading(
    "PythonScope.prototype.disposed",
    "of a scope",
    (variables) => variables.disposed,
    (value) => expectEqual(value, false, "disposed"),
  ),
  scopeReading(
    "PythonScope.prototype.get",
    "of a number",
    (variables) => variables.get("number"),
    (value) => expectEqual(value, 7, "the variable"),
  ),
  scopeReading(
    "PythonScope.prototype.get",
    "of an object",
    (variables) => variables.get("thing"),
    (value) => expectEqual(`${value}`, "a thing", "the variable"),
  ),
  scopeReading(
    "PythonScope.prototype.get",
    "of nothing",
    (variables) => variables.get("missing"),
    (value) => expectEqual(value, undefined, "the variable"),
  ),
  defineCase<Scoped>({
    operation: "PythonScope.prototype[Symbol.dispose]",
    variant: "of a scope with an object",
    prepare: scoped,
    act: ({ variables }) => variables[Symbol.dispose](),
    check(objects, { done }) {
      objects.after ??= thingsAlive();
      expectEqual(
        objects.before - objects.after,
        done ? 1 : 0,
        "how many objects were deleted",
      );
      if (!done) return expectScope(objects);
      const { variables } = objects;
      expectEqual(variables.disposed, true, "disposed");
      expectThrows(
        () => variables.get("number"),
        FreedError,
        "get of a disposed scope",
      );
      expectThrows(
        () => python.run("1", { scope: variables }),
        FreedError,
        "a run in a disposed scope",
      );
    },
    finish: ({ variables }) => variables[Symbol.dispose](),
  }),
];
