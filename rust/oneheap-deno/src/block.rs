//! Blocks: memory with a holder, described by a slot.
//!
//! JavaScript keeps, for each block, a *slot*: a record in this library's memory that says what the block's memory is
//! and whether the block holds it. Each function leaves the slot true to the facts before it returns, so a Worker may
//! be terminated between any two calls. The slot belongs to a small external `ArrayBuffer` (see `view.rs`); when V8
//! collects that or ends the isolate, a block that is still held is let go.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use oneheap::PyMemAllocator;

use crate::attach::Scope;
use crate::code::Code;
use crate::objects::element::Element;
use crate::stats;

/// A detached free up to this size goes by the deferred list, a larger one attaches. `ffi/block.ts` has the number too.
pub const DEFERRED_FREE_BYTES: usize = 64 * 1024;

/// Up to this alignment a block is a plain `PyMem` block, so that `realloc` can grow it in place.
const PLAIN_ALIGN: usize = 16;

/// The largest alignment that a block can ask for: a page.
const LARGEST_ALIGN: usize = 4096;

/// The memory of a block.
#[derive(Clone, Copy)]
pub struct Memory {
    pub pointer: NonNull<u8>,
    pub bytes: usize,
    pub element: Element,
    align: usize,
}

/// The memory of a block whose view was made, or that was given to Python, with a count of who holds it.
pub struct Holding {
    pub memory: Memory,
    holders: AtomicUsize,
    /// How many of the holders are Python's.
    exporters: AtomicUsize,
    /// Tells JavaScript which block it was when it comes back from Python; 0 until somebody asks.
    identity: AtomicU64,
    /// Somebody called `free`, so the end of the memory is no surprise.
    freed: AtomicBool,
}

/// The last identity that was given out. Never given again, so that a block is never taken for one that is gone.
static IDENTITIES: AtomicU64 = AtomicU64::new(0);

/// What a block's slot says.
pub enum Slot {
    /// No block, or one that was freed.
    Empty,
    /// The block alone holds its memory; no view is over it, and Python has no part in it.
    Held(Memory),
    /// A view is over the memory, and V8 holds it. Valid as long as the view's buffer is not detached.
    Viewed(NonNull<Holding>),
    /// The block has a hold of its own, beside those of others: Python's, or V8's where a view was over the memory.
    Shared(NonNull<Holding>),
}

impl Memory {
    /// The layout that the memory was allocated with. The allocator gives `PyMem` pointers out as they are (and so can
    /// resize them in place) where no more than a word's alignment is asked for, and they are aligned to 16 all the same.
    fn layout(bytes: usize, align: usize) -> Result<Layout, Code> {
        let align = if align <= PLAIN_ALIGN { 8 } else { align };
        Layout::from_size_align(bytes.max(1), align).map_err(|_| Code::OutOfMemory)
    }

    fn allocate(bytes: usize, align: usize, zeroed: bool, element: Element) -> Result<Self, Code> {
        let layout = Self::layout(bytes, align)?;
        let _attached = Scope::enter()?;
        // SAFETY: the layout's size is at least 1.
        let pointer = unsafe {
            if zeroed {
                PyMemAllocator.alloc_zeroed(layout)
            } else {
                PyMemAllocator.alloc(layout)
            }
        };
        let pointer = NonNull::new(pointer).ok_or(Code::OutOfMemory)?;
        if pointer.addr().get().is_multiple_of(align) {
            return Ok(Self {
                pointer,
                bytes,
                element,
                align,
            });
        }
        // SAFETY: just allocated with this layout, and nobody else has it.
        unsafe { PyMemAllocator.dealloc(pointer.as_ptr(), layout) };
        Err(Code::Misaligned)
    }

    /// Resizes the memory in place or by moving it; on failure it stays as it was.
    ///
    /// # Safety
    /// The memory is live and nobody else uses it.
    unsafe fn resize(self, bytes: usize, zeroed: bool) -> Result<Self, Code> {
        Self::layout(bytes, self.align)?;
        let layout = Self::layout(self.bytes, self.align)?;
        let _attached = Scope::enter()?;
        // SAFETY: live, allocated with this layout; the new size was checked against the same alignment just now.
        let pointer =
            unsafe { PyMemAllocator.realloc(self.pointer.as_ptr(), layout, bytes.max(1)) };
        let pointer = NonNull::new(pointer).ok_or(Code::OutOfMemory)?;
        let resized = Self {
            pointer,
            bytes,
            ..self
        };
        if zeroed {
            // SAFETY: the memory is the caller's alone.
            unsafe { resized.zero_from(self.bytes) };
        }
        Ok(resized)
    }

    /// Allocates new memory with the contents of this.
    ///
    /// # Safety
    /// The memory is live. Others may read and write it: what they write meanwhile may or may not be in the copy.
    unsafe fn copy(self, bytes: usize, zeroed: bool) -> Result<Self, Code> {
        let copy = Self::allocate(bytes, self.align, false, self.element)?;
        // SAFETY: both are live, of at least that many bytes, and apart.
        unsafe {
            self.pointer
                .copy_to_nonoverlapping(copy.pointer, self.bytes.min(bytes))
        };
        if zeroed {
            // SAFETY: the copy is new, so nobody else has it.
            unsafe { copy.zero_from(self.bytes) };
        }
        Ok(copy)
    }

    /// Zeroes the bytes from `start` on.
    ///
    /// # Safety
    /// The memory is live and nobody else uses it.
    unsafe fn zero_from(self, start: usize) {
        if let Some(added) = self.bytes.checked_sub(start) {
            // SAFETY: `start + added` is the memory's size.
            unsafe { self.pointer.add(start).write_bytes(0, added) };
        }
    }

    /// Frees the memory, on whatever thread this is, and waits for nothing.
    ///
    /// # Safety
    /// The memory is live and its last holder gives it up here.
    unsafe fn free(self) {
        stats::ended(self.bytes);
        let Ok(layout) = Self::layout(self.bytes, self.align) else {
            return;
        };
        // SAFETY: allocated with this layout, and the caller gives it up.
        unsafe { PyMemAllocator.dealloc(self.pointer.as_ptr(), layout) };
    }

    /// Frees the memory where waiting for the GIL is allowed: at once if it is large.
    ///
    /// # Safety
    /// As for [`Memory::free`].
    unsafe fn free_soon(self) {
        let _attached = (self.bytes > DEFERRED_FREE_BYTES).then(Scope::enter);
        // SAFETY: as the caller vouches.
        unsafe { self.free() };
    }

    /// Frees the memory on a thread that must not wait (V8's, or one that collects garbage). What goes by the deferred
    /// list is seen to soon even if no thread ever attaches again.
    ///
    /// # Safety
    /// As for [`Memory::free`].
    unsafe fn free_collected(self) {
        // SAFETY: as the caller vouches.
        unsafe { self.free() };
    }
}

impl Holding {
    /// A record of its own for memory that somebody has one hold on.
    fn of(memory: Memory) -> NonNull<Self> {
        NonNull::from(Box::leak(Box::new(Self {
            memory,
            holders: AtomicUsize::new(1),
            exporters: AtomicUsize::new(0),
            identity: AtomicU64::new(0),
            freed: AtomicBool::new(false),
        })))
    }

    /// Takes a hold for Python. The caller has a hold.
    pub fn export(&self) {
        self.exporters.fetch_add(1, Ordering::Relaxed);
        self.holders.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets go of a hold of Python's, and waits for nothing.
    ///
    /// # Safety
    /// The caller has a hold that [`export`](Self::export) took, and gives it up here.
    pub unsafe fn end_export(holding: NonNull<Self>) {
        // Release: a `realloc` that sees the lower count comes after all that Python did with the memory.
        // SAFETY: the hold keeps the record alive.
        unsafe { holding.as_ref() }
            .exporters
            .fetch_sub(1, Ordering::Release);
        // SAFETY: as the caller vouches.
        unsafe { Self::let_go_collected(holding) };
    }

    /// The number by which JavaScript knows the block again.
    pub fn identity(&self) -> f64 {
        let known = self.identity.load(Ordering::Relaxed);
        if known != 0 {
            return known as f64;
        }
        let new = IDENTITIES.fetch_add(1, Ordering::Relaxed) + 1;
        let raced = self
            .identity
            .compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed);
        raced.err().unwrap_or(new) as f64
    }

    /// Lets go of one hold; the last one takes the memory and the record with it.
    ///
    /// # Safety
    /// The caller has a hold, and gives it up here.
    unsafe fn let_go(holding: NonNull<Self>) -> Option<Box<Self>> {
        // SAFETY: the caller's hold keeps the record alive.
        let holders = &unsafe { holding.as_ref() }.holders;
        // Nobody else can add a hold once the caller's is the only one, so the common case needs no locked instruction.
        // Release and acquire as in `Arc`: what the other holders did with the memory comes before its end.
        let last =
            holders.load(Ordering::Acquire) == 1 || holders.fetch_sub(1, Ordering::AcqRel) == 1;
        // SAFETY: made by `Box::into_raw` in `view`, and this was the last hold.
        last.then(|| unsafe { Box::from_raw(holding.as_ptr()) })
    }

    /// Lets go of a hold where the thread must not wait.
    ///
    /// # Safety
    /// As for [`Holding::let_go`].
    pub unsafe fn let_go_collected(holding: NonNull<Self>) {
        // SAFETY: as the caller vouches.
        let Some(last) = (unsafe { Self::let_go(holding) }) else {
            return;
        };
        if last.freed.load(Ordering::Relaxed) {
            // Whoever frees on purpose is about to go on, and most often to attach.
            // SAFETY: the last hold was given up.
            return unsafe { last.memory.free() };
        }
        stats::reclaimed();
        // SAFETY: the last hold was given up.
        unsafe { last.memory.free_collected() };
    }
}

impl Slot {
    /// Allocates a block into an empty slot.
    pub fn allocate(
        &mut self,
        bytes: usize,
        align: usize,
        zeroed: bool,
        element: Element,
    ) -> Result<*mut u8, Code> {
        if !matches!(self, Self::Empty) || !align.is_power_of_two() || align > LARGEST_ALIGN {
            return Err(Code::Invalid);
        }
        let memory = Memory::allocate(bytes, align, zeroed, element)?;
        stats::began(bytes);
        *self = Self::Held(memory);
        Ok(memory.pointer.as_ptr())
    }

    /// Frees the block, or marks it as freed if a view is over it: then detaching the view lets go of the memory.
    pub fn free(&mut self) {
        match std::mem::replace(self, Self::Empty) {
            Self::Empty => {}
            // SAFETY: the block alone held the memory.
            Self::Held(memory) => unsafe { memory.free_soon() },
            // SAFETY: the view's buffer isn't detached, so V8's hold keeps the record alive.
            Self::Viewed(holding) => unsafe { holding.as_ref() }
                .freed
                .store(true, Ordering::Relaxed),
            Self::Shared(holding) => {
                // SAFETY: the block's own hold keeps the record alive until it is given up below.
                unsafe { holding.as_ref() }
                    .freed
                    .store(true, Ordering::Relaxed);
                // SAFETY: the block has a hold, and gives it up.
                if let Some(last) = unsafe { Holding::let_go(holding) } {
                    // SAFETY: the last hold was given up.
                    unsafe { last.memory.free_soon() };
                }
            }
        }
    }

    /// The view's buffer was transferred away, and the memory with it: the block has nothing to do with it any more.
    pub fn forget(&mut self) {
        if let Self::Viewed(_) = self {
            *self = Self::Empty;
        }
    }

    /// Takes a hold beside V8's, so that the memory outlives the detaching of the view. Not while Python holds the memory:
    /// then it answers by how many objects.
    pub fn hold(&mut self) -> usize {
        let (Self::Viewed(holding) | Self::Shared(holding)) = *self else {
            return 0;
        };
        // SAFETY: the block's hold, or V8's as the view's buffer isn't detached, keeps the record alive.
        let record = unsafe { holding.as_ref() };
        let exporters = record.exporters.load(Ordering::Acquire);
        if exporters == 0 && matches!(self, Self::Viewed(_)) {
            record.holders.fetch_add(1, Ordering::Relaxed);
            *self = Self::Shared(holding);
        }
        exporters
    }

    /// The record of the block's memory, in which others can take holds; none if the slot is empty.
    pub fn share(&mut self) -> Option<NonNull<Holding>> {
        match *self {
            Self::Empty => None,
            Self::Held(memory) => {
                let holding = Holding::of(memory);
                *self = Self::Shared(holding);
                Some(holding)
            }
            Self::Viewed(holding) | Self::Shared(holding) => Some(holding),
        }
    }

    /// Resizes the block. No view of the block's own is over it any more. Where somebody else holds the memory, they
    /// keep it, and the block goes on with a copy. On failure memory and size stay as they were.
    pub fn reallocate(&mut self, bytes: usize, zeroed: bool) -> Result<*mut u8, Code> {
        self.settle();
        let (old, new) = match *self {
            Self::Empty | Self::Viewed(_) => return Err(Code::Invalid),
            // SAFETY: the block alone holds the memory.
            Self::Held(memory) => (memory, unsafe { memory.resize(bytes, zeroed) }?),
            Self::Shared(holding) => {
                // SAFETY: the block's own hold keeps record and memory alive.
                let record = unsafe { holding.as_ref() };
                if record.exporters.load(Ordering::Acquire) > 0 {
                    return Err(Code::Borrowed);
                }
                let memory = record.memory;
                // SAFETY: the same hold.
                let copy = unsafe { memory.copy(bytes, zeroed) }?;
                stats::began(bytes);
                // SAFETY: the same hold. The block gave this memory up on purpose, as by a `free`.
                unsafe { holding.as_ref() }
                    .freed
                    .store(true, Ordering::Relaxed);
                // SAFETY: the block has a hold, and gives it up now that it has the copy.
                unsafe { Holding::let_go_collected(holding) };
                *self = Self::Held(copy);
                return Ok(copy.pointer.as_ptr());
            }
        };
        stats::grew(new.bytes as i64 - old.bytes as i64);
        *self = Self::Held(new);
        Ok(new.pointer.as_ptr())
    }

    /// If nobody but the block holds the memory any more, it is the block's own again.
    fn settle(&mut self) {
        let Self::Shared(holding) = *self else { return };
        // SAFETY: the block's own hold keeps the record alive. Acquire: what the others did comes before what follows.
        if unsafe { holding.as_ref() }.holders.load(Ordering::Acquire) == 1 {
            // SAFETY: made by `Box::into_raw` in `view`; with one hold left, the block's, nobody can add another.
            let record = unsafe { Box::from_raw(holding.as_ptr()) };
            *self = Self::Held(record.memory);
        }
    }

    /// The block's memory with a hold for a view, which the block hands over to it.
    pub fn view(&mut self) -> Option<NonNull<Holding>> {
        let holding = match *self {
            Self::Empty | Self::Viewed(_) => return None,
            Self::Held(memory) => Holding::of(memory),
            Self::Shared(holding) => holding,
        };
        *self = Self::Viewed(holding);
        Some(holding)
    }

    /// The block was lost: lets go of what it held, and answers how many bytes that were. The thread must not wait.
    pub fn collect(&mut self) -> usize {
        match std::mem::replace(self, Self::Empty) {
            Self::Empty | Self::Viewed(_) => 0,
            Self::Held(memory) => {
                stats::reclaimed();
                // SAFETY: the block alone held the memory.
                unsafe { memory.free_collected() };
                memory.bytes
            }
            Self::Shared(holding) => {
                // SAFETY: the block's own hold keeps the record alive.
                let bytes = unsafe { holding.as_ref() }.memory.bytes;
                // SAFETY: the block has a hold, and gives it up.
                unsafe { Holding::let_go_collected(holding) };
                bytes
            }
        }
    }
}

/// The slot at an address that [`slot_address`] gave.
///
/// # Safety
/// The address is a live slot's, and no other reference to it is in use.
pub unsafe fn slot<'a>(address: f64) -> Result<&'a mut Slot, Code> {
    let address = crate::code::whole(address)?;
    // SAFETY: as the caller vouches; null is caught.
    unsafe { std::ptr::with_exposed_provenance_mut::<Slot>(address).as_mut() }.ok_or(Code::Invalid)
}

/// The address of a slot, as TypeScript keeps it.
pub fn slot_address(slot: *mut Slot) -> f64 {
    slot.expose_provenance() as f64
}

/// A pointer for a boundary that has only numbers, null for one that is no address.
pub fn pointer(address: f64) -> *mut u8 {
    crate::code::whole(address).map_or(null_mut(), std::ptr::with_exposed_provenance_mut)
}
