/** Functions of Python as call signatures: positional arguments, then keywords. */

import type { FunctionMember, Parameter, Signature, Type } from "./model.ts";
import { identifier, property } from "./names.ts";
import {
  isLossy,
  renderInput,
  renderOutput,
  type Scope,
} from "./render_type.ts";

/** The call signatures of a function, without its name: `(a: number, keywords?: Kw<{ b?: string }>): number`. */
export function callSignatures(
  { signatures }: FunctionMember,
  scope: Scope,
  /** What it returns whatever is written there: a class's object. */
  result?: string,
): string[] {
  if (signatures.length === 0) {
    return [`(...values: PyAny[]): ${result ?? "PyAny"}`];
  }
  const merged = result ?? mergedResult(signatures, scope);
  const alike = merged === undefined ? undefined : mergedSignature(signatures);
  const calls = (alike === undefined ? signatures : [alike])
    .flatMap((it) => forms(it, scope, merged));
  return [...new Set(calls)];
}

/** Whether anything is known of what a function returns. */
export function hasTypedResult(
  { signatures }: FunctionMember,
  scope: Scope,
): boolean {
  if (signatures.length === 0) return false;
  const merged = mergedResult(signatures, scope);
  if (merged !== undefined) return merged !== "PyAny";
  return signatures.some(({ result }) =>
    renderOutput(result, scope) !== "PyAny"
  );
}

/**
 * The one result of overloads that TypeScript can't tell apart, for a type that differs between them says less here: that of all of
 * them, or `PyAny`. `undefined` where each overload may keep its own.
 */
function mergedResult(
  signatures: readonly Signature[],
  scope: Scope,
): string | undefined {
  if (signatures.length === 1 || !areAlike(signatures)) return undefined;
  const results = new Set(
    signatures.map(({ result }) => renderOutput(result, scope)),
  );
  if (results.size === 1) return [...results][0];
  const plain = new Set([...results].map((it) => it.replace(/<.*>$/s, "")));
  const [one] = plain;
  const isOneClass = plain.size === 1 && !one.startsWith("$types.");
  return isOneClass ? one : "PyAny";
}

/**
 * The one signature of overloads that return the same: each parameter has the types of all of them. `undefined` where they
 * have their parameters in another order.
 */
function mergedSignature(
  signatures: readonly Signature[],
): Signature | undefined {
  if (signatures.length === 1) return signatures[0];
  const orders = signatures.map(({ parameters }) =>
    parameters.filter(isInPlace).map(({ name }) => name)
  );
  const longest = orders.reduce((a, b) => b.length > a.length ? b : a);
  if (!orders.every((it) => isSubsequence(it, longest))) return undefined;
  const byName = new Map<string, Parameter[]>();
  for (const name of longest) byName.set(name, []);
  for (const it of signatures.flatMap(({ parameters }) => parameters)) {
    byName.set(it.name, [...byName.get(it.name) ?? [], it]);
  }
  const parameters = [...byName.values()].map((same) =>
    mergedParameter(same, signatures.length)
  ).sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
  let optional = false;
  const consistent = parameters.map((it) => {
    if (!isInPlace(it)) return it;
    optional ||= it.optional;
    return { ...it, optional };
  });
  return { parameters: consistent, result: signatures[0].result, bound: false };
}

/** The kinds of parameters, as they follow each other. Those with a place keep the order that they have. */
const ORDER = ["positional", "either", "rest", "keyword", "keywords"];

function isInPlace({ kind }: Parameter): boolean {
  return kind === "positional" || kind === "either";
}

function isSubsequence(
  part: readonly string[],
  whole: readonly string[],
): boolean {
  let from = 0;
  return part.every((it) => (from = whole.indexOf(it, from) + 1) > 0);
}

function mergedParameter(
  same: readonly Parameter[],
  overloads: number,
): Parameter {
  const kinds = new Set(same.map(({ kind }) => kind));
  const [first] = same;
  return {
    name: first.name,
    kind: kinds.size === 1 ? first.kind : "either",
    optional: same.length < overloads || same.some(({ optional }) => optional),
    type: { kind: "union", members: same.map(({ type }) => type) },
  };
}

/** Whether overloads differ in a type that says less in TypeScript. */
function areAlike(signatures: readonly Signature[]): boolean {
  if (signatures.some(({ bound }) => bound)) return true;
  const types = new Map<string, { text: string; type: Type }[]>();
  for (const { parameters } of signatures) {
    for (const { name, type } of parameters) {
      const known = types.get(name) ?? [];
      known.push({ text: JSON.stringify(type), type });
      types.set(name, known);
    }
  }
  return [...types.values()].some((known) =>
    new Set(known.map(({ text }) => text)).size > 1 &&
    known.some(({ type }) => isLossy(type))
  );
}

/** The ways to write a call: with every required argument in its place, and with the last of them by keyword. */
function forms(
  { parameters, result }: Signature,
  outer: Scope,
  merged: string | undefined,
): string[] {
  const scope = withVariables(parameters, outer);
  const names = [...scope.variables.keys()].filter((it) =>
    !outer.variables.has(it)
  );
  const generics = names.length > 0
    ? `<${names.map((it) => `${it} = PyAny`).join(", ")}>`
    : "";
  const returned = merged ?? renderOutput(result, scope);
  const inPlace = parameters.filter(isInPlace);
  const required = inPlace.filter(({ optional }) => !optional);
  const rest = parameters.find(({ kind }) => kind === "rest");
  const fewest = required.filter(({ kind }) => kind === "positional").length;
  const needsKeyword = parameters.some(({ kind, optional }) =>
    kind === "keyword" && !optional
  );
  const calls: string[] = [];
  // Without its last required ones, which are given by keyword.
  for (let count = fewest; count < required.length; count++) {
    const given = required.slice(0, count).map((it) => argument(it, scope));
    const keywords = keywordsOf(parameters, inPlace.slice(0, count), scope);
    calls.push([...given, `keywords: ${keywords}`].join(", "));
  }
  if (needsKeyword) {
    for (let count = required.length; count <= inPlace.length; count++) {
      const given = inPlace.slice(0, count)
        .map((it) => argument({ ...it, optional: false }, scope));
      const keywords = keywordsOf(parameters, inPlace.slice(0, count), scope);
      calls.push([...given, `keywords: ${keywords}`].join(", "));
    }
  } else calls.push(inPlaceForm(parameters, inPlace, required, rest, scope));
  return calls.map((it) => `${generics}(${it}): ${returned}`);
}

/** Every argument in its place; where the optional ones begin, keywords may follow. */
function inPlaceForm(
  parameters: readonly Parameter[],
  inPlace: readonly Parameter[],
  required: readonly Parameter[],
  rest: Parameter | undefined,
  scope: Scope,
): string {
  const keywords = keywordsOf(parameters, required, scope);
  const optional = inPlace.filter((it) => !required.includes(it));
  if (rest !== undefined) {
    const or = keywords === undefined ? "" : ` | ${keywords}`;
    const places = optional.map((it) => `${argument(it, scope)}${or}`);
    const element = renderInput(rest.type, scope);
    return [
      ...required.map((it) => argument(it, scope)),
      ...places,
      `...${identifier(rest.name)}: (${element}${or})[]`,
    ].join(", ");
  }
  const places = required.map((it) => argument(it, scope));
  if (keywords === undefined) {
    places.push(...optional.map((it) => argument(it, scope)));
  } else if (optional.length === 0) places.push(`keywords?: ${keywords}`);
  else {
    const tuple = optional.map((it) =>
      argument({ ...it, optional: false }, scope)
    );
    places.push(
      `...optional: $types.Optional<[${tuple.join(", ")}], ${
        keywords.slice(3, -1)
      }>`,
    );
  }
  return places.join(", ");
}

function argument({ name, type, optional }: Parameter, scope: Scope): string {
  const word = identifier(name);
  return `${word}${optional ? "?" : ""}: ${renderInput(type, scope)}`;
}

/** The keywords that may still be given where some arguments are in their places; `undefined` where there are none. */
function keywordsOf(
  parameters: readonly Parameter[],
  given: readonly Parameter[],
  scope: Scope,
): string | undefined {
  const left = parameters.filter((it) =>
    (it.kind === "either" || it.kind === "keyword") && !given.includes(it)
  ).map(({ name, type, optional }) =>
    `${property(name)}${optional ? "?" : ""}: ${renderInput(type, scope)}`
  );
  if (parameters.some(({ kind }) => kind === "keywords")) {
    left.push("[name: string]: unknown");
  }
  return left.length > 0 ? `Kw<{ ${left.join("; ")} }>` : undefined;
}

/** The scope with the type variables that are inferred from arguments. */
function withVariables(parameters: readonly Parameter[], scope: Scope): Scope {
  const found = new Set<string>();
  for (const { type, kind } of parameters) {
    if (kind === "either" || kind === "positional") inferred(type, found);
  }
  const variables = new Map(scope.variables);
  for (const name of found) {
    if (!variables.has(name)) variables.set(name, `$types.Returned<${name}>`);
  }
  return { ...scope, variables };
}

/** The variables that a type is made of, where TypeScript can infer them: itself, or the elements of a container. */
function inferred(type: Type, found: Set<string>): void {
  if (type.kind === "variable" && type.bound.kind === "any") {
    found.add(type.name);
  }
  if (type.kind !== "foreign" || !INFERRED.has(type.name)) return;
  for (const it of type.arguments.slice(0, 1)) inferred(it, found);
}

/** The containers of whose elements a type variable is inferred. */
const INFERRED = new Set([
  "list",
  "List",
  "Sequence",
  "Iterable",
  "Collection",
]);
