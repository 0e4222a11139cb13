/** The data of a heap report: what its formats are written from, and what the page shows. */

/**
 * The language of a place: that of its innermost frame.
 *
 * @example
 * ```ts
 * import { type Language, heapReport } from "@oneheap/oneheap/debug";
 *
 * const names: Record<Language, string> = { typescript: "TypeScript", python: "Python", rust: "Rust" };
 * console.log(heapReport().totals.map(({ language }) => names[language]).join()); // TypeScript,Python,Rust
 * ```
 */
export type Language = "typescript" | "python" | "rust";

/**
 * How much memory: bytes, and in how many allocations.
 *
 * @example
 * ```ts
 * import { type Amount, heapReport } from "@oneheap/oneheap/debug";
 *
 * const average = ({ bytes, count }: Amount) => count === 0 ? 0 : bytes / count;
 * console.log(heapReport().totals.map(({ live }) => average(live)).length); // 3
 * ```
 */
export interface Amount {
  /** Bytes, as they were requested. */
  readonly bytes: number;
  /** Allocations. */
  readonly count: number;
}

/**
 * A frame of a stack.
 *
 * @example
 * ```ts
 * import { type Frame, heapReport } from "@oneheap/oneheap/debug";
 *
 * const show = ({ name, file, line }: Frame) => `${name} at ${file}:${line}`;
 * for (const { stack } of heapReport().places.slice(0, 3)) console.log(stack.map(show));
 * ```
 */
export interface Frame {
  /** The function; `<anonymous>` where it has no name, and empty where its name isn't known: at the top of a Python module, say. */
  readonly name: string;
  /** A path or URL. */
  readonly file: string;
  /** From 1 on; 0 where it isn't known. */
  readonly line: number;
  /** The language of its code. */
  readonly language: Language;
}

/** What was allocated from one stack. */
export interface StackEntry {
  /** Indices into `frames`, outermost first. */
  readonly frames: readonly number[];
  readonly language: Language;
  /** What is alive. */
  readonly live: Amount;
  /** What was alive at the peak; undefined where that isn't known. */
  readonly peak?: Amount;
  /** All that was ever allocated here while call sites were recorded; undefined where that isn't known. */
  readonly allocated?: Amount;
  /** How `live` changed since the earlier report (negative numbers too); only in a report of a difference. */
  readonly change?: Amount;
}

/**
 * A moment of the timeline.
 *
 * @example
 * ```ts
 * import { type Moment, heapReport } from "@oneheap/oneheap/debug";
 *
 * const highest = (moments: readonly Moment[]) => Math.max(0, ...moments.map(({ bytes }) => bytes));
 * console.log(highest(heapReport().timeline) >= 0); // true
 * ```
 */
export interface Moment {
  /** Since recording began. */
  readonly milliseconds: number;
  /** Of oneheap's blocks and raw memory. */
  readonly bytes: number;
  /** The process's resident set; 0 where the system doesn't tell. */
  readonly residentBytes: number;
}

/**
 * How much memory of a language.
 *
 * @example
 * ```ts
 * import { type HeapTotal, heapReport } from "@oneheap/oneheap/debug";
 *
 * const isLarge = ({ live }: HeapTotal) => live.bytes > 1e9;
 * console.log(heapReport().totals.some(isLarge)); // false
 * ```
 */
export interface HeapTotal {
  /** The language of the places. */
  readonly language: Language;
  /** What is alive. */
  readonly live: Amount;
  /** What was alive at the peak; undefined where that isn't known. */
  readonly peak?: Amount;
  /** How `live` changed since the earlier report, in a report of a difference. */
  readonly change?: Amount;
}

/**
 * When the most of oneheap's memory was alive, and how much.
 *
 * @example
 * ```ts
 * import { type Peak, heapReport } from "@oneheap/oneheap/debug";
 *
 * const show = ({ bytes, milliseconds }: Peak) => `${bytes} bytes after ${milliseconds} ms`;
 * const { peak } = heapReport();
 * console.log(peak === undefined ? "nothing was recorded" : show(peak));
 * ```
 */
export interface Peak {
  /** Since recording began. */
  readonly milliseconds: number;
  /** Of blocks and raw memory. */
  readonly bytes: number;
}

/** The data of a report. */
export interface HeapData {
  readonly version: 1;
  /** ISO 8601. */
  readonly createdAt: string;
  /** For example `oneheap 0.1.0, Python 3.13.0, Deno 2.9.6`. */
  readonly program: string;
  /** The sum by language. */
  readonly totals: readonly HeapTotal[];
  readonly frames: readonly Frame[];
  readonly stacks: readonly StackEntry[];
  readonly timeline: readonly Moment[];
  /** When the most was alive, and how much: of oneheap's memory. */
  readonly peak?: Peak;
  /** The mean distance between two sampled allocations, in bytes; 0: all are recorded. */
  readonly everyBytes: number;
  /** What a reader has to know: what isn't in the report, and what to do. */
  readonly notes: readonly string[];
}
