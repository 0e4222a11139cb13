//! Memory with several holders, of whom the last one frees it.
//!
//! A strong count ([`Arc`]) keeps the memory: one for V8's backing store of a view, one for each Python object over it, one for the
//! block itself where it isn't the only holder. A block whose view holds the memory has a weak count only, so that whoever asks
//! a block after its view was transferred away gets an answer, and never reads what was freed.

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// What a block's memory is, and how it is freed.
pub trait Backing: Copy {
    /// Free the memory on any thread, and wait for nothing. `is_explicit`: it was freed by `free`, not lost.
    ///
    /// # Safety
    /// The memory is live, and its last holder gives it up here.
    unsafe fn free_without_waiting(self, is_explicit: bool);

    /// Free the memory where waiting for the GIL is allowed.
    ///
    /// # Safety
    /// As for [`free_without_waiting`](Self::free_without_waiting).
    unsafe fn free(self);
}

/// Memory that is freed when the last [`Arc`] of this is dropped.
pub struct SharedMemory<M: Backing> {
    memory: M,
    /// How many of the holders are Python's.
    exporters: AtomicUsize,
    /// The number by which JavaScript recognises the block when it returns from Python; 0 until somebody asks.
    identity: AtomicU64,
    /// Somebody called `free`, so the end of the memory is no surprise.
    is_freed: AtomicBool,
}

/// The last identity that was used. None is used twice, so that no block is taken for one that is gone.
static IDENTITIES: AtomicU64 = AtomicU64::new(0);

impl<M: Backing> SharedMemory<M> {
    /// Take over memory that the caller alone holds.
    ///
    /// # Safety
    /// The memory is live, and nobody else frees it.
    pub unsafe fn new(memory: M) -> Arc<Self> {
        Arc::new(Self {
            memory,
            exporters: AtomicUsize::new(0),
            identity: AtomicU64::new(0),
            is_freed: AtomicBool::new(false),
        })
    }

    /// The memory, live as long as this is.
    pub fn memory(&self) -> M {
        self.memory
    }

    /// Return how many Python objects hold the memory. Acquire: what they did with it happened before.
    pub fn exporters(&self) -> usize {
        self.exporters.load(Ordering::Acquire)
    }

    /// Mark the memory as freed explicitly.
    pub fn mark_freed(&self) {
        self.is_freed.store(true, Ordering::Relaxed);
    }

    /// The number by which JavaScript recognises the block.
    pub fn identity(&self) -> u64 {
        let known = self.identity.load(Ordering::Relaxed);
        if known != 0 {
            return known;
        }
        let new = IDENTITIES.fetch_add(1, Ordering::Relaxed) + 1;
        let raced = self
            .identity
            .compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed);
        raced.err().unwrap_or(new)
    }

    /// The memory without its record, if the caller is its last holder; the caller owns the memory then.
    pub fn into_memory(shared: Arc<Self>) -> Option<M> {
        // The record's own drop would free the memory.
        Arc::into_inner(shared).map(|record| ManuallyDrop::new(record).memory)
    }

    /// The same, or the shared memory as it was if there are other holders.
    pub fn try_into_memory(shared: Arc<Self>) -> Result<M, Arc<Self>> {
        Arc::try_unwrap(shared).map(|record| ManuallyDrop::new(record).memory)
    }
}

impl<M: Backing> Drop for SharedMemory<M> {
    fn drop(&mut self) {
        let is_explicit = *self.is_freed.get_mut();
        // SAFETY: `new` took the memory over, and this was the last holder.
        unsafe { self.memory.free_without_waiting(is_explicit) };
    }
}

/// A hold of Python's: keeps the memory, and its block from being resized.
pub struct ExportedMemory<M: Backing>(Arc<SharedMemory<M>>);

impl<M: Backing> ExportedMemory<M> {
    /// Count one more holder of Python's.
    pub fn new(shared: Arc<SharedMemory<M>>) -> Self {
        shared.exporters.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl<M: Backing> std::ops::Deref for ExportedMemory<M> {
    type Target = SharedMemory<M>;

    fn deref(&self) -> &SharedMemory<M> {
        &self.0
    }
}

impl<M: Backing> Drop for ExportedMemory<M> {
    fn drop(&mut self) {
        // Release: a `realloc` that sees the lower count happens after all that Python did with the memory.
        self.0.exporters.fetch_sub(1, Ordering::Release);
    }
}
