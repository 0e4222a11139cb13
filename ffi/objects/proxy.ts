/**
 * Proxies: Python's objects as objects of JavaScript's, whose names are Python's names. What is this library's own begins with `$`,
 * which no name of Python's can.
 *
 * The target of a proxy is its handle, or, where the object can be called, a function that refers to the handle: the proxy of
 * another one is no function to `typeof`.
 */

import { describe } from "../checks.ts";
import type { TypedArray, TypedArrayConstructor } from "../elements.ts";
import { PythonError } from "../errors.ts";
import { charCodeAt } from "../intrinsics.ts";
import type { PyAny } from "../py_any.ts";
import {
  defineProxies,
  handleOf,
  isHandle,
  PROXY_PROTOTYPE,
} from "../values/handle.ts";
import type { Kw, Slice } from "../values/python_values.ts";
import type { ToJs } from "../values/read.ts";
import type { Borrowed } from "./borrowed.ts";
import { DISPLAY } from "./media_bundle.ts";
import {
  callWith,
  isCallable,
  type PyArg,
  type PyArgs,
  type PyObjectRef,
  type PythonValue,
} from "./py_object_ref.ts";

/**
 * What every proxy has besides Python's own attributes.
 *
 * @example
 * ```ts
 * import { type PyProxyMembers, python } from "@oneheap/oneheap";
 *
 * const lengthOf = (proxy: PyProxyMembers) => proxy.$len;
 * console.log(lengthOf(python.builtins.range(3))); // 3
 * ```
 */
export interface PyProxyMembers<T = unknown> extends Disposable {
  /** The reference that the proxy stands for. Disposing it ends the proxy. */
  readonly $ref: PyObjectRef;
  /** Convert the object, and what is in it, to plain data, as {@linkcode PyObjectRef.toJs} does. */
  $js<R = T>(options?: ToJs): R;
  /** The item at a key or index, as `object[key]`: `x[0]` for keys that are no whole numbers. A {@linkcode slice} gives a part. */
  $item(key: PyArg | Slice): PyAny;
  /** Set an item. */
  $set(key: PyArg | Slice, value: PyArg): void;
  /** Delete an item. */
  $del(key: PyArg | Slice): void;
  /** Whether a value is in the object, as `value in object` in Python. */
  $has(value: PyArg): boolean;
  /** How many items the object has, as `len()` says. */
  readonly $len: number;
  /** The name of the object's type, with its module unless that is `builtins`. */
  readonly $type: string;
  /** Whether it is that very object. */
  $is(other: PyArg): boolean;
  /** Whether the object is an instance of a type, which is given by a proxy, a reference or its name. */
  $isInstance(type: string | PyObjectRef | PyProxyMembers): boolean;
  /** Use the object as Python's `with` does. {@linkcode PyObjectRef.with} says when it is left. */
  $with<Result>(body: (entered: PyAny) => Result): Result;
  /** The memory of the object as a typed array, as {@linkcode PyObjectRef.view} has it. */
  $view<A extends TypedArray = TypedArray>(
    type?: TypedArrayConstructor<A>,
    options?: { copy?: boolean },
  ): Borrowed<A>;
  /** Call the object, as `x()` does. */
  $call(...args: (PyArg | Kw<object>)[]): PyAny;
}

/**
 * A Python object whose attributes are those of `T`, and have Python's names.
 *
 * `x.name` gets an attribute, and `=`, `delete` and `in` set, delete and ask for one; `x[0]` and `x[-1]` are items; `x(…)` calls;
 * `for` goes through it; `using` releases it. {@linkcode kw} as the last argument gives keywords. `toJSON` and `then` are JavaScript's, which
 * looks for them on its own; so are `constructor`, `toString`, `toLocaleString` and `valueOf` where the object has no such attribute. An
 * attribute that is hidden by one of these is got by `$ref.get(name)`.
 *
 * @example
 * ```ts
 * import { kw, type PyProxy, python } from "@oneheap/oneheap";
 *
 * const fractions = python.import("fractions");
 * using half: PyProxy<{ numerator: number; denominator: number }> = fractions.Fraction(2, 4);
 * console.log(half.denominator, `${half}`); // 2 1/2
 * using letters = python.builtins.sorted("python", kw({ reverse: true }));
 * console.log(letters[0], letters[-1], letters.$js()); // y h [ "y", "t", "p", "o", "n", "h" ]
 * ```
 */
export type PyProxy<T = object> = T & PyProxyMembers;

/** The key at which the function has its handle that is the target of a proxy. */
const HANDLE = Symbol();

/** The target of a proxy whose object can be called. */
interface FunctionTarget {
  (): void;
  [HANDLE]: PyObjectRef;
}

/** The key by which a proxy is asked for its handle: the trap sets `answer`. */
const ASK = Symbol();
let answer: PyObjectRef | undefined;

defineProxies((value) => {
  answer = undefined;
  // Where it is no proxy of this library's, nothing answers, or one answers that the other Proxy has anyhow.
  void (value as { [ASK]: unknown })[ASK];
  const handle = answer;
  answer = undefined;
  return handle;
});

/** Return a value of Python's as the fluent layer has it: references become proxies. */
export function proxied(value: PythonValue): unknown {
  if (!isHandle(value)) return value;
  return newProxy(value as PyObjectRef, isCallable(value as PyObjectRef));
}

function newProxy(handle: PyObjectRef, callable: boolean): object {
  if (!callable) return new Proxy(handle, objectHandler);
  const target = (() => {}) as FunctionTarget;
  target[HANDLE] = handle;
  return new Proxy(target, functionHandler);
}

/** Return a proxy that stands for a reference. */
export function proxyOf(reference: unknown): PyAny {
  const handle = requireHandle(reference);
  return newProxy(handle, handle.callable);
}

/** Return the reference of a proxy, or of a reference itself; throw a `TypeError` for another value. */
export function requireHandle(value: unknown): PyObjectRef {
  const handle = handleOf(value);
  if (handle !== undefined) return handle as PyObjectRef;
  throw new TypeError(
    `A reference to a Python object or a proxy is wanted; ${
      describe(value)
    } was given`,
  );
}

/** What a proxy has by a name of this library's, of its handle. */
type Member = (handle: PyObjectRef) => unknown;

/** An object without a prototype, so that a lookup finds nothing of a program's. */
function membersOf<Key extends PropertyKey>(
  members: Record<Key, Member>,
): Readonly<Record<PropertyKey, Member | undefined>> {
  return Object.assign(Object.create(null), members);
}

const MEMBERS = membersOf({
  $ref: (handle) => handle,
  $js: (handle) => (options?: ToJs) => handle.toJs(options),
  $item: (handle) => (key: PyArg) => proxied(handle.item(key)),
  $set: (handle) => (key: PyArg, value: PyArg) => handle.setItem(key, value),
  $del: (handle) => (key: PyArg) => handle.deleteItem(key),
  $has: (handle) => (value: PyArg) => handle.contains(value),
  $len: (handle) => handle.length,
  $type: (handle) => handle.type,
  $is: (handle) => (other: PyArg) => handle.is(other),
  $isInstance: (handle) => (type: string | PyObjectRef) =>
    handle.isInstance(type),
  $with: (handle) => (body: (entered: unknown) => unknown) =>
    handle.with(typeof body === "function" ? (it) => body(proxied(it)) : body),
  $view:
    (handle) =>
    (type?: TypedArrayConstructor<TypedArray>, options?: { copy?: boolean }) =>
      handle.view(type, options),
  $call: (handle) => (...args: PyArgs) =>
    proxied(callWith(handle, args as unknown[])),
});

/** The names that JavaScript itself looks for, whatever the object has. */
const JAVASCRIPT = membersOf({
  toJSON: (handle) => () => handle.toJSON(),
  then: () => undefined,
});

/** The names that JavaScript's objects have, unless the Python object has such an attribute. */
const INHERITED = membersOf({
  constructor: () => undefined,
  toString: (handle) => () => handle.toString(),
  toLocaleString: (handle) => () => handle.toString(),
  valueOf: (handle) => () => newProxy(handle, handle.callable),
});

const SYMBOLS = membersOf({
  [ASK]: (handle) => {
    answer = handle;
  },
  [Symbol.dispose]: (handle) => () => handle[Symbol.dispose](),
  [Symbol.iterator]: (handle) => () => proxiedElements(handle),
  [Symbol.toPrimitive]: (handle) => (hint: string) => primitiveOf(handle, hint),
  [Symbol.hasInstance]: (handle) => (value: unknown) =>
    isInstance(value, handle),
  [Symbol.for("Deno.customInspect")]: (handle: PyObjectRef) => () =>
    inspect(handle),
  [DISPLAY]: (handle: PyObjectRef) => () => handle[DISPLAY](),
});

function* proxiedElements(handle: PyObjectRef): Generator<unknown, void> {
  for (const element of handle) yield proxied(element);
}

function primitiveOf(handle: PyObjectRef, hint: string): string {
  if (hint === "string") return handle.toString();
  throw new TypeError(
    "A Python object is no primitive value: +, < and == would not do what Python does. " +
      "Write the expression in py`…`, as py`${a} + ${b}`, or use $js()",
  );
}

/** What `value instanceof proxy` asks. */
function isInstance(value: unknown, type: PyObjectRef): boolean {
  const handle = handleOf(value);
  return handle !== undefined && (handle as PyObjectRef).isInstance(type);
}

function inspect(handle: PyObjectRef): string {
  if (handle.disposed) return "PyProxy (disposed)";
  try {
    return `PyProxy ${handle}`;
  } catch {
    return "PyProxy (its str() raises)";
  }
}

const DOLLAR = 36, MINUS = 45, ZERO = 48, NINE = 57;
const WHOLE_NUMBER = /^(?:0|-?[1-9]\d*)$/;

/** Return whether a name may be one of {@linkcode JAVASCRIPT} or {@linkcode INHERITED}. A lookup takes longer, for the names that are not. */
function isLookedFor(name: string): boolean {
  switch (name) {
    case "then":
    case "toJSON":
    case "constructor":
    case "toString":
    case "toLocaleString":
    case "valueOf":
      return true;
  }
  return false;
}

/** Return the index that a property's name is, if it is a whole number as JavaScript writes it. */
function indexOf(name: string): number | bigint | undefined {
  const first = charCodeAt(name, 0);
  if (first !== MINUS && !(first >= ZERO && first <= NINE)) return undefined;
  if (!WHOLE_NUMBER.test(name)) return undefined;
  const number = Number(name);
  return Number.isSafeInteger(number) ? number : BigInt(name);
}

function get(handle: PyObjectRef, name: string | symbol): unknown {
  if (typeof name === "symbol") return SYMBOLS[name]?.(handle);
  if (charCodeAt(name, 0) === DOLLAR) return MEMBERS[name]?.(handle);
  const index = indexOf(name);
  if (index !== undefined) return proxied(handle.item(index));
  if (isLookedFor(name)) return getLookedFor(handle, name);
  return proxied(handle.get(name));
}

function getLookedFor(handle: PyObjectRef, name: string): unknown {
  const member = JAVASCRIPT[name];
  if (member !== undefined) return member(handle);
  return handle.has(name)
    ? proxied(handle.get(name))
    : INHERITED[name]?.(handle);
}

function set(
  handle: PyObjectRef,
  name: string | symbol,
  value: unknown,
): boolean {
  const key = requireName(name, "set");
  const index = indexOf(key);
  if (index === undefined) handle.set(key, value as PyArg);
  else handle.setItem(index, value as PyArg);
  return true;
}

function deleteProperty(handle: PyObjectRef, name: string | symbol): boolean {
  const key = requireName(name, "deleted");
  const index = indexOf(key);
  if (index === undefined) handle.delete(key);
  else handle.deleteItem(index);
  return true;
}

/** Return the name of an attribute or the number of an item; throw a `TypeError` for what is this library's or JavaScript's. */
function requireName(name: string | symbol, what: string): string {
  if (
    typeof name === "string" && charCodeAt(name, 0) !== DOLLAR &&
    JAVASCRIPT[name] === undefined
  ) return name;
  throw new TypeError(
    `${
      typeof name === "string" ? name : String(name)
    } can't be ${what}: it is not Python's. An attribute of that name is reached by $ref`,
  );
}

function has(handle: PyObjectRef, name: string | symbol): boolean {
  if (typeof name === "symbol") return SYMBOLS[name] !== undefined;
  if (charCodeAt(name, 0) === DOLLAR) return MEMBERS[name] !== undefined;
  const index = indexOf(name);
  if (index !== undefined) return hasItem(handle, index);
  if (JAVASCRIPT[name] !== undefined) return name !== "then";
  return INHERITED[name] !== undefined || handle.has(name);
}

function hasItem(handle: PyObjectRef, index: number | bigint): boolean {
  try {
    const item = handle.item(index);
    if (isHandle(item)) (item as PyObjectRef)[Symbol.dispose]();
    return true;
  } catch (error) {
    if (error instanceof PythonError && error.is("LookupError")) return false;
    throw error;
  }
}

function hasNoProperties(): never {
  throw new TypeError(
    "A Python object has no properties of its own to list, copy or define. Use $js() for plain data, for…of for its elements, " +
      "or python.builtins.dir() for its attributes",
  );
}

/** The traps of proxies whose target refers to the handle like that. */
function handlerOf<Target extends object>(
  handleIn: (target: Target) => PyObjectRef,
): ProxyHandler<Target> {
  return {
    get: (target, name) => get(handleIn(target), name),
    set: (target, name, value) => set(handleIn(target), name, value),
    deleteProperty: (target, name) => deleteProperty(handleIn(target), name),
    has: (target, name) => has(handleIn(target), name),
    getPrototypeOf: () => PROXY_PROTOTYPE,
    getOwnPropertyDescriptor: () => undefined,
    ownKeys: hasNoProperties,
    defineProperty: hasNoProperties,
    setPrototypeOf: hasNoProperties,
    preventExtensions: hasNoProperties,
  };
}

const objectHandler = handlerOf<PyObjectRef>((target) => target);

const functionHandler: ProxyHandler<FunctionTarget> = {
  ...handlerOf<FunctionTarget>((target) => target[HANDLE]),
  apply: (target, _receiver, args) => proxied(callWith(target[HANDLE], args)),
};
