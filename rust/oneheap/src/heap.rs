//! The allocator itself: which memory a thread gets, and who gets it back.

use std::alloc::Layout;
use std::ptr::{copy_nonoverlapping, null_mut};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use crate::deferred::{Deferred, Link};
use crate::header::{self, MIN_BYTES, Origin};
use crate::interpreter::Interpreter;
use crate::limits::BATCH_BLOCKS;
use crate::pending_bytes::PendingBytes;
use crate::runtime_state::{AttachState, RuntimeState};

/// How often the allocator went its slow ways, since the library was loaded.
///
/// They are counted on their own, without order between them.
///
/// # Examples
///
/// ```
/// let counters = oneheap::Counters::default();
/// assert_eq!((counters.deferred, counters.emptied, counters.system), (0, 0, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Blocks ever put on the deferred list.
    pub deferred: u64,
    /// How often the deferred list was emptied. If it is as before and blocks are still pending, then the same ones. Threads of a
    /// free-threaded build that empty the list at the same moment may count once.
    pub emptied: u64,
    /// Allocations ever taken from the system.
    pub system: u64,
}

/// What an allocation's bytes are to begin with.
#[derive(Clone, Copy)]
enum Contents {
    Uninitialised,
    Zeroed,
}

/// The allocator over an interpreter. It takes no lock and no GIL, and holds nothing across a call into Python.
pub struct Heap<I> {
    interpreter: I,
    state: RuntimeState,
    /// Python has once returned an address that is no multiple of 16.
    misaligns: AtomicBool,
    deferred: Deferred<AtomicPtr<Link>>,
    pending: PendingBytes,
    /// What [`on_deferred`](Self::on_deferred) was passed, a `fn(usize)`; null before.
    notify: AtomicPtr<()>,
    deferred_count: AtomicU64,
    emptied_count: AtomicU64,
    system_count: AtomicU64,
}

impl<I: Interpreter> Heap<I> {
    pub const fn new(interpreter: I) -> Self {
        Self {
            interpreter,
            state: RuntimeState::new(),
            misaligns: AtomicBool::new(false),
            deferred: Deferred::new(AtomicPtr::new(null_mut())),
            pending: PendingBytes::new(),
            notify: AtomicPtr::new(null_mut()),
            deferred_count: AtomicU64::new(0),
            emptied_count: AtomicU64::new(0),
            system_count: AtomicU64::new(0),
        }
    }

    /// What the heap is over.
    pub fn interpreter(&self) -> &I {
        &self.interpreter
    }

    /// Return the attach state of the calling thread.
    #[inline]
    pub fn attach_state(&self) -> AttachState {
        self.state.attach_state(&self.interpreter)
    }

    /// What the interpreter calls when its memory can't be used any more.
    pub fn finalise(&self) {
        self.state.finalise();
    }

    pub fn counters(&self) -> Counters {
        Counters {
            deferred: self.deferred_count.load(Ordering::Relaxed),
            emptied: self.emptied_count.load(Ordering::Relaxed),
            system: self.system_count.load(Ordering::Relaxed),
        }
    }

    #[inline]
    pub fn has_deferred(&self) -> bool {
        self.deferred.has_deferred()
    }

    /// As [`GlobalAlloc::alloc`](std::alloc::GlobalAlloc::alloc).
    ///
    /// # Safety
    /// `layout` has a size that is not zero.
    #[inline]
    pub unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { self.allocate(layout, Contents::Uninitialised) }
    }

    /// As [`GlobalAlloc::alloc_zeroed`](std::alloc::GlobalAlloc::alloc_zeroed).
    ///
    /// # Safety
    /// `layout` has a size that is not zero.
    #[inline]
    pub unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { self.allocate(layout, Contents::Zeroed) }
    }

    /// As [`GlobalAlloc::dealloc`](std::alloc::GlobalAlloc::dealloc), on any thread.
    ///
    /// # Safety
    /// `pointer` is a live allocation of this heap's with `layout`.
    #[inline]
    pub unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        let (origin, base) = unsafe { header::origin_of(pointer, layout) };
        if origin == Origin::System {
            // SAFETY: the block was allocated with this layout, so there is one.
            let layout = unsafe { header::system_layout(layout).unwrap_unchecked() };
            // SAFETY: as above, and the caller doesn't use it any more.
            unsafe { self.interpreter.system_free(base, layout) };
            return;
        }
        match self.attach_state_after_drain() {
            // SAFETY: attached; a block of Python's in this lifetime, for there is no other.
            AttachState::Attached => unsafe { self.interpreter.free(base) },
            AttachState::Detached => {
                // SAFETY: the block was allocated with this layout, so there are so many bytes.
                let bytes = unsafe { header::python_bytes(layout).unwrap_unchecked() };
                // SAFETY: `base` is a block of Python's, and the caller doesn't use it any more.
                unsafe { self.push(base, bytes) };
            }
            AttachState::Finalised => {}
        }
    }

    /// As [`GlobalAlloc::realloc`](std::alloc::GlobalAlloc::realloc), on any thread.
    ///
    /// A block stays with its allocator and may grow in place if the calling thread would allocate there; else, and for
    /// alignments above 8, it is copied.
    ///
    /// If memory is out this returns null, and the block is as it was. There is one exception: Python moves the block
    /// to an address that is no multiple of 16, which no allocator of CPython's does and a hook might; the old block is
    /// gone then, and if neither the system nor Python gives another one to copy to, the process is aborted. This can
    /// happen once: after the first misaligned result, blocks are copied before they are freed.
    ///
    /// # Safety
    /// `pointer` is a live allocation of this heap's with `layout`; `bytes` is not zero and a valid size for the
    /// alignment of `layout`.
    #[inline]
    pub unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        if !header::has_header(layout) {
            // SAFETY: the caller's promise.
            let (origin, base) = unsafe { header::origin_of(pointer, layout) };
            match (origin, self.attach_state_after_drain()) {
                (Origin::Python, AttachState::Attached)
                    if !self.misaligns.load(Ordering::Relaxed) =>
                {
                    // SAFETY: attached, a block of Python's, which has no header and so starts at the pointer.
                    return unsafe { self.realloc_python(base, layout, bytes) };
                }
                (Origin::System, AttachState::Detached | AttachState::Finalised) => {
                    // SAFETY: a block of the system's without a header.
                    return unsafe { self.realloc_system(base, layout, bytes) };
                }
                _ => {}
            }
        }
        // SAFETY: the caller's promise.
        unsafe { self.realloc_by_copy(pointer, layout, bytes) }
    }

    /// Put a block of about `bytes` bytes on the deferred list; after finalisation it leaks.
    ///
    /// # Safety
    /// `base` is a live block of Python's, of at least a word, that nobody uses any more.
    pub unsafe fn defer(&self, base: *mut u8, bytes: usize) {
        if self.attach_state() != AttachState::Finalised {
            // SAFETY: the caller's promise.
            unsafe { self.push(base, bytes) };
        }
    }

    /// Have `notify` called, instead of the one before, after each block that is put on the deferred list.
    pub fn on_deferred(&self, notify: fn(usize)) {
        self.notify.store(notify as *mut (), Ordering::Release);
    }

    /// Free up to [`BATCH_BLOCKS`] deferred blocks if the thread is attached, and return how many.
    pub fn drain(&self) -> usize {
        if self.attach_state() != AttachState::Attached {
            return 0;
        }
        // SAFETY: attached.
        unsafe { self.free_batch() }
    }

    /// Return the attach state; an attached thread frees a batch of the deferred list first.
    #[inline]
    fn attach_state_after_drain(&self) -> AttachState {
        let state = self.attach_state();
        if state == AttachState::Attached && self.has_deferred() {
            // SAFETY: attached.
            unsafe { self.free_batch() };
        }
        state
    }

    /// # Safety
    /// The thread is attached.
    #[cold]
    unsafe fn free_batch(&self) -> usize {
        let mut freed = 0;
        let bytes = self.pending.take();
        let batch = self.deferred.take(BATCH_BLOCKS);
        if batch.is_last() {
            // No read-modify-write: a count that is lost to another thread's was changed by it.
            let emptied = self.emptied_count.load(Ordering::Relaxed);
            self.emptied_count
                .store(emptied.wrapping_add(1), Ordering::Relaxed);
        } else {
            self.pending.put_back(bytes);
        }
        for block in batch {
            // SAFETY: attached. The list holds Python's blocks of this lifetime: `RuntimeState` is final, so blocks of another one
            // are never reached.
            unsafe { self.interpreter.free(block) };
            freed += 1;
        }
        freed
    }

    /// # Safety
    /// `base` is a block of Python's that nobody uses any more.
    #[cold]
    unsafe fn push(&self, base: *mut u8, bytes: usize) {
        self.deferred_count.fetch_add(1, Ordering::Relaxed);
        // SAFETY: Python's blocks are at least MIN_BYTES long and aligned to 16.
        let was_empty = unsafe { self.deferred.push(base) };
        let pending = self.pending.add(bytes, was_empty);
        let notify = self.notify.load(Ordering::Acquire);
        if !notify.is_null() {
            // SAFETY: not null, so `on_deferred` stored it, which takes functions of this type only.
            let notify = unsafe { std::mem::transmute::<*mut (), fn(usize)>(notify) };
            notify(pending);
        }
    }

    /// # Safety
    /// `layout` has a size that is not zero.
    #[inline]
    unsafe fn allocate(&self, layout: Layout, contents: Contents) -> *mut u8 {
        if self.attach_state_after_drain() == AttachState::Attached {
            let Some(bytes) = header::python_bytes(layout) else {
                return null_mut();
            };
            // SAFETY: attached.
            let base = unsafe {
                match contents {
                    Contents::Uninitialised => self.interpreter.malloc(bytes),
                    Contents::Zeroed => self.interpreter.calloc(bytes),
                }
            };
            if base.is_null() {
                // Python's limits count: the system is no way around them.
                return base;
            }
            if header::is_aligned_base(base) {
                // SAFETY: aligned, and as long as `python_bytes` said.
                return unsafe { header::write_header(base, layout, Origin::Python) };
            }
            // SAFETY: attached, and nobody has seen the block.
            unsafe { self.give_back(base) };
        }
        // SAFETY: the caller's promise.
        unsafe { self.allocate_system(layout, contents) }
    }

    /// # Safety
    /// `layout` has a size that is not zero.
    #[cold]
    unsafe fn allocate_system(&self, layout: Layout, contents: Contents) -> *mut u8 {
        let Some(whole) = header::system_layout(layout) else {
            return null_mut();
        };
        // SAFETY: more than the caller's layout, so not zero.
        let base = unsafe {
            match contents {
                Contents::Uninitialised => self.interpreter.system_alloc(whole),
                Contents::Zeroed => self.interpreter.system_alloc_zeroed(whole),
            }
        };
        if base.is_null() {
            return base;
        }
        self.system_count.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the system aligned it as `whole` asks and made it that long.
        unsafe { header::write_header(base, layout, Origin::System) }
    }

    /// Return a misaligned block to Python and remembers that there are such.
    ///
    /// # Safety
    /// Attached; `base` is a live block of Python's that nobody uses any more.
    #[cold]
    unsafe fn give_back(&self, base: *mut u8) {
        self.misaligns.store(true, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { self.interpreter.free(base) };
    }

    /// # Safety
    /// Attached; `base` is a live block of Python's with the unheaded `layout`.
    #[inline]
    unsafe fn realloc_python(&self, base: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        let moved = unsafe { self.interpreter.realloc(base, bytes.max(MIN_BYTES)) };
        if moved.is_null() || header::is_aligned_base(moved) {
            return moved;
        }
        // SAFETY: Python moved the block of `layout` here, for `bytes` bytes.
        unsafe { self.copy_misaligned(moved, layout, bytes) }
    }

    /// Copy a block that Python moved to a misaligned address to a good one, or end the process.
    ///
    /// # Safety
    /// Attached; `moved` is a live, misaligned block of Python's for `bytes` bytes, which were `layout` before.
    #[cold]
    unsafe fn copy_misaligned(&self, moved: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        self.misaligns.store(true, Ordering::Relaxed);
        // SAFETY: `bytes` is a valid size for this alignment, as the caller of `realloc` promised.
        let wanted = unsafe { Layout::from_size_align_unchecked(bytes, layout.align()) };
        // SAFETY: `bytes` is not zero.
        let mut copy = unsafe { self.allocate_system(wanted, Contents::Uninitialised) };
        if copy.is_null() {
            // SAFETY: `bytes` is not zero.
            copy = unsafe { self.alloc(wanted) };
        }
        if copy.is_null() {
            self.interpreter.abort();
        }
        // SAFETY: both blocks are at least that long, and distinct. `moved` is nobody's but ours.
        unsafe {
            copy_nonoverlapping(moved, copy, layout.size().min(bytes));
            self.interpreter.free(moved);
        }
        copy
    }

    /// # Safety
    /// `base` is a live block of the system's with the unheaded `layout`; `bytes` is valid for its alignment, not zero.
    unsafe fn realloc_system(&self, base: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the block was allocated with this layout, so there is one.
        let old = unsafe { header::system_layout(layout).unwrap_unchecked() };
        let new = Layout::from_size_align(bytes, layout.align())
            .ok()
            .and_then(header::system_layout);
        let Some(new) = new else {
            return null_mut();
        };
        // SAFETY: the block's own layout; the new size is valid for its alignment.
        let moved = unsafe { self.interpreter.system_realloc(base, old, new.size()) };
        if moved.is_null() {
            return moved;
        }
        // SAFETY: the system kept the alignment of `old`, which is that of `new`, and made it as long as `new`.
        unsafe { header::write_header(moved, layout, Origin::System) }
    }

    /// # Safety
    /// As [`realloc`](Self::realloc).
    unsafe fn realloc_by_copy(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        let Ok(wanted) = Layout::from_size_align(bytes, layout.align()) else {
            return null_mut();
        };
        // SAFETY: `bytes` is not zero.
        let copy = unsafe { self.alloc(wanted) };
        if copy.is_null() {
            return copy;
        }
        // SAFETY: both are live, distinct and at least that long; nobody uses the old one any more.
        unsafe {
            copy_nonoverlapping(pointer, copy, layout.size().min(bytes));
            self.dealloc(pointer, layout);
        }
        copy
    }
}
