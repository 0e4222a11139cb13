/** References to Python objects, and their memory. */

import {
  alloc,
  Borrowed,
  BufferError,
  PyObjectRef,
  python,
  PythonError,
  type PythonValue,
} from "../../../../mod.ts";
import { type Case, defineCase, type Outcome } from "../case.ts";
import { expect, expectEqual } from "../../../support/case_programs/expect.ts";
import {
  expectContents,
  pattern,
  patternBlock,
  resizeAndFree,
} from "../../../support/case_programs/blocks.ts";
import {
  functionOf,
  makeThing,
  referencesTo,
  runs,
  thingsAlive,
} from "../python_state.ts";

const INSPECT = Symbol.for("Deno.customInspect");

const SHOWN = ["PyObjectRef a thing", "PyObjectRef (its str() raises)"];

interface Referred {
  thing: PyObjectRef;
  references: number;
}

function referred(): Referred {
  const thing = makeThing();
  return { thing, references: referencesTo(thing) };
}

/** An operation that reads something of an object, and leaves the reference to it. */
function reading(
  operation: string,
  act: (thing: PyObjectRef) => unknown,
  check: (value: unknown, thing: PyObjectRef) => void,
): Case<unknown> {
  return defineCase<Referred>({
    operation,
    variant: "of an object",
    prepare: referred,
    act: ({ thing }) => act(thing),
    check({ thing, references }, outcome) {
      expectEqual(thing.disposed, false, "disposed");
      expectEqual(referencesTo(thing), references, "the references to it");
      if (outcome.done) check(outcome.value, thing);
    },
    finish: ({ thing }) => thing[Symbol.dispose](),
  });
}

const readings = [
  reading(
    "PyObjectRef.prototype.disposed",
    (it) => it.disposed,
    (value) => expectEqual(value, false, "disposed"),
  ),
  reading(
    "PyObjectRef.prototype.pointer",
    (it) => it.pointer,
    (value, thing) => {
      using same = PyObjectRef.from(value as Deno.PointerObject);
      const names = { a: thing, b: same };
      expectEqual(python.eval("a is b", { names }), true, "the same object");
    },
  ),
  reading(
    "PyObjectRef.prototype.toString",
    (it) => it.toString(),
    (value) => expectEqual(value, "a thing", "str()"),
  ),
  reading(
    "PyObjectRef.prototype[Deno.customInspect]",
    (it) => (it as unknown as { [INSPECT](): string })[INSPECT](),
    // It shows something whatever `str()` does.
    (value) => expect(SHOWN.includes(value as string), "what is shown"),
  ),
  defineCase({
    operation: "PyObjectRef.prototype.view",
    variant: "of a bytearray",
    prepare: () => python.eval("bytearray(b'abc')") as PyObjectRef,
    act: (bytes) => bytes.view(Uint8Array),
    check(bytes) {
      expectEqual(`${bytes}`, "bytearray(b'abc')", "the bytes");
    },
    finish(bytes, outcome) {
      if (outcome.done) {
        (outcome.value as Disposable)[Symbol.dispose]();
      }
      bytes.method("append", 1);
      bytes[Symbol.dispose]();
    },
  }),
  reading(
    "PyObjectRef.prototype.get",
    (it) => it.get("value"),
    (value) => expectEqual(value, 1, "the attribute"),
  ),
];

/** What runs code of Python's, once or not at all. */
interface Counted {
  before: number;
  after?: number;
  callee: PyObjectRef;
}

/** A call that runs Python code where it is done, and none where it is refused. */
function calling(
  operation: string,
  variant: string,
  callee: () => PyObjectRef,
  act: (callee: PyObjectRef) => unknown,
  check: (value: unknown) => void,
  throws?: typeof PythonError,
): Case<unknown> {
  return defineCase<Counted>({
    operation,
    variant,
    throws,
    prepare: () => ({ callee: callee(), before: runs() }),
    act: ({ callee }) => act(callee),
    check(objects, outcome) {
      objects.after ??= runs();
      expectEqual(
        objects.after - objects.before,
        outcome.done ? 1 : 0,
        "how often the code ran",
      );
      expectEqual(objects.callee.disposed, false, "disposed");
      if (outcome.done) check(outcome.value);
    },
    finish({ callee }, outcome) {
      callee[Symbol.dispose]();
      if (!outcome.done) return;
      const { value } = outcome;
      if (value instanceof PyObjectRef || value instanceof PythonError) {
        value[Symbol.dispose]();
      }
    },
  });
}

const ARGUMENT_LISTS: readonly PythonValue[][] = [
  [],
  [1],
  ["ü", 2n ** 70n, null],
  [1, 2, 3, 4, 5, 6, 7, 8],
];

function expectPythonError(value: unknown): void {
  const { type, message, traceback } = value as PythonError;
  expectEqual([type, message], ["ValueError", "on purpose"], "the error");
  expect(traceback.includes("ValueError: on purpose"), "it has a traceback");
}

const calls = [
  ...ARGUMENT_LISTS.map((args) =>
    calling(
      "PyObjectRef.prototype.call",
      `with ${args.length} arguments`,
      makeThing,
      (callee) => callee.call(...args),
      (value) => expectEqual(value, args.length, "the result"),
    )
  ),
  calling(
    "PyObjectRef.prototype.call",
    "which returns an object",
    () => functionOf("ran"),
    (callee) => callee.call(callee),
    (value) => expect(value instanceof PyObjectRef, "a reference"),
  ),
  calling(
    "PyObjectRef.prototype.call",
    "which raises",
    () => functionOf("fail"),
    (callee) => callee.call(1),
    expectPythonError,
    PythonError,
  ),
  calling(
    "PyObjectRef.prototype.get",
    "of a property that runs code",
    makeThing,
    (thing) => thing.get("counted"),
    (value) => expectEqual(value, 7, "the property"),
  ),
  defineCase({
    operation: "PyObjectRef.prototype.call",
    variant: "with a block",
    prepare: () => ({
      block: (() => {
        const block = alloc(Uint8Array, 10);
        block.view.set(pattern(10));
        return block;
      })(),
      thing: makeThing(),
    }),
    act: ({ thing, block }) => thing.call(block),
    check: ({ block }) => expectContents(block, pattern(10)),
    finish({ block, thing }) {
      thing[Symbol.dispose]();
      resizeAndFree(block);
    },
  }),
];

const references = [
  defineCase({
    operation: "new PyObjectRef",
    variant: "of a pointer whose reference it takes over",
    prepare() {
      const block = patternBlock(10);
      const pointer = block.toPython();
      using object = PyObjectRef.from(pointer);
      return { block, pointer, references: referencesTo(object) };
    },
    act: ({ pointer }) => new PyObjectRef(pointer),
    check({ pointer, references }) {
      using object = PyObjectRef.from(pointer);
      expectEqual(referencesTo(object), references, "the references to it");
    },
    finish({ block, pointer }, outcome) {
      const object = outcome.done
        ? outcome.value as PyObjectRef
        : new PyObjectRef(pointer);
      object[Symbol.dispose]();
      resizeAndFree(block);
    },
  }),
  defineCase<Referred>({
    operation: "PyObjectRef.from",
    variant: "of an object that another refers to",
    prepare: referred,
    act: ({ thing }) => PyObjectRef.from(thing.pointer),
    check({ thing, references }, outcome) {
      expectEqual(
        referencesTo(thing),
        references + (outcome.done ? 1 : 0),
        "the references to it",
      );
    },
    finish({ thing }, outcome) {
      if (outcome.done) (outcome.value as PyObjectRef)[Symbol.dispose]();
      thing[Symbol.dispose]();
    },
  }),
  defineCase<{ thing: PyObjectRef; before: number; after?: number }>({
    operation: "PyObjectRef.prototype[Symbol.dispose]",
    variant: "of the only reference",
    prepare: () => ({ thing: makeThing(), before: thingsAlive() }),
    act: ({ thing }) => thing[Symbol.dispose](),
    check(objects, { done }) {
      objects.after ??= thingsAlive();
      expectEqual(
        objects.before - objects.after,
        done ? 1 : 0,
        "how many objects were deleted",
      );
      expectEqual(objects.thing.disposed, done, "disposed");
      if (!done) expectEqual(`${objects.thing}`, "a thing", "str()");
    },
    finish: ({ thing }) => thing[Symbol.dispose](),
  }),
  defineCase<{ object: PyObjectRef }>({
    operation: "PyObjectRef.prototype[Symbol.dispose]",
    variant: "of a large object",
    prepare: () => ({
      object: python.eval("bytearray(1_000_000)") as PyObjectRef,
    }),
    act: ({ object }) => object[Symbol.dispose](),
    check({ object }, { done }) {
      expectEqual(object.disposed, done, "disposed");
      if (!done) referencesTo(object);
    },
    finish: ({ object }) => object[Symbol.dispose](),
  }),
];

/** A `bytearray`, which can't be resized while its memory is borrowed. */
interface Lent {
  object: PyObjectRef;
}

const BYTES = pattern(8);

function lent(): Lent {
  const object = python.eval(
    `bytearray(bytes([${BYTES.join(", ")}]))`,
  ) as PyObjectRef;
  return { object };
}

function isResizable(object: PyObjectRef): boolean {
  try {
    python.run("it.append(0); it.pop()", { names: { it: object } });
    return true;
  } catch (error) {
    if ((error as PythonError).type === "BufferError") return false;
    throw error;
  }
}

function expectBorrowed(
  { object }: Lent,
  outcome: Outcome,
  copied = false,
): void {
  expectEqual(
    isResizable(object),
    !outcome.done || copied,
    "that the object can be resized",
  );
  if (!outcome.done) return;
  const { view } = outcome.value as Borrowed<Uint8Array<ArrayBuffer>>;
  expectEqual([...view], [...BYTES], "the view");
}

function borrowing(
  variant: string,
  act: (object: PyObjectRef) => unknown,
  copied = false,
): Case<unknown> {
  return defineCase<Lent>({
    operation: "python.borrow",
    variant,
    prepare: lent,
    act: ({ object }) => act(object),
    check: (objects, outcome) => expectBorrowed(objects, outcome, copied),
    finish({ object }, outcome) {
      if (outcome.done) {
        (outcome.value as Borrowed<Uint8Array<ArrayBuffer>>)[Symbol.dispose]();
      }
      expectEqual(isResizable(object), true, "that it can be resized at last");
      object[Symbol.dispose]();
    },
  });
}

interface Lending extends Lent {
  borrowed: Borrowed<Uint8Array<ArrayBuffer>>;
}

function lending(): Lending {
  const { object } = lent();
  return { object, borrowed: python.borrow(object, Uint8Array) };
}

function endLending({ object, borrowed }: Lending): void {
  borrowed[Symbol.dispose]();
  expectEqual(isResizable(object), true, "that it can be resized at last");
  object[Symbol.dispose]();
}

const borrows = [
  borrowing("of a reference", (object) => python.borrow(object)),
  borrowing("as a type", (object) => python.borrow(object, Uint8Array)),
  borrowing("of a pointer", (object) => python.borrow(object.pointer)),
  borrowing(
    "of an expression",
    (object) => python.borrow("it", { names: { it: object } }),
  ),
  borrowing(
    "of a copy",
    (object) =>
      python.borrow("memoryview(it).toreadonly()", {
        copy: true,
        names: { it: object },
      }),
    true,
  ),
  defineCase({
    operation: "python.borrow",
    variant: "of what can't be shown",
    throws: BufferError,
    prepare() {},
    act: () => python.borrow("b'constant'"),
    check(_, outcome) {
      if (!outcome.done) return;
      const { reason, shape } = outcome.value as BufferError;
      expectEqual([reason, ...shape], ["readOnly", 8], "the error");
    },
  }),
  defineCase({
    operation: "new Borrowed",
    variant: "by hand",
    throws: TypeError,
    prepare() {},
    act: () => new (Borrowed as unknown as new () => unknown)(),
    check() {},
  }),
  defineCase<Lending>({
    operation: "Borrowed.prototype.view",
    variant: "of borrowed memory",
    prepare: lending,
    act: ({ borrowed }) => borrowed.view,
    check({ object, borrowed }) {
      expectBorrowed({ object }, { done: true, value: borrowed });
    },
    finish: endLending,
  }),
  defineCase<Lending>({
    operation: "Borrowed.prototype.disposed",
    variant: "of borrowed memory",
    prepare: lending,
    act: ({ borrowed }) => borrowed.disposed,
    check({ object, borrowed }) {
      expectBorrowed({ object }, { done: true, value: borrowed });
    },
    finish: endLending,
  }),
  defineCase<Lending>({
    operation: "Borrowed.prototype[Symbol.dispose]",
    variant: "of borrowed memory",
    prepare: lending,
    act: ({ borrowed }) => borrowed[Symbol.dispose](),
    check({ object, borrowed }, { done }) {
      expectEqual(borrowed.disposed, done, "disposed");
      expectBorrowed({ object }, { done: !done, value: borrowed });
    },
    finish: endLending,
  }),
];

/** The cases of Python's objects. */
export const CASES: readonly Case<unknown>[] = [
  ...readings,
  ...calls,
  ...references,
  ...borrows,
];
