/** Collecting the data of a heap report: of the ledger, of `tracemalloc`, and of the statistics. */

import { embedded } from "../loading/native.ts";
import { stats } from "../memory/stats.ts";
import { sampledBytes } from "./call_sites.ts";
import type {
  Amount,
  Frame,
  HeapData,
  HeapTotal,
  Language,
  StackEntry,
} from "./heap_data.ts";
import { type Ledger, readLedger } from "./ledger.ts";
import { Progress } from "./progress.ts";
import { readTracedMemory, type TracedMemory } from "./traced_memory.ts";

/** What Python calls memory that was allocated where no frame was. */
const UNKNOWN_FILE = "<unknown>";

/** Collects frames, each once. */
class FrameTable {
  readonly frames: Frame[] = [];
  #indices = new Map<string, number>();

  /** Return the index of a frame. */
  index(frame: Frame): number {
    const key = `${frame.file}\0${frame.line}\0${frame.name}`;
    let index = this.#indices.get(key);
    if (index === undefined) {
      index = this.frames.push(frame) - 1;
      this.#indices.set(key, index);
    }
    return index;
  }
}

/** Collect the data of a report. */
export function collectHeap(): HeapData {
  using progress = new Progress("oneheap: heap report");
  progress.step("what oneheap has allocated");
  const ledger = readLedger();
  const table = new FrameTable();
  const stacks: StackEntry[] = entriesOfLedger(ledger, table);
  const notes: string[] = [];
  addUnrecorded(ledger, stacks, notes);
  progress.step("what tracemalloc has");
  const traced = readTracedMemory();
  if (traced === undefined) {
    notes.push(
      "Python's own memory isn't in here, for tracemalloc isn't started. Start it with PYTHONTRACEMALLOC=8, or by tracemalloc.start(8)",
    );
  } else {
    progress.step(`${traced.stacks.length} places in Python`);
    stacks.push(...entriesOfTraces(traced, ledger, table));
    notes.push(
      `Python's places at the peak are of the moment when tracemalloc had ${traced.peakBytes} bytes, blocks among them: the most that was seen, by looking ten times a second`,
    );
  }
  if (ledger.isIncomplete) {
    notes.push("Memory was out for some entries, which are missing here");
  }
  return {
    version: 1,
    createdAt: new Date().toISOString(),
    program:
      `${programName()}, Python ${embedded.version}, Deno ${Deno.version.deno}`,
    totals: totalsOf(stacks),
    frames: table.frames,
    stacks,
    timeline: ledger.timeline,
    ...(ledger.peakBytes > 0 && {
      peak: { milliseconds: ledger.peakMilliseconds, bytes: ledger.peakBytes },
    }),
    everyBytes: sampledBytes(),
    notes,
  };
}

/** The program's main module, or that this is a Worker. */
function programName(): string {
  return Deno.mainModule?.split("/").at(-1) ?? "a Worker";
}

/** The entries of oneheap's own memory, whose call stacks are known. */
function entriesOfLedger(ledger: Ledger, table: FrameTable): StackEntry[] {
  return ledger.places.filter(({ allocated }) => allocated.count > 0).map(
    ({ frames, live, peak, allocated }) => ({
      frames: frames.length === 0
        ? [table.index(NO_CALL_SITE)]
        : frames.map(([file, name, line]) =>
          table.index({ name, file, line, language: "typescript" })
        ).reverse(),
      language: "typescript" as const,
      live,
      peak,
      allocated,
    }),
  );
}

/** Where blocks are from that were allocated outside of a recorded call. */
const NO_CALL_SITE: Frame = {
  name: "(no call site was recorded)",
  file: "",
  line: 0,
  language: "typescript",
};

/** Say how much there is of blocks that began before call sites were recorded, or on threads that don't record. */
function addUnrecorded(
  ledger: Ledger,
  stacks: StackEntry[],
  notes: string[],
): void {
  const { bytes } = stats();
  if (ledger.places.every(({ allocated }) => allocated.count === 0)) {
    notes.push(
      `Call sites aren't recorded, so the ${bytes} bytes of blocks have no places here. Use recordCallSites(), or ONEHEAP_CALL_SITES=4`,
    );
    return;
  }
  const recorded = stacks.reduce((sum, { live }) => sum + live.bytes, 0);
  if (sampledBytes() === 0 && bytes > recorded) {
    notes.push(
      `${
        bytes - recorded
      } bytes of blocks or more began before call sites were recorded`,
    );
  }
}

/** The entries of Python's memory. What oneheap's ledger has too isn't among them. */
function entriesOfTraces(
  traced: TracedMemory,
  ledger: Ledger,
  table: FrameTable,
): StackEntry[] {
  const names = namesOfCallSites(ledger);
  const frames = traced.frames.map(([file, line, name]): Frame => {
    const callSite = names.get(`${file}\0${line}`);
    return callSite === undefined
      ? { file, line, name, language: "python" }
      : { file, line, name: callSite, language: "typescript" };
  });
  const known = liveByFrames(ledger, traced.limit);
  const unknown = frames.findIndex(({ file }) => file === UNKNOWN_FILE);
  const entries: StackEntry[] = [];
  for (const [index, stack] of traced.stacks.entries()) {
    const innermost = frames[stack[0]];
    const own = known.get(keyOf(stack.map((frame) => frames[frame])));
    const [bytes, count, peakBytes, peakCount] = traced.amounts[index];
    const live = without(
      { bytes, count },
      stack[0] === unknown ? unrecorded(ledger) : own,
    );
    const language: Language = innermost.file === UNKNOWN_FILE
      ? "rust"
      : "python";
    // At the peak, blocks can't be told from what conversions made.
    const hasPeak = innermost.language === "python" && language === "python";
    const isSampledBlock = own !== undefined && sampledBytes() > 0;
    if (isSampledBlock || (live.bytes <= 0 && !(hasPeak && peakBytes > 0))) {
      continue;
    }
    entries.push({
      frames: stack.map((frame) =>
        table.index(language === "rust" ? NO_FRAME : frames[frame])
      ).reverse(),
      language,
      live,
      ...(hasPeak && { peak: { bytes: peakBytes, count: peakCount } }),
    });
  }
  return entries;
}

/** Where memory is from that Rust, or other native code, allocated where there was no frame. */
const NO_FRAME: Frame = {
  name: "(Rust and other native code)",
  file: "",
  line: 0,
  language: "rust",
};

/** The blocks that tracemalloc has without a frame, since nothing was recorded when they began. */
function unrecorded(ledger: Ledger): Amount {
  const { bytes, blocks } = stats();
  const recorded = ledger.places.filter(({ frames }) => frames.length > 0);
  const sum = (of: (live: Amount) => number) =>
    recorded.reduce((sum, { live }) => sum + of(live), 0);
  return {
    bytes: Math.max(0, bytes - sum(({ bytes }) => bytes)),
    count: Math.max(0, blocks - sum(({ count }) => count)),
  };
}

/** What is left of an amount when another is taken from it. */
function without(amount: Amount, other: Amount | undefined): Amount {
  if (other === undefined) return amount;
  return {
    bytes: Math.max(0, amount.bytes - other.bytes),
    count: Math.max(0, amount.count - other.count),
  };
}

/** The names of the functions of call sites, by file and line. */
function namesOfCallSites(ledger: Ledger): Map<string, string> {
  const names = new Map<string, string>();
  for (const { frames } of ledger.places) {
    for (const [file, name, line] of frames) {
      names.set(`${file}\0${line}`, name);
    }
  }
  return names;
}

/** What is alive of the ledger by the frames that tracemalloc keeps: the innermost ones. */
function liveByFrames(ledger: Ledger, limit: number): Map<string, Amount> {
  const sums = new Map<string, Amount>();
  for (const { frames, live } of ledger.places) {
    if (frames.length === 0) continue;
    const key = keyOf(
      frames.slice(0, limit).map(([file, , line]) => ({ file, line })),
    );
    const sum = sums.get(key) ?? { bytes: 0, count: 0 };
    sums.set(key, {
      bytes: sum.bytes + live.bytes,
      count: sum.count + live.count,
    });
  }
  return sums;
}

/** Return by what frames are compared, the innermost first. */
function keyOf(frames: readonly { file: string; line: number }[]): string {
  return frames.map(({ file, line }) => `${file}\0${line}`).join("\n");
}

/** The sums by language. */
function totalsOf(stacks: readonly StackEntry[]): HeapTotal[] {
  return (["typescript", "python", "rust"] as const).map((language) => {
    const own = stacks.filter((it) => it.language === language);
    const peaks = own.flatMap(({ peak }) => peak ?? []);
    return {
      language,
      live: sumOf(own.map(({ live }) => live)),
      ...(peaks.length > 0 && { peak: sumOf(peaks) }),
    };
  });
}

/** The sum of amounts. */
export function sumOf(amounts: readonly Amount[]): Amount {
  return amounts.reduce((sum, { bytes, count }) => ({
    bytes: sum.bytes + bytes,
    count: sum.count + count,
  }), { bytes: 0, count: 0 });
}
