/**
 * The hook by which whatever a program has to free is seen: {@linkcode tracker} is notified when it begins and when it ends. While nobody
 * tracks, that is one load. A new kind is a name here, and a line where it begins and where it ends.
 */

/**
 * What a program has to free, or to end.
 *
 * @example
 * ```ts
 * import type { LeakKind } from "@oneheap/oneheap/debug";
 *
 * const kinds = new Map<LeakKind, number>([["block", 2], ["scope", 1]]);
 * console.log(kinds.get("block")); // 2
 * ```
 */
export type LeakKind =
  | "block"
  | "arena"
  | "reference"
  | "borrowed"
  | "scope"
  | "attachment"
  | "run";

/** Who is notified. None of these throws. */
export interface Tracker {
  /**
   * Something began, which takes so many bytes of memory. Where one of its own methods, or its constructor, has made it, that is `above`:
   * V8 keeps the receivers of the frames that it captures, and with it the thing would never be lost.
   */
  began(
    thing: object,
    kind: LeakKind,
    bytes: number,
    above?: OwnFunction,
  ): void;
  /** It has another size now. */
  resized(thing: object, bytes: number): void;
  /** It ended. Of a block, the token's buffer says what is left of it in Python. */
  ended(thing: object, token?: ArrayBuffer): void;
  /** A block belongs to something else, which frees it: it is no thing of its own any more. */
  joined(
    block: object,
    whole: object,
    kind: LeakKind,
    bytes: number,
    above: OwnFunction,
  ): void;
}

/** A method or a constructor. */
export type OwnFunction =
  | ((...args: never[]) => unknown)
  | (abstract new (...args: never[]) => object);

/** Who is notified now; undefined while nobody is. */
export let tracker: Tracker | undefined;

/** Set who is notified from now on. */
export function setTracker(next: Tracker | undefined): void {
  tracker = next;
}
