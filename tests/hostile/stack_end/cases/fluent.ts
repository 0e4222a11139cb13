/** Proxies, modules, templates, regions, and exceptions as objects. */

import {
  kw,
  py,
  type PyAny,
  type PyObjectRef,
  python,
  PythonError,
} from "../../../../mod.ts";
import { type Case, defineCase, type Outcome } from "../case.ts";
import { expect, expectEqual } from "../../../support/case_programs/expect.ts";
import { functionOf, makeThing, runs, scope } from "../python_state.ts";

/** A new list of Python's, as a proxy. */
function newList(): PyAny {
  return python.proxy(python.eval("[1, 2]") as PyObjectRef);
}

/** Ends what an operation has made: a proxy, or an error. */
function endResult(outcome: Outcome): void {
  if (!outcome.done) return;
  const { value } = outcome;
  if (value instanceof PythonError) return value[Symbol.dispose]();
  if (typeof value !== "object" && typeof value !== "function") return;
  if (value !== null) (value as Disposable)[Symbol.dispose]?.();
}

/** An operation that needs nothing, and whose result is checked. */
function making(
  operation: string,
  variant: string,
  act: () => unknown,
  check: (value: PyAny) => void,
): Case<unknown> {
  return defineCase({
    operation,
    variant,
    prepare() {},
    act,
    check: (_, outcome) => outcome.done ? check(outcome.value) : undefined,
    finish: (_, outcome) => endResult(outcome),
  });
}

/** What is done with a list by its proxy; `changed` is what it is where that is done, if it changes. */
function doing(
  variant: string,
  act: (list: PyAny) => unknown,
  changed: readonly unknown[] = [1, 2],
): Case<unknown> {
  return defineCase<{ list: PyAny }>({
    operation: "python.proxy",
    variant,
    prepare: () => ({ list: newList() }),
    act: ({ list }) => act(list),
    check({ list }, outcome) {
      const expected = outcome.done ? changed : [1, 2];
      expectEqual(JSON.stringify(list), JSON.stringify(expected), "the list");
    },
    finish({ list }, outcome) {
      list[Symbol.dispose]();
      if (typeof outcome === "object") endResult(outcome);
    },
  });
}

/** Something that an error is asked for. */
function asking(
  operation: string,
  act: (error: PythonError) => unknown,
  check: (value: PyAny) => void,
): Case<unknown> {
  return defineCase<{ error: PythonError }>({
    operation: `PythonError.prototype${operation}`,
    variant: "of an exception",
    prepare() {
      using fail = functionOf("fail");
      try {
        fail.call();
      } catch (error) {
        return { error: error as PythonError };
      }
      throw new Error("it was to raise");
    },
    act: ({ error }) => act(error),
    check({ error }, outcome) {
      expectEqual(error.message, "on purpose", "the message");
      if (outcome.done) check(outcome.value);
    },
    finish: ({ error }) => error[Symbol.dispose](),
  });
}

interface Counted {
  before: number;
  after?: number;
}

/** The cases of the fluent layer. */
export const CASES: readonly Case<unknown>[] = [
  making(
    "python.import",
    "of a module",
    () => python.import("math"),
    (math) => expectEqual(math.gcd(12, 18), 6, "a function of it"),
  ),
  making(
    "python.builtins",
    "read",
    () => python.builtins,
    (builtins) => expectEqual(builtins.len("ab"), 2, "a function of it"),
  ),
  making(
    "python.module",
    "of statements",
    () => python.module("def double(n): return 2 * n"),
    (module) => expectEqual(module.double(4), 8, "a function of it"),
  ),
  making(
    "python.importFile",
    "which is not there",
    () => {
      try {
        return python.importFile("/none/such.py");
      } catch (error) {
        if (error instanceof PythonError) return error;
        throw error;
      }
    },
    (error) => expectEqual(error.type, "FileNotFoundError", "the error"),
  ),
  making(
    "python.require",
    "of what is no requirement",
    () => {
      try {
        return python.require("-r x");
      } catch (error) {
        if (error instanceof TypeError) return error;
        throw error;
      }
    },
    (error) => expectEqual(`${error}`.includes("-r x"), true, "the error"),
  ),
  making(
    "PyObjectRef.prototype[Jupyter.display]",
    "of a list",
    () => python.eval("[1]") as PyObjectRef,
    (list) =>
      expectEqual(
        (list as unknown as Record<symbol, () => unknown>)
          [Symbol.for("Jupyter.display")]() !== undefined,
        true,
        "it is shown",
      ),
  ),
  doing("which gets an attribute", (list) => list.append),
  doing("which gets an item", (list) => list[0]),
  doing("which sets an item", (list) => {
    list[0] = [3];
  }, [[3], 2]),
  doing("which calls a method", (list) => {
    list.append(3);
  }, [1, 2, 3]),
  doing("which calls with keywords", (list) => {
    list.sort(kw({ reverse: true }));
  }, [2, 1]),
  doing("which deletes an item", (list) => delete list[1], [1]),
  doing("which asks for an item", (list) => 1 in list),
  doing("which converts", (list) => list.$js()),
  doing("which is text", (list) => `${list}`),
  doing("which goes through it", (list) => [...list]),
  doing(
    "which is passed",
    (list) => python.eval("len(x)", { names: { x: list } }),
  ),
  defineCase({
    operation: "python.ref",
    variant: "of a proxy",
    prepare: newList,
    act: (list) => python.ref(list),
    check(list, outcome) {
      if (outcome.done) expectEqual(outcome.value, list.$ref, "the reference");
    },
    finish: (list) => list[Symbol.dispose](),
  }),
  defineCase<Counted>({
    operation: "py",
    variant: "with two values",
    prepare: () => ({ before: runs() }),
    act: () => scope.py`ran(${[1]}) + ${[2]}`,
    check(objects, outcome) {
      objects.after ??= runs();
      const times = outcome.done ? 1 : 0;
      expectEqual(objects.after - objects.before, times, "how often it ran");
      if (outcome.done) {
        expectEqual(`${outcome.value}`, "[1, 2]", "the result");
      }
    },
    finish: (_, outcome) => endResult(outcome),
  }),
  making(
    "py",
    "of a number",
    () => py`${1} + ${2}`,
    (value) => expectEqual(value, 3, "the result"),
  ),
  making(
    "PythonScope.prototype.py",
    "with the scope's names",
    () => scope.py`runs`,
    (value) => expectEqual(typeof value, "number", "the result"),
  ),
  defineCase<{ list: PyAny; made: PyAny[] }>({
    operation: "python.region",
    variant: "which makes references",
    prepare: () => ({ list: newList(), made: [] }),
    act: ({ list, made }) =>
      python.region(() => {
        const inside = list.append;
        made.push(inside);
        return [list.__len__];
      }),
    check({ list, made }, outcome) {
      expectEqual(JSON.stringify(list), "[1,2]", "the list");
      for (const it of made) {
        expect(it.$ref.disposed, "what was made has ended");
      }
      if (outcome.done) {
        expectEqual((outcome.value as PyAny)[0](), 2, "what was returned");
      }
      using after = newList();
      expectEqual(after.$len, 2, "the length of another list");
    },
    finish({ list }, outcome) {
      if (outcome.done) (outcome.value as PyAny)[0][Symbol.dispose]();
      list[Symbol.dispose]();
    },
  }),
  asking(
    ".module",
    (it) => it.module,
    (it) => expectEqual(it, "builtins", "the module"),
  ),
  asking(
    ".mro",
    (it) => it.mro,
    (it) => expectEqual(it[1], "Exception", "the base class"),
  ),
  asking(
    ".is",
    (it) => it.is("Exception"),
    (it) => expectEqual(it, true, "the answer"),
  ),
  asking(
    ".exception",
    (it) => it.exception,
    (it) => expectEqual(it.$type, "ValueError", "the exception"),
  ),
  asking(
    ".fields",
    (it) => it.fields(),
    (it) => expectEqual(it.args[0], "on purpose", "the argument"),
  ),
  asking(
    ".notes",
    (it) => it.notes,
    (it) => expectEqual(it.length, 0, "the notes"),
  ),
  asking(
    ".errors",
    (it) => it.errors,
    (it) => expectEqual(it, undefined, "the errors"),
  ),
  asking(
    ".traceback",
    (it) => it.traceback,
    (it) => expect(it.includes("on purpose"), "the traceback"),
  ),
  defineCase<{ error: PythonError; thing: PyObjectRef }>({
    operation: "PythonError.prototype[Symbol.dispose]",
    variant: "of an exception",
    prepare() {
      const thing = makeThing();
      using fail = functionOf("fail");
      try {
        fail.call(thing);
      } catch (error) {
        return { error: error as PythonError, thing };
      }
      throw new Error("it was to raise");
    },
    act: ({ error }) => error[Symbol.dispose](),
    check: ({ error }) => expectEqual(error.type, "ValueError", "the type"),
    finish({ error, thing }) {
      error[Symbol.dispose]();
      thing[Symbol.dispose]();
    },
  }),
];
