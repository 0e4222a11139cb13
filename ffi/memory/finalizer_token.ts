/**
 * Finalizer tokens: what makes V8 free a lost block.
 *
 * A token is a tiny external `ArrayBuffer` whose finalizer looks into the slot that it owns, and frees the block that
 * the slot still holds. A block refers to its token, so the two are lost together. Against a `FinalizationRegistry`:
 * V8's minor collections find it too, it needs no turn of the event loop, it works when a Worker ends, and a block that
 * is freed explicitly returns its token for the next one, so that it costs nothing.
 */

import { AllocationError } from "../errors.ts";
import { MAX_IDLE_TOKENS } from "../limits.ts";
import { napi } from "../loading/native.ts";

/** What owns a slot. */
export interface FinalizerToken {
  /** The buffer whose collection frees what the slot holds. */
  readonly buffer: ArrayBuffer;
  /** The address of the slot. */
  readonly slot: number;
  /** The next idle token; only while this one is idle. */
  next: FinalizerToken | undefined;
}

/** The idle tokens, linked: no method that user code can patch sees a token. */
let idle: FinalizerToken | undefined;
let idleCount = 0;

/** Return a token with an empty slot, which is the caller's. One that is lost is collected. */
export function takeToken(): FinalizerToken {
  const token = idle;
  if (token === undefined) return makeToken();
  idle = token.next;
  idleCount--;
  token.next = undefined;
  return token;
}

/** Take a token back. Its slot is empty, and nobody refers to it any more. */
export function returnToken(token: FinalizerToken): void {
  if (idleCount >= MAX_IDLE_TOKENS) return;
  token.next = idle;
  idle = token;
  idleCount++;
}

function makeToken(): FinalizerToken {
  const buffer = napi.newFinalizerToken();
  if (buffer === undefined) {
    throw new AllocationError(1, "there is no memory for a block's record");
  }
  return { buffer, slot: napi.slotAddress(buffer), next: undefined };
}
