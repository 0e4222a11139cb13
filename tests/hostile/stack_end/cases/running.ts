/** Running Python code, on this thread and on threads of its own. */

import {
  alloc,
  type Block,
  PyObjectRef,
  python,
  PythonError,
  type PythonValue,
} from "../../../../mod.ts";
import { type Case, defineCase, type ErrorClass } from "../case.ts";
import { expect, expectEqual } from "../../../support/case_programs/expect.ts";
import {
  expectContents,
  pattern,
  resizeAndFree,
} from "../../../support/case_programs/blocks.ts";
import { makeThing, runs, scope, thingsAlive } from "../python_state.ts";

type Bytes = Block<Uint8Array<ArrayBuffer>>;

/** What Python has before the code runs and after it. */
interface Counted {
  runs: number;
  runsAfter?: number;
  alive: number;
}

function counted(): Counted {
  return { runs: runs(), alive: thingsAlive() };
}

/** Code that calls `ran` once where it is done, and never where it is refused. */
function running(
  operation: string,
  variant: string,
  act: () => unknown,
  check: (value: unknown) => void,
  throws?: ErrorClass,
): Case<unknown> {
  return defineCase<Counted>({
    operation,
    variant,
    throws,
    prepare: counted,
    act,
    check(objects, outcome) {
      objects.runsAfter ??= runs();
      expectEqual(
        objects.runsAfter - objects.runs,
        outcome.done ? 1 : 0,
        "how often the code ran",
      );
      if (outcome.done) check(outcome.value);
    },
    finish(_, outcome) {
      if (outcome.done && outcome.value instanceof PyObjectRef) {
        const alive = thingsAlive();
        const isThing = `${outcome.value}` === "a thing";
        outcome.value[Symbol.dispose]();
        const deleted = alive - thingsAlive();
        expectEqual(deleted, isThing ? 1 : 0, "how many objects are deleted");
      }
    },
  });
}

const SIGNAL = new AbortController().signal;

/** Expressions, and what they come to. */
const VALUES: readonly [source: string, value: PythonValue][] = [
  ["ran(1)", 1],
  ["ran(1.5)", 1.5],
  ["ran()", null],
  ["ran(True)", true],
  ["ran('ü')", "ü"],
  ["ran(2 ** 100)", 2n ** 100n],
  ["ran(b'\\1\\2')", Uint8Array.of(1, 2)],
];

function expectPythonError(value: unknown): void {
  const { type, message, traceback, stack } = value as PythonError;
  expectEqual([type, message], ["ValueError", "on purpose"], "the error");
  expect(traceback.includes("ValueError: on purpose"), "it has a traceback");
  expect(stack!.includes("ValueError: on purpose"), "it has a stack");
}

function expectReference(value: unknown): void {
  expect(value instanceof PyObjectRef, "the result is a reference");
}

function nothing(): void {}

const evaluations = [
  { operation: "python.eval", evaluate: python.eval },
  { operation: "python.evalAsync", evaluate: python.evalAsync },
].flatMap(({ operation, evaluate }) => [
  ...VALUES.map(([source, value]) =>
    running(
      operation,
      source,
      () => evaluate(source, { scope }),
      (actual) => expectEqual(actual, value, "the value"),
    )
  ),
  running(
    operation,
    "of an object",
    () => evaluate("ran(Thing())", { scope }),
    expectReference,
  ),
  running(
    operation,
    "of a large object",
    () => evaluate("ran(bytearray(100_000))", { scope }),
    expectReference,
  ),
  running(
    operation,
    "which raises",
    () => evaluate("fail()", { scope }),
    expectPythonError,
    PythonError,
  ),
  running(
    operation,
    "with names and a signal",
    () =>
      evaluate("ran(ä + b)", {
        scope,
        names: { ä: 1, b: 2 },
        signal: SIGNAL,
      }),
    (value) => expectEqual(value, 3, "the value"),
  ),
  defineCase<{ block: Bytes }>({
    operation,
    variant: "with a block",
    prepare() {
      const block = alloc(Uint8Array, 10);
      block.view.set(pattern(10));
      return { block };
    },
    act: ({ block }) => evaluate("bytes(it)", { names: { it: block } }),
    check({ block }, outcome) {
      if (outcome.done) expectEqual(outcome.value, pattern(10), "the bytes");
      expectContents(block, pattern(10));
    },
    finish: ({ block }) => resizeAndFree(block),
  }),
  defineCase<{ thing: PyObjectRef; before: number }>({
    operation,
    variant: "with an object",
    prepare() {
      const before = thingsAlive();
      return { thing: makeThing(), before };
    },
    act: ({ thing }) => evaluate("str(it)", { names: { it: thing } }),
    check({ thing }, outcome) {
      if (outcome.done) expectEqual(outcome.value, "a thing", "the value");
      expectEqual(`${thing}`, "a thing", "str()");
    },
    finish({ thing }) {
      const alive = thingsAlive();
      thing[Symbol.dispose]();
      expectEqual(alive - thingsAlive(), 1, "how many objects are deleted");
    },
  }),
]);

const statements = [
  { operation: "python.run", execute: python.run },
  { operation: "python.runAsync", execute: python.runAsync },
].flatMap(({ operation, execute }) => [
  running(operation, "of a call", () => execute("ran()", { scope }), nothing),
  running(
    operation,
    "of indented code, with a name",
    () =>
      execute(
        `
        if given:
            ran()
        `,
        { scope, names: { given: true } },
      ),
    nothing,
  ),
  running(
    operation,
    "which raises",
    () => execute("fail()", { scope }),
    expectPythonError,
    PythonError,
  ),
  defineCase({
    operation,
    variant: "in a fresh scope",
    prepare() {},
    act: () => execute("number = 1"),
    check() {},
  }),
]);

/** Aborting after a run has settled, or was refused, does nothing to anybody. */
const aborted = ["python.runAsync", "python.evalAsync"].map((operation) =>
  defineCase<{ controller: AbortController }>({
    operation,
    variant: "with a signal that is aborted afterwards",
    prepare: () => ({ controller: new AbortController() }),
    act: ({ controller: { signal } }) =>
      operation === "python.runAsync"
        ? python.runAsync("ran()", { scope, signal })
        : python.evalAsync("ran()", { scope, signal }),
    async check({ controller }) {
      controller.abort();
      expectEqual(await python.evalAsync("6 * 7"), 42, "a run afterwards");
    },
  })
);

/** A run that is interrupted ends with its error. */
const interrupted = defineCase<{ signal: AbortSignal }>({
  operation: "python.runAsync",
  variant: "with a signal that was aborted before",
  throws: DOMException,
  prepare: () => ({ signal: AbortSignal.abort() }),
  act: ({ signal }) => python.runAsync("ran()", { scope, signal }),
  check() {},
});

/** The cases of running code. */
export const CASES: readonly Case<unknown>[] = [
  ...evaluations,
  ...statements,
  ...aborted,
  interrupted,
];
