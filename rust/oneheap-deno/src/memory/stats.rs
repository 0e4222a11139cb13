//! Process-wide counts of blocks.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use oneheap::PyMemAllocator;

static BLOCKS: AtomicI64 = AtomicI64::new(0);
static BYTES: AtomicI64 = AtomicI64::new(0);
static PEAK_BYTES: AtomicI64 = AtomicI64::new(0);
static RECLAIMED: AtomicU64 = AtomicU64::new(0);

/// How many numbers [`read`] writes.
pub const FIELDS: usize = 6;

/// A block of `bytes` requested bytes began.
#[inline]
pub fn began(bytes: usize) {
    BLOCKS.fetch_add(1, Relaxed);
    grew(bytes as i64);
}

/// The last holder released a block of `bytes` bytes.
#[inline]
pub fn ended(bytes: usize) {
    BLOCKS.fetch_sub(1, Relaxed);
    BYTES.fetch_sub(bytes as i64, Relaxed);
}

/// The bytes of a block changed by `change`.
#[inline]
pub fn grew(change: i64) {
    let bytes = BYTES.fetch_add(change, Relaxed) + change;
    if bytes > PEAK_BYTES.load(Relaxed) {
        PEAK_BYTES.fetch_max(bytes, Relaxed);
    }
}

/// A block ended without a `free`.
pub fn reclaimed() {
    RECLAIMED.fetch_add(1, Relaxed);
}

/// The counts in the order of `ffi/memory/stats.ts`: blocks, bytes, peak bytes, reclaimed, deferred, system.
pub fn read() -> [f64; FIELDS] {
    let slow_paths = PyMemAllocator::counters();
    [
        BLOCKS.load(Relaxed) as f64,
        BYTES.load(Relaxed) as f64,
        PEAK_BYTES.load(Relaxed) as f64,
        RECLAIMED.load(Relaxed) as f64,
        slow_paths.deferred as f64,
        slow_paths.system as f64,
    ]
}
