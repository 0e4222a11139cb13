/** Reading the ledger: what oneheap's own memory is alive, and which call stack allocated it. */

import { napi } from "../loading/native.ts";
import type { Amount, Moment } from "./heap_data.ts";

/** What was allocated in one call stack. */
export interface Place {
  /** Its frames: for each, the innermost first, its file, its function and its line; none for what no call stack is known of. */
  readonly frames: readonly (readonly [
    file: string,
    name: string,
    line: number,
  ])[];
  readonly live: Amount;
  /** What was alive at the peak. */
  readonly peak: Amount;
  /** All that was ever allocated. */
  readonly allocated: Amount;
}

/** The ledger, as it is at one moment. */
export interface Ledger {
  readonly live: Amount;
  readonly peakBytes: number;
  /** When the most was alive, in milliseconds since recording began. */
  readonly peakMilliseconds: number;
  readonly timeline: readonly Moment[];
  readonly places: readonly Place[];
  /** Whether memory was out for an entry. */
  readonly isIncomplete: boolean;
}

/** How many numbers come first, how many each moment has, and how many each call stack: `memory/tracking/ledger.rs` writes them. */
const HEADER = 12;
const MOMENT = 3;
const STACK = 7;

/** Read the ledger. */
export function readLedger(): Ledger {
  const bytes = napi.readLedger();
  const numbers = new Float64Array(
    bytes.buffer,
    bytes.byteOffset,
    bytes.byteLength / Float64Array.BYTES_PER_ELEMENT,
  );
  const [liveBytes, liveCount, peakBytes, peakMilliseconds, moments] = numbers;
  const places = [placeOf([], numbers, HEADER - STACK + 1)];
  const timeline: Moment[] = [];
  let at = HEADER;
  for (; timeline.length < moments; at += MOMENT) {
    const [milliseconds, bytes, residentBytes] = numbers.subarray(at);
    timeline.push({ milliseconds, bytes, residentBytes });
  }
  for (; at < numbers.length; at += STACK) {
    places.push(placeOf(framesOf(numbers[at]), numbers, at + 1));
  }
  return {
    live: { bytes: liveBytes, count: liveCount },
    peakBytes,
    peakMilliseconds,
    timeline,
    places,
    isIncomplete: numbers[5] !== 0,
  };
}

/** Return a place whose six numbers are there. */
function placeOf(
  frames: Place["frames"],
  numbers: Float64Array,
  at: number,
): Place {
  const amount = (index: number) => ({
    bytes: numbers[at + index],
    count: numbers[at + index + 1],
  });
  return { frames, live: amount(0), peak: amount(2), allocated: amount(4) };
}

/** Return the frames of a call stack. */
function framesOf(stack: number): Place["frames"] {
  const fields = napi.callStackText(stack).split("\0");
  const frames: Place["frames"][number][] = [];
  for (let index = 0; index + 2 < fields.length; index += 3) {
    const [file, name, line] = fields.slice(index, index + 3);
    frames.push([file, name, Number(line)]);
  }
  return frames;
}
