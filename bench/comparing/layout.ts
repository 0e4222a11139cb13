/**
 * Where the checkouts are for the processes that are measured.
 *
 * How memory is laid out in a process makes some operations several percent faster or slower, and depends on as little as
 * the length of a path. So both checkouts are reached by paths of the same length, with the same seeds for hashes and an
 * environment of the same size; and all of these differ from process to process, so that no layout counts for all rounds.
 */

import { pathToFileURL } from "node:url";

/** One value for each checkout, the old one's first. */
export type Pair<T> = readonly [old: T, new: T];

/** What a pair of processes finds around it. */
export interface Surroundings {
  /** The URL of each checkout's `mod.ts`. */
  readonly urls: Pair<string>;
  /** What V8's hashes start from. */
  readonly seed: number;
  /** Environment variables besides those of this process. */
  readonly env: Record<string, string>;
}

/** Temporary links to two checkouts, until it is disposed. */
export class Layout implements Disposable {
  #checkouts: Pair<string>;
  #folder = Deno.makeTempDirSync({ prefix: "oneheap_comparison_" });

  /** Makes a layout without links, for the folders of two checkouts. */
  constructor(checkouts: Pair<string>) {
    this.#checkouts = checkouts;
  }

  /** Links to both checkouts from a new place. */
  next(): Surroundings {
    const seed = 1 + Math.floor(Math.random() * 1_000_000);
    const folder = `${this.#folder}/${"x".repeat(1 + seed % 64)}`;
    const urls = this.#checkouts.map((checkout, side) => {
      const link = `${folder}/${side}`;
      Deno.mkdirSync(folder, { recursive: true });
      // One of an earlier process may be there.
      if (!exists(link)) Deno.symlinkSync(checkout, link, { type: "junction" });
      return pathToFileURL(`${link}/mod.ts`).href;
    });
    return {
      urls: [urls[0], urls[1]],
      seed,
      env: {
        // The links' modules would stay in the user's cache for ever.
        DENO_DIR: `${this.#folder}/cache`,
        PYTHONHASHSEED: String(seed),
        ONEHEAP_COMPARISON_PADDING: "x".repeat(seed % 4096),
      },
    };
  }

  /** Removes the links and the cache. */
  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
