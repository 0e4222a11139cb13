//! Records whose memory is never used for anything else.
//!
//! JavaScript refers to a record by an `ArrayBuffer` over it. Whether a buffer is one of these is decided by where its memory is:
//! within a slab, where no buffer can be that V8 or anybody else allocated. Its length, its class and its prototype decide nothing,
//! for user code may forge them.

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::limits::{FIRST_SLAB_RECORDS, MAX_SLAB_CHUNKS};

/// A place for a record, which comes first, so that both have one address.
#[repr(C)]
struct Place<T> {
    record: UnsafeCell<MaybeUninit<T>>,
    is_used: AtomicBool,
    /// The next free place; only read and written while the slab's lock is held.
    next: UnsafeCell<*mut Place<T>>,
}

/// The free places and how many chunks there are.
struct Free<T> {
    first: *mut Place<T>,
    chunks: usize,
}

// SAFETY: the places are the slab's, and only reached while its lock is held.
unsafe impl<T> Send for Free<T> {}

/// A growing set of places for records. Places are used again, and never freed.
pub struct Slab<T> {
    chunks: [AtomicPtr<Place<T>>; MAX_SLAB_CHUNKS],
    free: Mutex<Free<T>>,
}

// SAFETY: records are passed by pointer, and whoever uses one vouches for it; the slab's own state is atomic or locked.
unsafe impl<T: Send> Sync for Slab<T> {}

impl<T> Slab<T> {
    /// A slab without places.
    pub const fn new() -> Self {
        Self {
            chunks: [const { AtomicPtr::new(null_mut()) }; MAX_SLAB_CHUNKS],
            free: Mutex::new(Free {
                first: null_mut(),
                chunks: 0,
            }),
        }
    }

    /// Move a record into the slab; return it if memory is out.
    pub fn insert(&self, record: T) -> Result<NonNull<T>, T> {
        let place = loop {
            let chunks = match self.pop() {
                Ok(place) => break place,
                Err(chunks) => chunks,
            };
            if !self.grow(chunks) {
                return Err(record);
            }
        };
        // SAFETY: a place of the slab, which is live for good, and this thread's alone since it isn't free any more.
        unsafe {
            (*place.as_ref().record.get()).write(record);
            place.as_ref().is_used.store(true, Ordering::Release);
        }
        // The record has the place's address, and the pointer may be used for all of the place.
        Ok(place.cast())
    }

    /// Move a record out of the slab. Its place is used again.
    ///
    /// # Safety
    /// [`insert`](Self::insert) returned the pointer, the record wasn't removed since, and nobody refers to it any more.
    pub unsafe fn remove(&self, record: NonNull<T>) -> T {
        // The record is the first field of its place.
        let place: *mut Place<T> = record.as_ptr().cast();
        // SAFETY: as the caller vouches.
        let removed = unsafe {
            (*place).is_used.store(false, Ordering::Release);
            (*(*place).record.get()).assume_init_read()
        };
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the place is free from here on, and the lock is held.
        unsafe { *(*place).next.get() = free.first };
        free.first = place;
        removed
    }

    /// The record at an address, if there is one in this slab.
    pub fn get(&self, address: *const u8) -> Option<NonNull<T>> {
        let size = size_of::<Place<T>>();
        for (index, chunk) in self.chunks.iter().enumerate() {
            // Acquire: the chunk's places were written before it was published.
            let first = chunk.load(Ordering::Acquire);
            if first.is_null() {
                return None;
            }
            let offset = address.addr().wrapping_sub(first.addr());
            if offset >= records_of(index) * size {
                continue;
            }
            if !offset.is_multiple_of(size) {
                return None;
            }
            // SAFETY: within the chunk, at the beginning of a place.
            let place = unsafe { first.byte_add(offset) };
            // SAFETY: as above, and live for good.
            let is_used = unsafe { (*place).is_used.load(Ordering::Acquire) };
            return is_used.then(|| NonNull::new(place.cast())).flatten();
        }
        None
    }

    /// Take a free place; or how many chunks there are, none of which has one.
    fn pop(&self) -> Result<NonNull<Place<T>>, usize> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = NonNull::new(free.first) else {
            return Err(free.chunks);
        };
        // SAFETY: a free place, and the lock is held.
        free.first = unsafe { *place.as_ref().next.get() };
        Ok(place)
    }

    /// Add a chunk if there are still `chunks` of them. The memory is the system's, and asked for without the lock.
    fn grow(&self, chunks: usize) -> bool {
        let Some(chunk) = self.chunks.get(chunks) else {
            return false;
        };
        let records = records_of(chunks);
        let Ok(layout) = Layout::array::<Place<T>>(records) else {
            return false;
        };
        // SAFETY: the layout has a size.
        let first: *mut Place<T> = unsafe { allocate(layout) }.cast();
        if first.is_null() {
            return false;
        }
        for index in 0..records {
            let next = if index + 1 < records {
                // SAFETY: within the chunk.
                unsafe { first.add(index + 1) }
            } else {
                null_mut()
            };
            // SAFETY: within the chunk, which is this thread's alone.
            unsafe {
                first.add(index).write(Place {
                    record: UnsafeCell::new(MaybeUninit::uninit()),
                    is_used: AtomicBool::new(false),
                    next: UnsafeCell::new(next),
                });
            }
        }
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.chunks != chunks {
            // Another thread added one meanwhile.
            drop(free);
            // SAFETY: allocated above with this layout, and nobody has seen it.
            unsafe { deallocate(first.cast(), layout) };
            return true;
        }
        // SAFETY: the chunk's last place, and the lock is held.
        unsafe { *(*first.add(records - 1)).next.get() = free.first };
        free.first = first;
        free.chunks += 1;
        chunk.store(first, Ordering::Release);
        true
    }
}

/// Return how many records the chunk of that index has.
fn records_of(index: usize) -> usize {
    FIRST_SLAB_RECORDS << index
}

/// Memory of the system's, not Python's: it lives as long as the process, and a thread may ask for it in any state.
///
/// # Safety
/// The layout has a size.
unsafe fn allocate(layout: Layout) -> *mut u8 {
    // SAFETY: as the caller vouches.
    unsafe { std::alloc::GlobalAlloc::alloc(&std::alloc::System, layout) }
}

/// # Safety
/// [`allocate`] returned the pointer for this layout.
unsafe fn deallocate(pointer: *mut u8, layout: Layout) {
    // SAFETY: as the caller vouches.
    unsafe { std::alloc::GlobalAlloc::dealloc(&std::alloc::System, pointer, layout) }
}
