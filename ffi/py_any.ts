/** The type of what nobody has declared. */

/**
 * Whatever Python has there: the type of what nobody has declared. It is the one `any` of this library.
 *
 * @example
 * ```ts
 * import { type PyAny, python } from "@oneheap/oneheap";
 *
 * const math: PyAny = python.import("math");
 * console.log(math.gcd(12, 18)); // 6
 * ```
 */
// deno-lint-ignore no-explicit-any
export type PyAny = any;
