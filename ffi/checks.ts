/** Checks of arguments, before anything is done with them. */

import { isSafeInteger } from "./intrinsics.ts";

/** Return a count, size or address that is whole, not negative, and exact as a double; else throw a `RangeError` that names it. */
export function requireSafeInteger(what: string, value: number): number {
  if (isSafeInteger(value) && value >= 0) return value + 0; // -0 becomes 0
  if (typeof value !== "number") {
    throw new TypeError(
      `The ${what} must be a number; ${describe(value)} was given`,
    );
  }
  throw new RangeError(
    `The ${what} must be a whole number from 0 to 2^53 - 1; ${value} was given`,
  );
}

/** Return an argument that is a string; else throw a `TypeError` that names it. */
export function requireString(what: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw new TypeError(
    `The ${what} must be a string; ${describe(value)} was given`,
  );
}

/** Return whether a value is an object, or a function. */
export function isObject(value: unknown): value is object {
  return typeof value === "function" ||
    typeof value === "object" && value !== null;
}

/** Return options; throw a `TypeError` for what has no properties. */
export function requireOptions<Options>(options: Options): Options {
  if (options !== null) return options;
  throw new TypeError("The options must be an object; null was given");
}

/** Return a value as an error message shows it. What runs of the value's own code can't keep the message from being made. */
export function describe(value: unknown): string {
  try {
    if (typeof value === "string") return JSON.stringify(value);
    if (typeof value === "function") return value.name;
    if (typeof value === "object" && value !== null) {
      return `an object (${value.constructor?.name ?? "no class"})`;
    }
    if (typeof value === "bigint") return `${value}n`;
    return String(value);
  } catch {
    return "an object (which can't be shown)";
  }
}
