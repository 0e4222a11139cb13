/** Heap reports: what is alive, where it was allocated, and how that changed. */

import { describe } from "../checks.ts";
import { collectHeap, sumOf } from "./collect_heap.ts";
import { collapsed, heapprofile, speedscope } from "./formats.ts";
import type {
  Amount,
  Frame,
  HeapData,
  HeapTotal,
  Language,
  Moment,
  Peak,
  StackEntry,
} from "./heap_data.ts";
import { pageOf } from "./report_page.ts";

/**
 * What was allocated from one stack.
 *
 * @example
 * ```ts
 * import { alloc } from "@oneheap/oneheap";
 * import { type HeapPlace, heapReport, recordCallSites } from "@oneheap/oneheap/debug";
 *
 * const show = ({ language, live, stack }: HeapPlace) => `${language}: ${live.bytes} bytes by ${stack.at(-1)?.name}`;
 * using _recording = recordCallSites();
 * function load() {
 *   return alloc(Uint8Array, 5_000_000);
 * }
 * using _block = load();
 * console.log(show(heapReport().places[0])); // typescript: 5000000 bytes by load
 * ```
 */
export interface HeapPlace {
  /** TypeScript for blocks and raw memory, Python for its objects, Rust for what native code allocated without a frame. */
  readonly language: Language;
  /** The frames, the outermost first. */
  readonly stack: readonly Frame[];
  /** What is alive. */
  readonly live: Amount;
  /**
   * What was alive at the peak: of oneheap's memory at its own, exactly; of Python's when `tracemalloc` had the most that was seen, by looking
   * ten times a second while call sites are recorded. Undefined for Rust's, and for what conversions made.
   */
  readonly peak?: Amount;
  /** All that was ever allocated while call sites were recorded; undefined for Python's and Rust's memory. */
  readonly allocated?: Amount;
  /** How `live` has changed since the earlier report, in a report of a difference. */
  readonly change?: Amount;
}

/**
 * A file that a report can be written to, told by how its name ends.
 *
 * @example
 * ```ts
 * import type { HeapReportFile } from "@oneheap/oneheap/debug";
 *
 * const fileOf = (name: string): HeapReportFile => `${name}.html`;
 * console.log(fileOf("heap")); // heap.html
 * ```
 */
export type HeapReportFile =
  | `${string}.html`
  | `${string}.heapprofile`
  | `${string}.speedscope.json`
  | `${string}.collapsed`;

/**
 * What is alive at one moment, by place and language, as {@linkcode heapReport} returns it.
 *
 * @example
 * ```ts
 * import { alloc } from "@oneheap/oneheap";
 * import { heapReport, recordCallSites } from "@oneheap/oneheap/debug";
 *
 * using _recording = recordCallSites();
 * const before = heapReport();
 * using _block = alloc(Uint8Array, 1_000_000);
 * const report = heapReport().since(before);
 * console.log(report.places[0].change); // { bytes: 1000000, count: 1 }
 * ```
 */
export class HeapReport {
  #data: HeapData;

  /** Make the report of some data: {@linkcode heapReport} does. */
  constructor(data: HeapData) {
    this.#data = data;
  }

  /** When it was made. */
  get createdAt(): Date {
    return new Date(this.#data.createdAt);
  }

  /** The sums by language. */
  get totals(): readonly HeapTotal[] {
    return this.#data.totals;
  }

  /** When the most of oneheap's memory was alive, in milliseconds since recording began, and how much; undefined if none was recorded. */
  get peak(): Peak | undefined {
    return this.#data.peak;
  }

  /** What was allocated from each stack, the largest first; in a report of a difference, what changed most. */
  get places(): HeapPlace[] {
    const { frames, stacks } = this.#data;
    return stacks.map(({ frames: indices, ...rest }) => ({
      stack: indices.map((index) => frames[index]),
      ...rest,
    })).sort((one, other) => sizeOf(other) - sizeOf(one));
  }

  /** How much was alive over time. */
  get timeline(): readonly Moment[] {
    return this.#data.timeline;
  }

  /** What a reader has to know: what isn't in the report, and how it gets there. */
  get notes(): readonly string[] {
    return this.#data.notes;
  }

  /**
   * The same report with what changed since an earlier one, what is gone included.
   *
   * @param earlier A report of the same program.
   */
  since(earlier: HeapReport): HeapReport {
    return new HeapReport(differenceOf(this.#data, earlier.#data));
  }

  /**
   * Write the report to a file: `.html`, a page that needs nothing else; `.heapprofile`, for Chromium's DevTools and Visual Studio Code;
   * `.speedscope.json`, for https://www.speedscope.app; `.collapsed`, for flame graphs.
   *
   * @throws {TypeError} If the file's name ends otherwise.
   */
  async write(file: HeapReportFile): Promise<void> {
    await Deno.writeTextFile(file, await this.#format(file));
  }

  #format(file: string): string | Promise<string> {
    if (typeof file === "string") {
      if (file.endsWith(".html")) return pageOf(this.#data);
      if (file.endsWith(".heapprofile")) return heapprofile(this.#data);
      if (file.endsWith(".speedscope.json")) return speedscope(this.#data);
      if (file.endsWith(".collapsed")) return collapsed(this.#data);
    }
    throw new TypeError(
      `The file must end in .html, .heapprofile, .speedscope.json or .collapsed; ${
        describe(file)
      } was given`,
    );
  }
}

function sizeOf({ live, change }: HeapPlace): number {
  return change === undefined ? live.bytes : Math.abs(change.bytes);
}

/**
 * Report what is alive: blocks and raw memory by their call sites, where they are recorded; Python's objects by `tracemalloc`, where it is
 * started; and how much was alive over time.
 *
 * @returns The report; nothing of it changes later.
 *
 * @example
 * ```ts
 * import { alloc } from "@oneheap/oneheap";
 * import { heapReport, recordCallSites } from "@oneheap/oneheap/debug";
 *
 * using _recording = recordCallSites();
 * using _block = alloc(Float64Array, 1_000_000);
 * const file = await Deno.makeTempFile({ suffix: ".collapsed" });
 * await heapReport().write(file as `${string}.collapsed`);
 * console.log((await Deno.readTextFile(file)).includes("8000000")); // true
 * ```
 */
export function heapReport(): HeapReport {
  return new HeapReport(collectHeap());
}

/** The data of a report with what changed since an earlier one. */
function differenceOf(data: HeapData, earlier: HeapData): HeapData {
  const before = new Map(
    earlier.stacks.map((stack) => [keyOf(stack, earlier.frames), stack]),
  );
  const frames = [...data.frames];
  const stacks: StackEntry[] = data.stacks.map((stack) => {
    const key = keyOf(stack, data.frames);
    const old = before.get(key);
    before.delete(key);
    return { ...stack, change: changeOf(stack.live, old?.live) };
  });
  const nothing = { bytes: 0, count: 0 };
  for (const { frames: indices, language, live } of before.values()) {
    stacks.push({
      frames: indices.map((index) => frames.push(earlier.frames[index]) - 1),
      language,
      live: nothing,
      change: changeOf(nothing, live),
    });
  }
  const totals = data.totals.map((total) => ({
    ...total,
    change: sumOf(
      stacks.filter(({ language }) => language === total.language)
        .map(({ change }) => change!),
    ),
  }));
  return { ...data, frames, stacks, totals };
}

function changeOf(now: Amount, before: Amount | undefined): Amount {
  return {
    bytes: now.bytes - (before?.bytes ?? 0),
    count: now.count - (before?.count ?? 0),
  };
}

/** Return by what a stack is found again in another report. */
function keyOf(
  { language, frames }: StackEntry,
  table: readonly Frame[],
): string {
  return [
    language,
    ...frames.map((index) => {
      const { name, file, line } = table[index];
      return `${name}\0${file}\0${line}`;
    }),
  ].join("\n");
}
