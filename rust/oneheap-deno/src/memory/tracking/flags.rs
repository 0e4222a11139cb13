//! What there is to do at each allocation and each free beside it. While there is nothing, one relaxed load tells so.

use std::sync::atomic::{AtomicU8, Ordering};

/// What is to be done at each allocation and each free, as bits.
static FLAGS: AtomicU8 = AtomicU8::new(0);

/// Python's debug hooks are on: nothing is deferred on a thread that may attach, so that they report a fault where it is made.
const DEBUG_HOOKS: u8 = 1;
/// Somebody records call sites: allocations are entered in the ledger, and nothing is deferred.
const RECORDING: u8 = 2;
/// Somebody records some call sites only: an allocation outside of one isn't entered.
const SAMPLING: u8 = 4;

/// Return whether allocations and frees have more to do than to allocate and to free.
#[inline]
pub fn is_instrumented() -> bool {
    FLAGS.load(Ordering::Relaxed) != 0
}

/// Return whether allocations are entered in the ledger.
pub fn is_recording() -> bool {
    FLAGS.load(Ordering::Relaxed) & RECORDING != 0
}

/// Return whether what is freed is kept for a while: that takes Python's debug hooks, and to know where it was allocated.
pub fn is_quarantining() -> bool {
    const EXACT: u8 = DEBUG_HOOKS | RECORDING;
    FLAGS.load(Ordering::Relaxed) == EXACT
}

/// Return whether an allocation outside of a call stack isn't entered.
pub fn is_sampling() -> bool {
    FLAGS.load(Ordering::Relaxed) & SAMPLING != 0
}

/// Begin or end to enter allocations: all, or those within a call stack alone.
pub fn set_recording(is_recording: bool, is_sampling: bool) {
    let mut flags = FLAGS.load(Ordering::Relaxed) & DEBUG_HOOKS;
    if is_recording {
        flags |= RECORDING;
    }
    if is_recording && is_sampling {
        flags |= SAMPLING;
    }
    FLAGS.store(flags, Ordering::Relaxed);
}

/// Note that Python's debug hooks are on.
pub fn set_debug_hooks() {
    FLAGS.fetch_or(DEBUG_HOOKS, Ordering::Relaxed);
}
