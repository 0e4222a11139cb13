/** The check for leaks: what began while it ran, and hasn't ended. */

import { requireOptions } from "../checks.ts";
import {
  LEAK_LIBRARY_FRAMES,
  MAX_EAGERLY_FORMATTED,
  MAX_FORMATTED_LEAKS,
  MAX_RECORDED_FRAMES,
  MAX_SHOWN_LEAKS,
} from "../limits.ts";
import { napi } from "../loading/native.ts";
import { exportersOf, isBlock } from "../memory/block.ts";
import {
  type LeakKind,
  type OwnFunction,
  setTracker,
  type Tracker,
} from "../tracker.ts";
import { requireFrames } from "./call_sites.ts";
import {
  type Caller,
  type CallSites,
  formatCallSites,
  keepCallSites,
} from "./capture.ts";

/**
 * Things of one kind, from one place, that weren't freed.
 *
 * @example
 * ```ts
 * import { alloc } from "@oneheap/oneheap";
 * import { type Leak, leakCheck } from "@oneheap/oneheap/debug";
 *
 * const sizeOf = (leaks: readonly Leak[]) => leaks.reduce((sum, { bytes }) => sum + bytes, 0);
 * using check = leakCheck();
 * const block = alloc(Uint8Array, 100);
 * console.log(sizeOf(check.leaks())); // 100
 * block.free();
 * ```
 */
export interface Leak {
  /** What they are. */
  readonly kind: LeakKind;
  /** How many. */
  readonly count: number;
  /** Their size in bytes, all together; 0 for what has none. */
  readonly bytes: number;
  /** Whether the program has lost them: V8 has collected them, and nobody freed them. */
  readonly lost: boolean;
  /** Whether Python holds their memory: blocks that the program freed, or has yet. */
  readonly heldByPython: boolean;
  /** Where they were made, as the stack of an error, without the frames of this library. */
  readonly stack: string;
}

/**
 * What began while a check ran, and hasn't ended.
 *
 * @example
 * ```ts
 * import { alloc } from "@oneheap/oneheap";
 * import { leakCheck, LeakError } from "@oneheap/oneheap/debug";
 *
 * const check = leakCheck();
 * const block = alloc(Uint8Array, 100);
 * try {
 *   check[Symbol.dispose]();
 * } catch (error) {
 *   console.log(error instanceof LeakError && error.leaks[0].kind); // block
 * }
 * block.free();
 * ```
 */
export class LeakError extends Error {
  /** The name of the class. */
  override readonly name = "LeakError";
  /** The leaks, the largest first. */
  readonly leaks: readonly Leak[];

  /** Make the error of these leaks. */
  constructor(leaks: readonly Leak[]) {
    super(describeLeaks(leaks));
    this.leaks = leaks;
  }
}

/**
 * A check for leaks that runs until it is disposed.
 *
 * @example
 * ```ts
 * import { type LeakCheck, leakCheck } from "@oneheap/oneheap/debug";
 *
 * const isClean = (check: LeakCheck) => check.leaks().length === 0;
 * using check = leakCheck();
 * console.log(isClean(check)); // true
 * ```
 */
export interface LeakCheck extends Disposable {
  /** What began since the check did, and hasn't ended, grouped by place, the largest first. */
  leaks(): Leak[];
  /**
   * End the check.
   *
   * @throws {LeakError} If there are leaks.
   */
  [Symbol.dispose](): void;
}

/**
 * Options of {@linkcode leakCheck}.
 *
 * @example
 * ```ts
 * import { leakCheck, type LeakCheckOptions } from "@oneheap/oneheap/debug";
 *
 * const deep: LeakCheckOptions = { frames: 32 };
 * using _check = leakCheck(deep);
 * ```
 */
export interface LeakCheckOptions {
  /** How many frames are kept of each place, from 1 to 128; 8 by default. */
  frames?: number;
}

/** Something that began, and hasn't ended. */
interface Entry {
  readonly number: number;
  readonly kind: LeakKind;
  /** Where it was made: as V8 keeps it, or formatted. */
  place: CallSites | string;
  bytes: number;
  /** The thing itself, which this doesn't keep; undefined once it was freed in JavaScript. */
  thing: WeakRef<object> | undefined;
  /** Stands for the memory, where Python held it when JavaScript freed it. */
  watch: ArrayBuffer | undefined;
}

/** All of them, in the order in which they began. */
const entries = new Map<number, Entry>();

/** Their numbers, by the things themselves. */
const numbers = new WeakMap<object, number>();

let lastNumber = 0;

/** How many frames are kept, for each check that runs. */
const checks: number[] = [];

/** An entry begins when a thing does. */
function began(
  thing: object,
  kind: LeakKind,
  bytes: number,
  above: OwnFunction = began,
): void {
  try {
    const number = ++lastNumber;
    const place = keepCallSites(
      Math.max(...checks) + LEAK_LIBRARY_FRAMES,
      above as Caller,
    );
    entries.set(number, {
      number,
      kind,
      place,
      bytes,
      thing: new WeakRef(thing),
      watch: undefined,
    });
    numbers.set(thing, number);
    formatNext(number);
  } catch {
    // At the end of the stack, or of memory: the thing isn't tracked.
  }
}

/** The number of the entry whose place is formatted next. */
let waiting = 0;

/** How many places were formatted while a check ran. */
let formatted = 0;

/**
 * Format the place of the entry before this one, if that hasn't ended. V8's own form of it keeps the receivers of its frames: the object, say,
 * that has the thing, which then would never be lost. What ends at once is never formatted.
 */
function formatNext(number: number): void {
  const entry = entries.get(waiting);
  waiting = number;
  if (entry === undefined || formatted >= MAX_EAGERLY_FORMATTED) return;
  formatted++;
  placeOf(entry);
}

/** Return the place of an entry as text. */
function placeOf(entry: Entry): string {
  if (typeof entry.place !== "string") {
    entry.place = formatCallSites(entry.place, MAX_RECORDED_FRAMES);
  }
  return entry.place;
}

function entryOf(thing: object): Entry | undefined {
  const number = numbers.get(thing);
  return number === undefined ? undefined : entries.get(number);
}

const TRACKER: Tracker = {
  began,
  resized(thing, bytes) {
    const entry = entryOf(thing);
    if (entry !== undefined) entry.bytes = bytes;
  },
  ended(thing, token) {
    const entry = entryOf(thing);
    if (entry === undefined) return;
    const watch = token && napi.watchBlock(token);
    if (watch === undefined) {
      entries.delete(entry.number);
      return;
    }
    entry.watch = watch;
    entry.thing = undefined;
  },
  joined(block, whole, kind, bytes, above) {
    const part = entryOf(block);
    if (part !== undefined) entries.delete(part.number);
    const known = entryOf(whole);
    if (known === undefined) began(whole, kind, bytes, above);
    else known.bytes += bytes;
  },
};

/**
 * Begin to note what has to be freed or ended, and isn't: blocks, arenas, references, borrowed memory, scopes, attachments and runs of this
 * thread, each with its place. Blocks that were freed here and that Python holds are among them.
 *
 * Disposing the check throws if there are any. For a test file, `Deno.test.beforeEach` begins a check and `afterEach` disposes it; for one
 * test there is {@linkcode withoutLeaks}. `ONEHEAP_LEAKS=1` says on standard error, when the program ends, what is left then.
 *
 * @throws {RangeError} If `frames` is no whole number from 1 to 128.
 *
 * @example
 * ```ts
 * import { alloc } from "@oneheap/oneheap";
 * import { leakCheck } from "@oneheap/oneheap/debug";
 *
 * using check = leakCheck();
 * {
 *   using _block = alloc(Float64Array, 1_000);
 *   console.log(check.leaks()[0].bytes); // 8000
 * }
 * console.log(check.leaks()); // []
 * ```
 */
export function leakCheck(options: LeakCheckOptions = {}): LeakCheck {
  const frames = requireFrames("frames", requireOptions(options).frames ?? 8);
  const since = lastNumber;
  checks.push(frames);
  setTracker(TRACKER);
  let isDisposed = false;
  return {
    leaks: () => findLeaks(since, frames),
    [Symbol.dispose](): void {
      if (isDisposed) return;
      isDisposed = true;
      const leaks = findLeaks(since, frames);
      checks.splice(checks.indexOf(frames), 1);
      if (checks.length === 0) {
        setTracker(undefined);
        entries.clear();
        formatted = 0;
      }
      if (leaks.length > 0) throw new LeakError(leaks);
    },
  };
}

/**
 * Return a test that fails if what it runs leaves something behind.
 *
 * @param test What to run. What it throws is thrown; leaks are looked for where it doesn't.
 * @returns A function for `Deno.test`, which rejects with a {@linkcode LeakError} for leaks.
 *
 * @example
 * ```ts
 * import { alloc } from "@oneheap/oneheap";
 * import { withoutLeaks } from "@oneheap/oneheap/debug";
 *
 * Deno.test("a sum", withoutLeaks(() => {
 *   using block = alloc(Float64Array, [1, 2]);
 *   console.log(block.view[0] + block.view[1]);
 * }));
 * ```
 */
export function withoutLeaks(
  test: (context: Deno.TestContext) => void | Promise<void>,
): (context: Deno.TestContext) => Promise<void> {
  return async (context) => {
    const check = leakCheck();
    try {
      await test(context);
    } catch (error) {
      try {
        check[Symbol.dispose]();
      } catch {
        // What the test left doesn't matter where it failed.
      }
      throw error;
    }
    check[Symbol.dispose]();
  };
}

/** Return whether an entry is a leak now, and how; undefined if it isn't. */
function stateOf(
  { thing, watch }: Entry,
): { lost: boolean; heldByPython: boolean } | undefined {
  if (watch !== undefined) {
    return napi.isHeldByPython(watch)
      ? { lost: false, heldByPython: true }
      : undefined;
  }
  const alive = thing?.deref();
  if (alive === undefined) return { lost: true, heldByPython: false };
  const heldByPython = isBlock(alive) && exportersOf(alive) > 0;
  return { lost: false, heldByPython };
}

/** The leaks among what began after the entry of that number. */
function findLeaks(since: number, frames: number): Leak[] {
  const found = [...entries.values()]
    .filter(({ number }) => number > since)
    .sort((one, other) => other.bytes - one.bytes || one.number - other.number);
  const groups = new Map<
    string,
    { -readonly [Key in keyof Leak]: Leak[Key] }
  >();
  let lookedUp = 0;
  for (const entry of found) {
    const state = stateOf(entry);
    if (state === undefined) {
      entries.delete(entry.number);
      continue;
    }
    const isKnown = typeof entry.place === "string";
    const stack = isKnown || lookedUp < MAX_FORMATTED_LEAKS
      ? placeOf(entry).split("\n").slice(0, frames).join("\n")
      : `    (with ${MAX_FORMATTED_LEAKS} larger ones, its place wasn't looked up)`;
    if (!isKnown) lookedUp++;
    const key = JSON.stringify([entry.kind, state, stack]);
    const group = groups.get(key);
    if (group === undefined) {
      const { kind, bytes } = entry;
      groups.set(key, { kind, count: 1, bytes, ...state, stack });
      continue;
    }
    group.count++;
    group.bytes += entry.bytes;
  }
  return [...groups.values()].sort((one, other) =>
    other.bytes - one.bytes || other.count - one.count
  );
}

/** What each kind is called where there are several. */
const PLURALS: Record<LeakKind, string> = {
  block: "blocks",
  arena: "arenas",
  reference: "references",
  borrowed: "borrowed buffers",
  scope: "scopes",
  attachment: "attachments",
  run: "runs",
};

/** How a leak of each kind ends. */
const REMEDIES: Record<LeakKind, string> = {
  block: "free it, or declare it with using",
  arena: "reset or dispose it",
  reference: "dispose it",
  borrowed: "dispose it",
  scope: "dispose it",
  attachment: "dispose it",
  run: "await it, or abort its signal",
};

/** Leaks as text: how many, how large, why they live, what to do, and where they were made. */
export function describeLeaks(leaks: readonly Leak[]): string {
  const total = leaks.reduce((sum, { count }) => sum + count, 0);
  const lines = leaks.slice(0, MAX_SHOWN_LEAKS).map((leak) => {
    const what = leak.count === 1
      ? `1 ${leak.kind === "borrowed" ? "borrowed buffer" : leak.kind}`
      : `${leak.count} ${PLURALS[leak.kind]}`;
    const size = leak.bytes > 0 ? `, ${leak.bytes} bytes` : "";
    return `${what}${size}: ${reasonOf(leak)}\n${leak.stack}`;
  });
  const rest = leaks.length - lines.length;
  const more = rest > 0 ? `\n… and ${rest} more places` : "";
  const things = total === 1
    ? "1 thing wasn't freed"
    : `${total} things weren't freed`;
  return `${things}:\n${lines.join("\n")}${more}`;
}

function reasonOf({ kind, lost, heldByPython }: Leak): string {
  if (heldByPython) return "Python holds its memory; have it drop the object";
  if (lost) return `lost without being freed; ${REMEDIES[kind]}`;
  return `the program has it yet; ${REMEDIES[kind]}`;
}
