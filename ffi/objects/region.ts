/** Regions: references that end together. */

import { describe, isObject } from "../checks.ts";
import {
  getPrototypeOf,
  isArray,
  isMap,
  isPromise,
  isSet,
  keysOf,
  mapForEach,
  PlainArray,
  promiseThen,
  setAdd,
  setForEach,
  setHas,
} from "../intrinsics.ts";
import { napi } from "../loading/native.ts";
import { handleOf } from "../values/handle.ts";
import {
  endReferences,
  enterRegion,
  type PyObjectRef,
} from "./py_object_ref.ts";

const ObjectPrototype = Object.prototype;

/** Run a function; end the references that were made meanwhile, but those in its result. */
export function runRegion<Result>(body: () => Result): Result {
  if (typeof body !== "function") {
    throw new TypeError(
      `The body of a region must be a function; ${describe(body)} was given`,
    );
  }
  // What ends the region doesn't fail for want of stack.
  napi.ensureStack();
  const made = new PlainArray<PyObjectRef>();
  const outer = enterRegion(made);
  let kept: ReadonlySet<unknown> | undefined;
  let result: Result;
  try {
    result = body();
    refusePromise(result);
    kept = handlesIn(result);
  } finally {
    enterRegion(outer);
    endReferences(made, kept, nameOf(body));
  }
  if (outer !== undefined && kept !== undefined) moveKept(made, kept, outer);
  return result;
}

/** What is kept of a region belongs to the region around it. */
function moveKept(
  made: readonly PyObjectRef[],
  kept: ReadonlySet<unknown>,
  outer: PyObjectRef[],
): void {
  for (let index = 0; index < made.length; index++) {
    if (setHas(kept, made[index])) outer[outer.length] = made[index];
  }
}

/** Throw a `TypeError` for a promise: what it waits for would be used after the region. */
function refusePromise(result: unknown): void {
  if (!isPromise(result)) return;
  // What it is rejected with is of no interest any more.
  promiseThen(result, undefined, () => {});
  throw new TypeError(
    "The body of a region returned a promise, but the references made in it end when it returns. " +
      "Await outside of regions, and pass the values in",
  );
}

function nameOf(body: object): string {
  const { name } = body as { name: unknown };
  return typeof name === "string" && name !== ""
    ? `python.region(${name})`
    : "its python.region";
}

/** Return the handles in a value and in the plain containers in it; undefined if it is none of these. */
function handlesIn(value: unknown): ReadonlySet<unknown> | undefined {
  if (!isObject(value)) return undefined;
  const seen = new Set<unknown>();
  const waiting = new PlainArray<object>();
  waiting[0] = value;
  const visit = (inner: unknown) => {
    if (isObject(inner)) waiting[waiting.length] = inner;
  };
  while (waiting.length > 0) {
    const next = waiting[waiting.length - 1];
    waiting.length--;
    const handle = handleOf(next);
    if (setHas(seen, handle ?? next)) continue;
    setAdd(seen, handle ?? next);
    if (handle === undefined) visitElements(next, visit);
  }
  return seen;
}

/** Call a function with what is in a plain container. */
function visitElements(value: object, visit: (inner: unknown) => void): void {
  if (typeof value === "function") return;
  if (isArray(value)) {
    for (let index = 0; index < value.length; index++) visit(value[index]);
  } else if (isMap(value)) {
    mapForEach(value, (inner, key) => {
      visit(key);
      visit(inner);
    });
  } else if (isSet(value)) {
    setForEach(value, visit);
  } else if (isPlain(value)) {
    const keys = keysOf(value);
    for (let index = 0; index < keys.length; index++) {
      visit((value as Record<string, unknown>)[keys[index]]);
    }
  }
}

function isPlain(value: object): boolean {
  const prototype = getPrototypeOf(value);
  return prototype === ObjectPrototype || prototype === null;
}
