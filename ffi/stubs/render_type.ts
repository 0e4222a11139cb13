/** The types of Python as those of TypeScript: of what goes into Python, and of what comes out. */

import type { Class, Type } from "./model.ts";
import { path } from "./names.ts";
import { PRELUDE_NAMESPACE as P } from "./prelude.ts";

/** What a type is rendered among. */
export interface Scope {
  readonly classes: Readonly<Record<string, Class>>;
  readonly packages: ReadonlySet<string>;
  /** The variables that the declaration has, and how they come out. */
  readonly variables: ReadonlyMap<string, string>;
  /** What `self` is. */
  readonly self: string;
}

/** NumPy's scalars, which cross as the values that they are, by the ends of their names. */
const SCALARS: readonly [pattern: RegExp, type: string][] = [
  [/^numpy\.bool_?$/, "boolean"],
  [
    /^numpy\.(u?int(8|16|32|64|p|c)?|u?(byte|short|long|longlong)|float(16|32|64)|half|single|double)$/,
    "number",
  ],
  [/^numpy\.str_$/, "string"],
  [/^numpy\.bytes_$/, "Uint8Array"],
];

/** The abstract classes of those scalars: what comes may be a value or a reference. */
const ABSTRACT_SCALAR =
  /^numpy\.(generic|number|integer|signedinteger|unsignedinteger|inexact|floating|flexible|character)$/;

/** What goes into a parameter of a type that is known by its name, and what comes out. */
interface Conversion {
  readonly into?: (inner: (index: number) => string) => string;
  readonly from?: (inner: (index: number) => string) => string;
}

const REFERENCE = `${P}.Reference`;
const BUFFER = `ArrayBufferView | ArrayBuffer | ${REFERENCE}`;
const sequence = (element: string) =>
  `readonly ${wrapped(element)}[]${
    holdsNumbers(element) ? " | ArrayBufferView" : ""
  } | ${REFERENCE}`;
const elements = (element: string) =>
  `${sequence(element)} | ReadonlySet<${element}>`;
const mapping = () => "object";

function wrapped(type: string): string {
  return /[ |&]/.test(type) ? `(${type})` : type;
}

function holdsNumbers(type: string): boolean {
  return /\bnumber\b/.test(type) || type === "PyArg";
}

const list: Conversion = {
  into: (inner) => sequence(inner(0)),
  from: (inner) => `${P}.List<${inner(0)}>`,
};
const iterable: Conversion = {
  into: (inner) => elements(inner(0)),
  from: (inner) => `${P}.Iterable<${inner(0)}>`,
};
const dict: Conversion = {
  into: mapping,
  from: (inner) => `${P}.Dict<${inner(0)}, ${inner(1)}>`,
};
const set: Conversion = {
  into: (inner) => elements(inner(0)),
  from: (inner) => `${P}.Set<${inner(0)}>`,
};
const bytes: Conversion = {
  into: () => `Uint8Array | ${REFERENCE}`,
  from: () => "Uint8Array",
};
const value = (into: string, from: string): Conversion => ({
  into: () => into,
  from: () => from,
});
const reference = (into: string): Conversion => ({ into: () => into });
const filePath = reference(`URL | ${REFERENCE}`);

const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  int: value("number | bigint", "number"),
  float: value("number | bigint | PyFloat", "number"),
  complex: reference(`number | bigint | PyFloat | ${REFERENCE}`),
  bool: value("boolean", "boolean"),
  str: value("string", "string"),
  bytes,
  bytearray: reference(BUFFER),
  memoryview: reference(BUFFER),
  list,
  List: list,
  Sequence: list,
  MutableSequence: list,
  "tuple of any length": list,
  tuple: list,
  Tuple: list,
  Iterable: iterable,
  Iterator: iterable,
  Generator: iterable,
  Collection: iterable,
  Container: iterable,
  Reversible: iterable,
  KeysView: iterable,
  ValuesView: iterable,
  dict,
  Dict: dict,
  Mapping: dict,
  MutableMapping: dict,
  OrderedDict: dict,
  defaultdict: dict,
  DefaultDict: dict,
  Counter: {
    into: mapping,
    from: (inner) => `${P}.Dict<${inner(0)}, number>`,
  },
  set,
  Set: set,
  frozenset: set,
  FrozenSet: set,
  AbstractSet: set,
  MutableSet: set,
  slice: reference(`Slice | ${REFERENCE}`),
  SupportsIndex: reference(`number | bigint | ${REFERENCE}`),
  SupportsInt: reference(`number | bigint | PyFloat | ${REFERENCE}`),
  SupportsFloat: reference(`number | bigint | PyFloat | ${REFERENCE}`),
  SupportsComplex: reference(`number | bigint | PyFloat | ${REFERENCE}`),
  Buffer: reference(BUFFER),
  ReadableBuffer: reference(BUFFER),
  ReadOnlyBuffer: reference(BUFFER),
  WriteableBuffer: reference(REFERENCE),
  Callable: reference(`${P}.Callable`),
  type: reference(`${P}.Class`),
  Type: reference(`${P}.Class`),
  "os.PathLike": filePath,
  "pathlib.Path": filePath,
  "datetime.datetime": reference(
    `Date | Temporal.ZonedDateTime | Temporal.PlainDateTime | Temporal.Instant | ${REFERENCE}`,
  ),
  "datetime.date": reference(`Date | Temporal.PlainDate | ${REFERENCE}`),
  "datetime.time": reference(`Temporal.PlainTime | ${REFERENCE}`),
  "datetime.timedelta": reference(`Temporal.Duration | ${REFERENCE}`),
};

/** Whether the type says less in TypeScript than in Python, so that two of Python's may be one here. */
export function isLossy(type: Type): boolean {
  switch (type.kind) {
    case "union":
      return type.members.some(isLossy);
    case "none":
    case "literal":
      return false;
    case "foreign":
      return !["int", "float", "bool", "str"].includes(type.name);
    default:
      return true;
  }
}

/** What is written alike of what goes in and of what comes out; `undefined` of other types. `whole` is the type of all values. */
function renderAlike(
  type: Type,
  render: (member: Type) => string,
  whole: string,
): string | undefined {
  switch (type.kind) {
    case "none":
      return "null";
    case "never":
      return "never";
    case "literal":
      return JSON.stringify(type.value);
    case "union":
      return joined(type.members.map(render), whole);
  }
}

/** The type of what a caller gives. */
export function renderInput(type: Type, scope: Scope): string {
  const render = (inner: Type) => renderInput(inner, scope);
  const alike = renderAlike(type, render, "PyArg");
  if (alike !== undefined) return alike;
  switch (type.kind) {
    case "tuple":
      return `readonly [${type.members.map(render).join(", ")}] | ${REFERENCE}`;
    case "variable":
      return scope.variables.has(type.name) ? type.name : render(type.bound);
    case "self":
      return REFERENCE;
    case "class":
      return classInput(type.id);
    case "foreign":
      return CONVERSIONS[type.name]?.into?.((index) =>
        render(type.arguments[index] ?? { kind: "any" })
      ) ?? "PyArg";
    default:
      return "PyArg";
  }
}

/** A scalar of NumPy's is given as a value. Whether an object is one of a class is Python's to say: a structural type would refuse what is right. */
function classInput(id: string): string {
  if (ABSTRACT_SCALAR.test(id)) return "PyArg";
  const scalar = scalarOf(id);
  if (scalar === "number") return `number | bigint | PyFloat | ${REFERENCE}`;
  if (scalar !== undefined) return `${scalar} | ${REFERENCE}`;
  return REFERENCE;
}

/** The type of what a caller gets. */
export function renderOutput(type: Type, scope: Scope): string {
  const render = (inner: Type) => renderOutput(inner, scope);
  const alike = renderAlike(type, render, "PyAny");
  if (alike !== undefined) return alike;
  switch (type.kind) {
    case "tuple":
      return `${P}.Tuple<[${type.members.map(render).join(", ")}]>`;
    case "variable":
      return scope.variables.get(type.name) ?? "PyAny";
    case "self":
      return scope.self;
    case "class":
      return classOutput(type.id, type.arguments, scope);
    case "foreign":
      return CONVERSIONS[type.name]?.from?.((index) =>
        render(type.arguments[index] ?? { kind: "any" })
      ) ?? "PyAny";
    default:
      return "PyAny";
  }
}

/** The value as which the objects of a class cross; `undefined` where they come as references. */
export function scalarOf(id: string): string | undefined {
  return SCALARS.find(([pattern]) => pattern.test(id))?.[1];
}

function classOutput(
  id: string,
  given: readonly Type[],
  scope: Scope,
): string {
  if (ABSTRACT_SCALAR.test(id)) return "PyAny";
  const scalar = scalarOf(id);
  if (scalar !== undefined) return scalar;
  const known = scope.classes[id];
  if (known === undefined) return "PyAny";
  const name = path(id, scope.packages);
  const rendered = given.slice(0, known.parameters.length)
    .map((it) => renderOutput(it, scope));
  return rendered.every((it) => it === "PyAny")
    ? name
    : `${name}<${rendered.join(", ")}>`;
}

/** A union, without doubles; `whole` where one of them is that. */
function joined(types: readonly string[], whole: string): string {
  const distinct = [...new Set(types.flatMap(topLevelMembers))];
  return distinct.includes(whole) ? whole : distinct.join(" | ");
}

/** The members of a union that stands as text, without those within brackets. */
function topLevelMembers(type: string): string[] {
  const members: string[] = [];
  let depth = 0;
  let member = "";
  let quoted = false;
  for (const character of type) {
    if (character === '"') quoted = !quoted;
    if (!quoted && "<([{".includes(character)) depth++;
    if (!quoted && ">)]}".includes(character)) depth--;
    if (character === "|" && depth === 0 && !quoted) {
      members.push(member.trim());
      member = "";
    } else member += character;
  }
  return [...members, member.trim()];
}
