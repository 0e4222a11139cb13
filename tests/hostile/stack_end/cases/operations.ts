/** What is done with Python objects in one crossing, and values that cross by tape. */

import {
  ConversionError,
  float,
  Kw,
  kw,
  PyFloat,
  PyObjectRef,
  python,
  Slice,
  slice,
} from "../../../../mod.ts";
import { type Case, defineCase } from "../case.ts";
import { expect, expectEqual } from "../../../support/case_programs/expect.ts";

/** An object, and what `repr` says of it. */
interface Operated {
  object: PyObjectRef;
  before: string;
}

const represent = python.eval("repr") as PyObjectRef;

function textOf(object: PyObjectRef): string {
  return represent.call(object) as string;
}

/** An operation that is applied to an object; `changed` is what `repr` says of that where it is done, if it changes. */
function operating(
  name: string,
  variant: string,
  source: string,
  act: (object: PyObjectRef) => unknown,
  check: (value: unknown) => void,
  changed?: string,
): Case<unknown> {
  return defineCase<Operated>({
    operation: `PyObjectRef.prototype${name}`,
    variant,
    prepare() {
      const object = python.eval(source) as PyObjectRef;
      return { object, before: textOf(object) };
    },
    act: ({ object }) => act(object),
    check({ object, before }, outcome) {
      expectEqual(object.disposed, false, "disposed");
      const expected = outcome.done && changed !== undefined ? changed : before;
      expectEqual(textOf(object), expected, "the object");
      if (outcome.done) check(outcome.value);
    },
    finish({ object }, outcome) {
      object[Symbol.dispose]();
      if (outcome.done && outcome.value instanceof PyObjectRef) {
        outcome.value[Symbol.dispose]();
      }
    },
  });
}

function is(expected: unknown): (value: unknown) => void {
  return (value) => expectEqual(value, expected, "the result");
}

const NAMESPACE = "__import__('types').SimpleNamespace(a=1)";

const NESTED = { rows: [1, { text: "ü", deep: [[null, true]] }], key: 2n };

const operations = [
  operating(
    ".method",
    "with nested values",
    "[1]",
    (it) => it.method("append", NESTED),
    is(null),
    "[1, {'rows': [1, {'text': 'ü', 'deep': [[None, True]]}], 'key': 2}]",
  ),
  operating(
    ".method",
    "with keywords",
    "[1, 2]",
    (it) => it.method("sort", kw({ reverse: true })),
    is(null),
    "[2, 1]",
  ),
  operating(
    ".set",
    "of an attribute",
    NAMESPACE,
    (it) => it.set("a", [2]),
    is(undefined),
    "namespace(a=[2])",
  ),
  operating(
    ".delete",
    "of an attribute",
    NAMESPACE,
    (it) => it.delete("a"),
    is(undefined),
    "namespace()",
  ),
  operating(
    ".has",
    "of an attribute",
    NAMESPACE,
    (it) => it.has("a"),
    is(true),
  ),
  operating(".item", "of a list", "['a', 'b']", (it) => it.item(1), is("b")),
  operating(
    ".item",
    "of a slice",
    "'abc'.join(['x', 'y']).split('b')",
    (it) => it.item(slice(1)),
    (value) => expect(value instanceof PyObjectRef, "a list"),
  ),
  operating(
    ".setItem",
    "of a dict",
    "{}",
    (it) => it.setItem("a", { b: [1] }),
    is(undefined),
    "{'a': {'b': [1]}}",
  ),
  operating(
    ".deleteItem",
    "of a list",
    "[1, 2]",
    (it) => it.deleteItem(0),
    is(undefined),
    "[2]",
  ),
  operating(
    ".contains",
    "of a list",
    "[1, 2]",
    (it) => it.contains(2),
    is(true),
  ),
  operating(".length", "of a list", "[1, 2]", (it) => it.length, is(2)),
  operating(".type", "of a list", "[1, 2]", (it) => it.type, is("list")),
  operating(".callable", "of a list", "[1, 2]", (it) => it.callable, is(false)),
  operating(
    ".is",
    "of another list",
    "[1, 2]",
    (it) => it.is([1, 2]),
    is(false),
  ),
  operating(
    ".isInstance",
    "of a type's name",
    "[1, 2]",
    (it) => it.isInstance("list"),
    is(true),
  ),
  operating(
    ".equals",
    "of nested values",
    "[1, {'a': 2}]",
    (it) => it.equals([1, { a: 2 }]),
    is(true),
  ),
  operating(
    ".compare",
    "of a list",
    "[1, 2]",
    (it) => it.compare([1, 3]),
    is(-1),
  ),
  operating("[Symbol.iterator]", "which is asked once", "[7, 8]", (it) => {
    for (const element of it) return element;
  }, is(7)),
  operating(
    "[Symbol.toPrimitive]",
    "for a text",
    "[7, 8]",
    (it) => `${it}`,
    is("[7, 8]"),
  ),
  operating(
    ".toJs",
    "of nested values",
    "[1, {'a': ['ü', (None, 2.5)]}]",
    (it) => it.toJs(),
    (value) =>
      expectEqual(
        JSON.stringify(value),
        '[1,{"a":["ü",[null,2.5]]}]',
        "the data",
      ),
  ),
  operating(
    ".toJSON",
    "of nested values",
    "{'a': ['x' * 20, '日本']}",
    (it) => it.toJSON(),
    (value) =>
      expectEqual(
        JSON.stringify(value),
        `{"a":["${"x".repeat(20)}","日本"]}`,
        "the data",
      ),
  ),
];

const withs = [
  defineCase<{ object: PyObjectRef; entered: number }>({
    operation: "PyObjectRef.prototype.with",
    variant: "with a body that returns",
    prepare: () => ({
      object: python.eval("__import__('io').StringIO('text')") as PyObjectRef,
      entered: 0,
    }),
    act(objects) {
      return objects.object.with(() => ++objects.entered);
    },
    check({ object, entered }, outcome) {
      if (!outcome.done) return;
      expectEqual(entered, 1, "how often the body ran");
      expectEqual(object.get("closed"), true, "whether it is left");
    },
    finish: ({ object }) => object[Symbol.dispose](),
  }),
];

/** What makes a value, or nothing. */
function making(
  operation: string,
  act: () => object,
  check: (value: unknown) => void,
): Case<unknown> {
  return defineCase({
    operation,
    variant: "with all that it takes",
    prepare() {},
    act,
    check(_, outcome) {
      if (outcome.done) check(outcome.value);
    },
  });
}

const shows = (expected: string) => (value: unknown) =>
  expectEqual(represent.call(value as object), expected, "what Python gets");

const values = [
  making("float", () => float(2), shows("2.0")),
  making("new PyFloat", () => new PyFloat(2), shows("2.0")),
  making("slice", () => slice(1, 2), shows("slice(1, 2, None)")),
  making("new Slice", () => new Slice(1, 2, null), shows("slice(1, 2, None)")),
  making(
    "kw",
    () => kw({ a: 1 }),
    (value) => expect(value instanceof Kw, "keywords"),
  ),
  making(
    "new Kw",
    () => new Kw({ a: 1 }),
    (value) => expect(value instanceof Kw, "keywords"),
  ),
  making(
    "new ConversionError",
    () => new ConversionError("$", "type", "no"),
    (value) => expectEqual((value as Error).message, "$: no", "the message"),
  ),
];

/** The cases of operations. */
export const CASES: readonly Case<unknown>[] = [
  ...operations,
  ...withs,
  ...values,
];
