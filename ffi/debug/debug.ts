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
export type {
  Amount,
  Frame,
  HeapTotal,
  Language,
  Moment,
  Peak,
} from "./heap_data.ts";
export {
  type HeapPlace,
  HeapReport,
  heapReport,
  type HeapReportFile,
} from "./heap_report.ts";
export type { LeakKind } from "../tracker.ts";
export { within } from "./within.ts";
