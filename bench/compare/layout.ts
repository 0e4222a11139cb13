/**
 * Where the checkouts are for the processes that are measured.
 *
 * How memory is laid out makes some operations up to a tenth faster or slower, and depends on as little as the length of a
 * path, or on which physical pages a library's file is cached in. So both checkouts are reached by paths of the same length,
 * have the same seeds for hashes, an environment of the same size, and a new copy of their library; and all of these
 * differ from process to process, so that no layout favours one checkout in all rounds.
 */

import { basename } from "node:path";
import { pathToFileURL } from "node:url";

/** One value for each checkout, the old one's first. */
export type Pair<T> = readonly [old: T, new: T];

/** A checkout that is measured. */
export interface Checkout {
  /** The path of its folder. */
  readonly folder: string;
  /** The path of its Rust library. */
  readonly library: string;
}

/** What a process finds around it. */
export interface Surroundings {
  /** `OLD` or `NEW`. */
  readonly side: string;
  /** The URL of its checkout's `mod.ts`. */
  readonly url: string;
  /** What V8's hashes start from. */
  readonly seed: number;
  /** Environment variables besides those of this process. */
  readonly env: Record<string, string>;
}

/** Temporary links to two checkouts, until it is disposed. */
export class Layout implements Disposable {
  #checkouts: Pair<Checkout>;
  #folder = Deno.makeTempDirSync({ prefix: "oneheap_comparison_" });
  #place: string | undefined;

  /** Make a layout of two checkouts. */
  constructor(checkouts: Pair<Checkout>) {
    this.#checkouts = checkouts;
  }

  /** The surroundings of the next pair of processes. Those of the last pair are removed, so it must have ended. */
  next(): Pair<Surroundings> {
    if (this.#place !== undefined) {
      Deno.removeSync(this.#place, { recursive: true });
    }
    const seed = 1 + Math.floor(Math.random() * 1_000_000);
    this.#place = `${this.#folder}/${"x".repeat(1 + seed % 64)}`;
    Deno.mkdirSync(this.#place);
    const [old, fresh] = this.#checkouts;
    return [this.#arrange(old, "OLD", seed), this.#arrange(fresh, "NEW", seed)];
  }

  #arrange(checkout: Checkout, side: string, seed: number): Surroundings {
    const link = `${this.#place}/${side}`;
    Deno.symlinkSync(checkout.folder, link, { type: "junction" });
    const library = `${this.#place}/${side}_${basename(checkout.library)}`;
    Deno.copyFileSync(checkout.library, library);
    return {
      side,
      url: pathToFileURL(`${link}/mod.ts`).href,
      seed,
      env: {
        // The links' modules would stay in the user's cache for ever.
        DENO_DIR: `${this.#folder}/cache`,
        ONEHEAP_COMPARISON_PADDING: "x".repeat(seed % 4096),
        ONEHEAP_LIBRARY: library,
        PYTHONHASHSEED: String(seed),
      },
    };
  }

  /** Remove the links, the copies and the cache. */
  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}
