/** The report's data, as the page uses it. */

import type {
  Amount,
  Frame,
  HeapData,
  Language,
  StackEntry,
} from "../../ffi/debug/heap_data.ts";
import { shortNames } from "./file_names.ts";

export type { Amount, Frame, HeapData, Language, StackEntry };

/** What of a stack is shown. */
export type Measure = "live" | "peak" | "allocated" | "change";

/** In what it is shown. */
export type Unit = "bytes" | "count";

/** How the measures are called. */
export const MEASURES: Record<Measure, string> = {
  change: "change",
  live: "live now",
  peak: "live at the peak",
  allocated: "allocated in all",
};

/** How the languages are called. */
export const LANGUAGES: Record<Language, string> = {
  typescript: "TypeScript",
  python: "Python",
  rust: "Rust",
};

/** What the page shows now. */
export interface State {
  measure: Measure;
  unit: Unit;
  /** In lower case. */
  search: string;
}

/** The data of the report that is in the page. */
export const data: HeapData = JSON.parse(
  document.getElementById("heap-data")!.textContent!,
);

/** The measures that the data has. */
export const measures: readonly Measure[] = (Object.keys(MEASURES) as Measure[])
  .filter((measure) =>
    measure === "live" || data.stacks.some((it) => it[measure] !== undefined)
  );

/** Return what a stack has of the measure, in the unit. */
export function valueOf(
  stack: StackEntry,
  { measure, unit }: State,
): number {
  return stack[measure]?.[unit] ?? 0;
}

/** Return the frames of a stack, the outermost first. */
export function framesOf(stack: StackEntry): Frame[] {
  return stack.frames.map((index) => data.frames[index]);
}

/** Return the innermost frame of a stack. */
export function innermostOf(stack: StackEntry): Frame {
  return data.frames[stack.frames.at(-1) ?? -1] ??
    { name: "(unknown)", file: "", line: 0, language: stack.language };
}

/** Return how a frame is shown in one line. */
export function titleOf({ name, file, line }: Frame): string {
  if (file === "") return name;
  return `${name}  ${nameOf(file)}:${line}`.trimStart();
}

const names = shortNames(
  data.frames.map(({ file }) => file).filter((file) => file !== ""),
);

/** Return the end of a file's path that tells it apart from the others. */
export function nameOf(file: string): string {
  return names.get(file) ?? file;
}

const found = new Map<string, Uint8Array>();

/** Return whether a stack has a frame that is searched for. */
export function matches(stack: StackEntry, search: string): boolean {
  if (search === "") return true;
  let hits = found.get(search);
  if (hits === undefined) {
    hits = new Uint8Array(
      data.frames.map(({ name, file, line }) =>
        `${name} ${file}:${line}`.toLowerCase().includes(search) ? 1 : 0
      ),
    );
    found.clear();
    found.set(search, hits);
  }
  return stack.frames.some((index) => hits[index] === 1);
}

/** The stacks that are searched for. */
export function shownStacks({ search }: State): StackEntry[] {
  return data.stacks.filter((stack) => matches(stack, search));
}
