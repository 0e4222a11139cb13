/** The operations of the public API, listed from what `mod.ts` exports. */

import { isDeepStrictEqual } from "node:util";

/** What `mod.ts` exports. */
export type Api = Readonly<Record<string, unknown>>;

/**
 * Lists every operation that the API offers: functions, constructors, static and prototype members, the functions of exported
 * objects, and the members of the objects that exported functions without arguments return (`attach()[Symbol.dispose]`).
 */
export function publicOperations(api: Api): string[] {
  return Object.entries(api).flatMap(([name, value]) => {
    if (isClass(value)) return operationsOfClass(name, value);
    if (typeof value === "function") return operationsOfFunction(name, value);
    return membersOf(name, value as object);
  }).sort();
}

// deno-lint-ignore ban-types -- any function that is exported
function isClass(value: unknown): value is Function & { prototype: object } {
  return typeof value === "function" &&
    Function.prototype.toString.call(value).startsWith("class");
}

function operationsOfClass(
  name: string,
  value: { prototype: object },
): string[] {
  return [
    `new ${name}`,
    ...membersOf(name, value),
    ...membersOf(`${name}.prototype`, value.prototype),
  ];
}

/** A function's own operation, and those of what it returns where it takes no arguments and returns an attachment. */
// deno-lint-ignore ban-types -- any function that is exported
function operationsOfFunction(name: string, value: Function): string[] {
  if (value.length > 0) return [name];
  const result: unknown = value();
  const prototype = Object.getPrototypeOf(result);
  if (isDeepStrictEqual(prototype, Object.prototype)) return [name];
  const operations = [name, ...membersOf(`${name}()`, prototype)];
  (result as Disposable)[Symbol.dispose]();
  return operations;
}

/** The members of an object that run code: functions and accessors. */
function membersOf(path: string, object: object): string[] {
  const operations: string[] = [];
  for (const key of Reflect.ownKeys(object)) {
    if (key === "constructor") continue;
    const { get, set, value } = Object.getOwnPropertyDescriptor(object, key)!;
    const operation = typeof key === "symbol"
      ? `${path}[${key.description}]`
      : `${path}.${key}`;
    if (get !== undefined || typeof value === "function") {
      operations.push(operation);
    }
    if (set !== undefined) operations.push(`set ${operation}`);
  }
  return operations;
}
