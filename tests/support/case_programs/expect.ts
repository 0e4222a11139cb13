/** Assertions for the programs, which run without the test's import map. */

import { isDeepStrictEqual } from "node:util";

/** Throws unless the condition holds. */
export function expect(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`not so: ${what}`);
}

/** Throws unless the two are deeply equal. */
export function expectEqual(
  actual: unknown,
  expected: unknown,
  what: string,
): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new Error(
    `${what} is ${Deno.inspect(actual)}; ${
      Deno.inspect(expected)
    } was expected`,
  );
}

/** Throws unless the function throws an error of the class. */
export function expectThrows(
  run: () => unknown,
  expected: abstract new (...args: never[]) => Error,
  what: string,
): void {
  try {
    run();
  } catch (error) {
    if (error instanceof expected) return;
    throw new Error(`${what} throws ${error}, not a ${expected.name}`);
  }
  throw new Error(`${what} throws nothing; a ${expected.name} was expected`);
}
