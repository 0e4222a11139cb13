/**
 * Reporting to V8 how much memory its small objects keep alive. `memory/external_memory.rs` counts, and says how and why.
 *
 * V8 makes its cheap minor collection for the sake of buffers only when it makes a buffer itself, never for external ones; so one
 * is made here, and lost. Measured with lost blocks of 16 MiB, each written whole: at most 14 alive at a time, 162 and
 * rising without the lost buffer; without both, blocks that have no view are not collected at all.
 */

import { COLLECTION_BUFFER_BYTES } from "../limits.ts";
import { napi } from "../loading/native.ts";

/** Is not 0 when {@linkcode reportExternalMemory} is to be called. Rust writes it, so that looking costs no call. */
export const reportDue: Int32Array = new Int32Array(napi.reportDue());

/** Report to V8, which may collect garbage. Called before an operation changes anything, for it may throw at the stack's end. */
export function reportExternalMemory(): void {
  napi.reportExternalMemory();
  try {
    new ArrayBuffer(COLLECTION_BUFFER_BYTES);
  } catch {
    // There is no memory for it. V8 has collected all garbage before it gave up.
  }
}
