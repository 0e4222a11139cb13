//! Blocks: memory of Python's allocator, described by a slot.
//!
//! JavaScript keeps, for each block, a [`FinalizerToken`]: a record that has the block's slot, in a small external `ArrayBuffer`
//! (see `boundary/napi/backing_store.rs`). When V8 collects that or ends the isolate, what a block still holds is freed.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;

use oneheap::PyMemAllocator;

use crate::boundary::status::Status;
use crate::limits::{DEFAULT_ALIGN_BYTES, MAX_ALIGN_BYTES, MAX_DEFERRED_BLOCK_BYTES};
use crate::memory::element::Element;
use crate::memory::external_memory::ExternalMemory;
use crate::memory::stats;
use crate::memory::storage::shared_memory::{self, Backing};
use crate::memory::storage::slab::Slab;
use crate::memory::storage::slot::{self, NoMemory};
use crate::memory::tracking::flags::is_instrumented;
use crate::memory::tracking::{observer, quarantine};
use crate::runtime::attach::AttachGuard;

/// The memory of a block.
#[derive(Clone, Copy)]
pub struct Memory {
    pub pointer: NonNull<u8>,
    pub bytes: usize,
    pub element: Element,
    align: usize,
}

// SAFETY: a pointer and numbers; whoever uses the memory vouches for that.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

/// A block's slot.
pub type Slot = slot::Slot<Memory>;

/// A block's memory that is shared.
pub type SharedMemory = shared_memory::SharedMemory<Memory>;

/// What a block's `ArrayBuffer` refers to.
pub struct FinalizerToken {
    pub slot: Slot,
    /// The count of the isolate that the block belongs to.
    pub external: Arc<ExternalMemory>,
}

/// All tokens of the process.
pub static TOKENS: Slab<FinalizerToken> = Slab::new();

impl From<NoMemory> for Status {
    fn from(reason: NoMemory) -> Self {
        match reason {
            NoMemory::Freed => Self::Freed,
            NoMemory::Exported => Self::BlockInUse,
            NoMemory::Viewed => Self::Invalid,
            NoMemory::Busy => Self::Busy,
        }
    }
}

impl Memory {
    /// The layout that the memory was allocated with. The allocator gives `PyMem` pointers out as they are (and so can
    /// resize them in place) where no more than a word's alignment is asked for, and they are aligned to 16 all the same.
    fn layout(bytes: usize, align: usize) -> Result<Layout, Status> {
        let align = if align <= DEFAULT_ALIGN_BYTES {
            8
        } else {
            align
        };
        Layout::from_size_align(bytes.max(1), align).map_err(|_| Status::OutOfMemory)
    }

    fn allocate(
        bytes: usize,
        align: usize,
        zeroed: bool,
        element: Element,
    ) -> Result<Self, Status> {
        let layout = Self::layout(bytes, align)?;
        let _attached = AttachGuard::enter()?;
        // SAFETY: the layout's size is at least 1.
        let pointer = unsafe {
            if zeroed {
                PyMemAllocator.alloc_zeroed(layout)
            } else {
                PyMemAllocator.alloc(layout)
            }
        };
        let pointer = NonNull::new(pointer).ok_or(Status::OutOfMemory)?;
        if pointer.addr().get().is_multiple_of(align) {
            observer::began(pointer.as_ptr(), bytes);
            return Ok(Self {
                pointer,
                bytes,
                element,
                align,
            });
        }
        // SAFETY: just allocated with this layout, and nobody else has it.
        unsafe { PyMemAllocator.dealloc(pointer.as_ptr(), layout) };
        Err(Status::Misaligned)
    }

    /// Resize the memory in place or by moving it; on failure it stays as it was.
    ///
    /// # Safety
    /// The memory is live and nobody else uses it.
    unsafe fn resize(self, bytes: usize, zeroed: bool) -> Result<Self, Status> {
        Self::layout(bytes, self.align)?;
        let layout = Self::layout(self.bytes, self.align)?;
        let _attached = AttachGuard::enter()?;
        let tracked = observer::moving(self.pointer.as_ptr());
        // SAFETY: live, allocated with this layout; the new size was checked against the same alignment just now.
        let pointer =
            unsafe { PyMemAllocator.realloc(self.pointer.as_ptr(), layout, bytes.max(1)) };
        let Some(pointer) = NonNull::new(pointer) else {
            observer::stayed(self.pointer.as_ptr(), tracked);
            return Err(Status::OutOfMemory);
        };
        observer::began(pointer.as_ptr(), bytes);
        let resized = Self {
            pointer,
            bytes,
            ..self
        };
        if zeroed {
            // SAFETY: the memory is the caller's alone.
            unsafe { resized.zero_from(self.bytes) };
        }
        stats::grew(bytes as i64 - self.bytes as i64);
        Ok(resized)
    }

    /// Allocate new memory with the contents of this.
    ///
    /// # Safety
    /// The memory is live. Others may read and write it: what they write meanwhile may or may not be in the copy.
    unsafe fn copy(self, bytes: usize, zeroed: bool) -> Result<Self, Status> {
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
        stats::began(bytes);
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
}

impl Memory {
    /// Free the memory at once, on any thread that can attach.
    ///
    /// # Safety
    /// The memory is live, and its last holder gives it up here.
    #[cold]
    unsafe fn free_tracked(self) {
        let attached = AttachGuard::enter();
        // A pointer with a header in front of it isn't where Python's memory begins.
        if attached.is_ok()
            && self.align <= DEFAULT_ALIGN_BYTES
            && let Ok(layout) = Self::layout(self.bytes, self.align)
            // SAFETY: attached, allocated with this layout, and as the caller vouches.
            && unsafe {
                observer::keep_freed(
                    self.pointer.as_ptr(),
                    quarantine::Origin::Allocator(layout),
                )
            }
        {
            stats::ended(self.bytes);
            return;
        }
        // SAFETY: as the caller vouches.
        unsafe { self.free_without_waiting(true) };
    }
}

impl Backing for Memory {
    unsafe fn free_without_waiting(self, is_explicit: bool) {
        if !is_explicit {
            stats::reclaimed();
        }
        stats::ended(self.bytes);
        observer::ended(self.pointer.as_ptr());
        let Ok(layout) = Self::layout(self.bytes, self.align) else {
            return;
        };
        // SAFETY: allocated with this layout, and the caller gives it up.
        unsafe { PyMemAllocator.dealloc(self.pointer.as_ptr(), layout) };
    }

    unsafe fn free(self) {
        if is_instrumented() {
            // SAFETY: as the caller vouches.
            return unsafe { self.free_tracked() };
        }
        let _attached = (self.bytes > MAX_DEFERRED_BLOCK_BYTES).then(AttachGuard::enter);
        // SAFETY: as the caller vouches.
        unsafe { self.free_without_waiting(true) };
    }
}

impl FinalizerToken {
    /// Allocate a block into the empty slot.
    pub fn allocate(
        &mut self,
        bytes: usize,
        align: usize,
        zeroed: bool,
        element: Element,
    ) -> Result<*mut u8, Status> {
        if !self.slot.is_empty() || !align.is_power_of_two() || align > MAX_ALIGN_BYTES {
            return Err(Status::Invalid);
        }
        let memory = Memory::allocate(bytes, align, zeroed, element)?;
        stats::began(bytes);
        // The slot is empty, as seen above.
        let _ = self.slot.fill(memory);
        self.external.track_retained(bytes as i64);
        Ok(memory.pointer.as_ptr())
    }

    /// Resize the block. Where a view is over it, `detach` detaches the view's buffer first. Where somebody else in JavaScript uses
    /// the memory, they keep it, and the block goes on with a copy. On failure contents and size stay as they were; if Python holds
    /// the memory, the view does too.
    ///
    /// An allocator's hook may call JavaScript, and that this library with the same token: nothing refers to the token, and its slot
    /// is busy, while Python allocates.
    ///
    /// # Safety
    /// The token is live, and stays so.
    pub unsafe fn reallocate(
        token: *mut Self,
        bytes: usize,
        zeroed: bool,
        detach: impl FnOnce(),
    ) -> Result<*mut u8, Status> {
        // Attached until the end, so that nothing is detached if the thread can't attach.
        let _attached = AttachGuard::enter()?;
        // SAFETY: as the caller vouches.
        let mut slot = unsafe { (*token).slot.take_for_resize() }?;
        let resized = resize(&mut slot, bytes, zeroed, detach);
        // SAFETY: as the caller vouches. The slot is busy, and changed by nobody else.
        unsafe { (*token).slot = slot };
        let (address, was_viewed, old) = resized?;
        // SAFETY: as the caller vouches.
        let external = unsafe { &(*token).external };
        if was_viewed {
            external.retrack(old as i64);
        }
        let address = address?;
        external.track_retained(bytes as i64 - old as i64);
        Ok(address)
    }

    /// Free the block. Where a view is over it, `detach` detaches the view's buffer. Nothing refers to the token meanwhile, as above.
    ///
    /// # Safety
    /// As for [`reallocate`](Self::reallocate).
    pub unsafe fn free(token: *mut Self, detach: impl FnOnce()) -> Result<(), Status> {
        // SAFETY: as the caller vouches.
        let mut slot = unsafe { (*token).slot.take() }?;
        let is_viewed = matches!(slot, slot::Slot::Viewed(_));
        // SAFETY: as the caller vouches.
        let external = unsafe { (*token).external.clone() };
        let bytes = slot.free(detach).ok_or(Status::Freed)?.bytes as i64;
        external.track_freed(bytes);
        if !is_viewed {
            external.untrack(bytes);
        }
        Ok(())
    }
}

/// The result of resizing: the address or a status, whether a view was detached for it, and the old size in bytes.
type Resized = (Result<*mut u8, Status>, bool, usize);

/// Resize what was taken out of a slot. A status if nothing was changed, nor the view.
fn resize(
    slot: &mut Slot,
    bytes: usize,
    zeroed: bool,
    detach: impl FnOnce(),
) -> Result<Resized, Status> {
    let old = memory_of(slot).ok_or(Status::Freed)?.bytes;
    let was_viewed = matches!(slot, slot::Slot::Viewed(_));
    slot.begin_resize(detach)?;
    let resized = slot.resize(
        // SAFETY: the block alone holds the memory.
        |memory| unsafe { memory.resize(bytes, zeroed) },
        // SAFETY: the block's own share keeps the memory.
        |memory| unsafe { memory.copy(bytes, zeroed) },
    );
    let address = resized
        .unwrap_or(Err(Status::Invalid))
        .map(|memory| memory.pointer.as_ptr());
    Ok((address, was_viewed, old))
}

/// A slot's memory; none if there is none, or if it went with the view's buffer.
fn memory_of(slot: &Slot) -> Option<Memory> {
    match slot {
        slot::Slot::Empty | slot::Slot::Busy => None,
        &slot::Slot::Owned(memory) => Some(memory),
        slot::Slot::Shared(shared) => Some(shared.memory()),
        slot::Slot::Viewed(shared) => shared.upgrade().map(|shared| shared.memory()),
    }
}

/// The token at an address that `slot(token)` returned; never null. Whoever uses it vouches that it is live.
pub fn token(address: f64) -> Result<*mut FinalizerToken, Status> {
    let address = crate::boundary::status::safe_integer(address)?;
    if address == 0 {
        return Err(Status::Invalid);
    }
    Ok(std::ptr::with_exposed_provenance_mut(address))
}

/// A pointer for a boundary that has only numbers, null for one that is no address.
pub fn pointer(address: f64) -> *mut u8 {
    crate::boundary::status::safe_integer(address)
        .map_or(null_mut(), std::ptr::with_exposed_provenance_mut)
}
