/**
 * Keepers: what makes V8 free a lost block.
 *
 * A keeper is a tiny external `ArrayBuffer` whose finaliser looks into the slot that it owns, and frees the block that
 * the slot still holds. A block refers to its keeper, so the two are lost together. Against a `FinalizationRegistry`:
 * V8's minor collections find it too, it needs no turn of the event loop, it works when a Worker ends, and a block that
 * is freed by hand gives its keeper to the next one, so that it costs nothing.
 */

import { napi } from "./library.ts";

/** What owns a slot. */
export interface Keeper {
  /** The buffer whose collection frees what the slot holds. */
  readonly buffer: ArrayBuffer;
  /** The address of the slot. */
  readonly slot: number;
}

/** So many keepers wait for the next blocks; more are left to the collector. */
const MOST_IDLE = 8192;

const idle: Keeper[] = [];

/** A keeper with an empty slot. */
export function takeKeeper(): Keeper {
  return idle.pop() ?? makeKeeper();
}

/** Gives a keeper back. Its slot is empty, and nobody refers to it any more. */
export function returnKeeper(keeper: Keeper): void {
  if (idle.length < MOST_IDLE) idle.push(keeper);
}

function makeKeeper(): Keeper {
  const buffer = napi.keeper();
  return { buffer, slot: napi.slot(buffer) };
}
