/**
 * Handles: objects that own a reference to a Python object. Their class, `PyObjectRef`, is of a layer above, which defines here how
 * a handle is made and recognised; so are proxies, each of which stands for a handle.
 */

import { isObject } from "../checks.ts";

/** What the conversions need of the class of handles. */
export interface HandleClass {
  /** Make a handle that takes ownership of a reference's buffer. */
  make(reference: ArrayBuffer): object;
  /** Return whether a value is a handle, whatever its prototype says. */
  is(value: unknown): boolean;
  /** Return the buffer of a handle's reference; throw a `FreedError` if the handle was disposed. */
  referenceOf(handle: object): ArrayBuffer;
}

/** Make a handle that takes ownership of a reference's buffer. */
export let makeHandle: HandleClass["make"];

/** Return whether a value is a handle, whatever its prototype says. */
export let isHandle: HandleClass["is"];

/** Return the buffer of a handle's reference; throw a `FreedError` if the handle was disposed. */
export let referenceOf: HandleClass["referenceOf"];

/** Return the handle of a proxy; undefined for other values. Where the value is a Proxy of a program's, code of that runs. */
export let handleOfProxy: (value: object) => object | undefined;

/** Return a handle itself, or that of a proxy; undefined for other values. */
export function handleOf(value: unknown): object | undefined {
  if (!isObject(value)) return undefined;
  return isHandle(value) ? value : handleOfProxy(value);
}

/** The prototype that all proxies have, and nothing else. */
export const PROXY_PROTOTYPE: object = Object.freeze(Object.create(null));

/** Define how proxies are recognised. */
export function defineProxies(handleOf: typeof handleOfProxy): void {
  handleOfProxy = handleOf;
}

/** Define the class of handles. */
export function defineHandles(functions: HandleClass): void {
  ({ make: makeHandle, is: isHandle, referenceOf } = functions);
}
