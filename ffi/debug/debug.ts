/**
 * Seeing memory: what is allocated where, and what isn't freed.
 *
 * @module
 */

export { type CallSiteOptions, recordCallSites } from "./call_sites.ts";
export {
  type Leak,
  type LeakCheck,
  leakCheck,
  type LeakCheckOptions,
  LeakError,
  withoutLeaks,
} from "./leaks.ts";
export type { LeakKind } from "../tracker.ts";
export { within } from "./within.ts";
