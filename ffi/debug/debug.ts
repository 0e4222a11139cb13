/**
 * Seeing memory: what is allocated where, and what isn't freed.
 *
 * A program that imports this answers `deno run -A jsr:@oneheap/oneheap/doctor --memory`, which shows in a dozen lines what holds its memory,
 * where the user's cache may be written to (not on Windows).
 *
 * @module
 */

import { answerMemoryQuestions } from "./answer.ts";

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

answerMemoryQuestions();
