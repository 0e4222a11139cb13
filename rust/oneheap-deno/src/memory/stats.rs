//! Process-wide counts of blocks, and of what JavaScript has of Python's objects.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use oneheap::PyMemAllocator;

static BLOCKS: AtomicI64 = AtomicI64::new(0);
static BYTES: AtomicI64 = AtomicI64::new(0);
static PEAK_BYTES: AtomicI64 = AtomicI64::new(0);
static RECLAIMED: AtomicU64 = AtomicU64::new(0);
static REFERENCES: AtomicI64 = AtomicI64::new(0);
static SCOPES: AtomicI64 = AtomicI64::new(0);
static BORROWS: AtomicI64 = AtomicI64::new(0);

/// Something of JavaScript's that is counted as long as this lives.
pub struct Counted(&'static AtomicI64);

impl Counted {
    /// Count a reference to a Python object.
    pub fn reference() -> Self {
        Self::new(&REFERENCES)
    }

    /// Count a scope.
    pub fn scope() -> Self {
        Self::new(&SCOPES)
    }

    /// Count a buffer of a Python object.
    pub fn borrow() -> Self {
        Self::new(&BORROWS)
    }

    fn new(count: &'static AtomicI64) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// How many numbers [`read`] writes.
pub const FIELDS: usize = 9;

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

/// The counts in the order of `ffi/memory/stats.ts`: blocks, bytes, peak bytes, reclaimed, deferred, system, references, borrows, scopes.
pub fn read() -> [f64; FIELDS] {
    let slow_paths = PyMemAllocator::counters();
    [
        BLOCKS.load(Relaxed) as f64,
        BYTES.load(Relaxed) as f64,
        PEAK_BYTES.load(Relaxed) as f64,
        RECLAIMED.load(Relaxed) as f64,
        slow_paths.deferred as f64,
        slow_paths.system as f64,
        REFERENCES.load(Relaxed) as f64,
        BORROWS.load(Relaxed) as f64,
        SCOPES.load(Relaxed) as f64,
    ]
}
