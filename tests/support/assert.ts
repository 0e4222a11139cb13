/** The names of `@std/assert` that the tests use, over `node:assert/strict`, for where JSR can't be reached. */

import strict from "node:assert/strict";

/** The constructor of an error. */
type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

/** Fails unless the value is truthy. */
export function assert(value: unknown, message?: string): asserts value {
  strict.ok(value, message);
}

/** Fails unless the two are deeply equal. */
export function assertEquals<T>(
  actual: T,
  expected: T,
  message?: string,
): void {
  strict.deepEqual(actual, expected, message);
}

/** Fails if the two are deeply equal. */
export function assertNotEquals<T>(
  actual: T,
  expected: T,
  message?: string,
): void {
  strict.notDeepEqual(actual, expected, message);
}

/** Fails unless the two are the same value, as `Object.is` has it. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  message?: string,
): asserts actual is T {
  strict.equal(actual, expected, message);
}

/** Fails unless the first is greater than the second. */
export function assertGreater<T>(
  actual: T,
  expected: T,
  message?: string,
): void {
  strict.ok(actual > expected, message ?? `expected ${actual} > ${expected}`);
}

/** Fails unless the first is less than the second. */
export function assertLess<T>(actual: T, expected: T, message?: string): void {
  strict.ok(actual < expected, message ?? `expected ${actual} < ${expected}`);
}

/** Fails unless the text has the part. */
export function assertStringIncludes(
  actual: string,
  expected: string,
  message?: string,
): void {
  strict.ok(
    actual.includes(expected),
    message ?? `expected ${JSON.stringify(actual)} to include "${expected}"`,
  );
}

/** Fails unless the text matches. */
export function assertMatch(
  actual: string,
  expected: RegExp,
  message?: string,
): void {
  strict.match(actual, expected, message);
}

/** Fails unless the value is an instance of the class. */
export function assertInstanceOf<E extends Error>(
  actual: unknown,
  expected: ErrorClass<E>,
  message?: string,
): asserts actual is E {
  strict.ok(
    actual instanceof expected,
    message ?? `expected an instance of ${expected.name}`,
  );
}

/** Fails unless the function throws an error of the class whose message has the text; returns the error. */
export function assertThrows<E extends Error = Error>(
  run: () => unknown,
  expected?: ErrorClass<E>,
  includes?: string,
): E {
  try {
    run();
  } catch (error) {
    return checked(error, expected, includes);
  }
  throw new strict.AssertionError({
    message: "expected the function to throw",
  });
}

/** Fails unless the promise rejects with an error of the class whose message has the text; returns the error. */
export async function assertRejects<E extends Error = Error>(
  run: () => PromiseLike<unknown>,
  expected?: ErrorClass<E>,
  includes?: string,
): Promise<E> {
  try {
    await run();
  } catch (error) {
    return checked(error, expected, includes);
  }
  throw new strict.AssertionError({
    message: "expected the promise to reject",
  });
}

function checked<E extends Error>(
  error: unknown,
  expected?: ErrorClass<E>,
  includes = "",
): E {
  if (expected !== undefined) {
    assertInstanceOf(
      error,
      expected,
      `expected ${expected.name}, got ${error}`,
    );
  }
  assertStringIncludes((error as E).message, includes);
  return error as E;
}
