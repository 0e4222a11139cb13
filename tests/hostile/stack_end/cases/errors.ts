/** Making the library's errors, and reading them. */

import {
  AllocationError,
  BlockInUseError,
  BufferError,
  FreedError,
  LibraryError,
  PackageError,
  PythonError,
} from "../../../../mod.ts";
import { type Case, defineCase } from "../case.ts";
import { expect, expectEqual } from "../../../support/case_programs/expect.ts";

const INSPECT = Symbol.for("Deno.customInspect");
const TRACEBACK = "Traceback (most recent call last):\nValueError: x\n";

/** A constructor, which makes an error of its class or none. */
function making(name: string, act: () => Error): Case<unknown> {
  return defineCase({
    operation: `new ${name}`,
    variant: "with all that it takes",
    prepare() {},
    act,
    check(_, outcome) {
      if (!outcome.done) return;
      const error = outcome.value as Error;
      expectEqual(error.name, name, "the name");
      expect(error.message !== "", "it has a message");
    },
  });
}

function pythonError(): PythonError {
  return new PythonError("ValueError", "x", TRACEBACK);
}

/** The cases of errors. */
export const CASES: readonly Case<unknown>[] = [
  making("AllocationError", () => new AllocationError(8, "there is none")),
  making("BlockInUseError", () => new BlockInUseError(1)),
  making("BufferError", () => new BufferError("no", "format", "x", [1])),
  making("FreedError", () => new FreedError("it was freed")),
  making(
    "LibraryError",
    () =>
      new LibraryError("no", [{ subject: "a", reason: "b" }], new Error("why")),
  ),
  making("PackageError", () => new PackageError("no", ["a"], "failed", "")),
  making("PythonError", pythonError),
  defineCase({
    operation: "PythonError.prototype.traceback",
    variant: "of an error",
    prepare: pythonError,
    act: (error) => error.traceback,
    check: (error) => expectEqual(error.traceback, TRACEBACK, "the traceback"),
  }),
  defineCase({
    operation: "PythonError.prototype.cause",
    variant: "of an error",
    prepare: pythonError,
    act: (error) => error.cause,
    check(error) {
      const cause = error.cause as Error;
      expectEqual(cause.message, TRACEBACK.trimEnd(), "the cause's message");
    },
  }),
  defineCase({
    operation: "set PythonError.prototype.cause",
    variant: "to another",
    prepare: pythonError,
    act: (error) => {
      error.cause = "another";
    },
    check(error, outcome) {
      if (outcome.done) expectEqual(error.cause, "another", "the cause");
      else expect(error.cause instanceof Error, "the cause is as it was");
    },
  }),
  defineCase({
    operation: "PythonError.prototype[Deno.customInspect]",
    variant: "of an error",
    prepare: pythonError,
    act: (error) => (error as unknown as { [INSPECT](): string })[INSPECT](),
    check(error, outcome) {
      if (outcome.done) {
        expectEqual(outcome.value, error.stack, "what is shown");
      }
    },
  }),
];
