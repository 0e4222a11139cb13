/** What is declared of Python's modules. */

/**
 * The types of Python's modules, by their names. It is empty here: declarations fill it, by merging.
 *
 * @example
 * ```ts ignore
 * import { python } from "@oneheap/oneheap";
 *
 * declare module "@oneheap/oneheap" {
 *   interface PyModules {
 *     math: { gcd(...numbers: number[]): number };
 *   }
 * }
 *
 * const divisor: number = python.import("math").gcd(12, 18);
 * ```
 */
// deno-lint-ignore no-empty-interface
export interface PyModules {}
