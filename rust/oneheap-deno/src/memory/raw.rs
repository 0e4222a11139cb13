//! Plain `PyMem` memory by address: what `raw` in TypeScript calls.
//!
//! An address from here is what `PyMem_Malloc` returned, so C code may `PyMem_Free` it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use oneheap::{AttachState, PyMemAllocator};
use pyo3_ffi::{PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc};

use crate::boundary::status::Status;
use crate::limits::{MAX_DEFERRED_BLOCK_BYTES, MIN_PYTHON_BYTES};
use crate::memory::address_table::{AddressTable, OutOfMemory};
use crate::memory::tracking::flags::is_instrumented;
use crate::memory::tracking::{observer, quarantine};
use crate::runtime::attach::AttachGuard;

/// The sizes of all memory from here that is larger than [`MAX_DEFERRED_BLOCK_BYTES`], so that `free` knows to free it at once. C code
/// that frees memory from here leaves its entry behind, which does no harm: at most a small `free` attaches.
///
/// No call into Python is made while this is locked.
static LARGE: Mutex<AddressTable<usize>> = Mutex::new(AddressTable::new());

/// What a block that is freed or resized may be.
static LARGE_STATE: AtomicU8 = AtomicU8::new(SMALL);

/// No address is in [`LARGE`], which is so most often, and then nobody locks it.
const SMALL: u8 = 0;
/// A block that is not in [`LARGE`] is small.
const LISTED: u8 = 1;
/// Memory was out when an address was to go into [`LARGE`]: any address that is not there may be a large block's.
const INCOMPLETE: u8 = 2;

/// Allocate `bytes` bytes, uninitialised.
#[inline]
pub fn malloc(bytes: usize) -> Result<*mut u8, Status> {
    // Without a guard, whose end costs a jump to what it is to undo.
    if PyMemAllocator::attach_state() == AttachState::Attached {
        // SAFETY: the thread is attached.
        return unsafe { malloc_attached(bytes) };
    }
    malloc_detached(bytes)
}

#[inline(never)]
fn malloc_detached(bytes: usize) -> Result<*mut u8, Status> {
    let _attached = AttachGuard::enter()?;
    // SAFETY: the thread is attached.
    unsafe { malloc_attached(bytes) }
}

/// Allocate `bytes` bytes, uninitialised.
///
/// # Safety
/// The thread is attached.
#[inline]
unsafe fn malloc_attached(bytes: usize) -> Result<*mut u8, Status> {
    // SAFETY: as the caller vouches.
    let pointer = checked(unsafe { PyMem_Malloc(bytes.max(MIN_PYTHON_BYTES)) }.cast())?;
    insert_size(pointer, bytes);
    observer::began(pointer, bytes);
    Ok(pointer)
}

/// Allocate `count * size` bytes of zeroes.
pub fn calloc(count: usize, size: usize) -> Result<*mut u8, Status> {
    let bytes = count.checked_mul(size).ok_or(Status::OutOfMemory)?;
    let _attached = AttachGuard::enter()?;
    // SAFETY: the thread is attached.
    let pointer = checked(unsafe { PyMem_Calloc(1, bytes.max(MIN_PYTHON_BYTES)) }.cast())?;
    insert_size(pointer, bytes);
    observer::began(pointer, bytes);
    Ok(pointer)
}

/// Resize a block; on failure it stays as it was.
///
/// # Safety
/// `pointer` is null or a live `PyMem` block.
pub unsafe fn realloc(pointer: *mut u8, bytes: usize) -> Result<*mut u8, Status> {
    let _attached = AttachGuard::enter()?;
    // Before: once the block has moved, another thread's may be at its address.
    let known = remove_size(pointer);
    let tracked = observer::moving(pointer);
    // SAFETY: the thread is attached and the caller vouches for the pointer.
    let moved: *mut u8 =
        unsafe { PyMem_Realloc(pointer.cast(), bytes.max(MIN_PYTHON_BYTES)) }.cast();
    if moved.is_null() {
        insert_size(pointer, known.unwrap_or(0));
        observer::stayed(pointer, tracked);
        return Err(Status::OutOfMemory);
    }
    insert_size(moved, bytes);
    observer::began(moved, bytes);
    // The old block is gone, so a misaligned answer is returned: its caller owns it and can still free it.
    Ok(moved)
}

/// Free a block. On a thread that isn't attached a large one attaches the thread, as a block of `alloc` does, and a small one
/// goes by the deferred list.
///
/// # Safety
/// `pointer` is null or a live `PyMem` block of at least a word that nobody uses any more.
pub unsafe fn free(pointer: *mut u8) {
    if pointer.is_null() {
        return;
    }
    if is_instrumented() {
        // SAFETY: as the caller vouches.
        return unsafe { free_tracked(pointer) };
    }
    if is_any_large() {
        // SAFETY: as the caller vouches.
        return unsafe { free_by_size(pointer) };
    }
    if PyMemAllocator::attach_state() == AttachState::Attached {
        // SAFETY: the thread is attached and the caller vouches for the pointer.
        return unsafe { PyMem_Free(pointer.cast()) };
    }
    // SAFETY: as the caller vouches.
    unsafe { PyMemAllocator::defer(pointer, MAX_DEFERRED_BLOCK_BYTES) };
}

/// Free a block at once, on any thread that can attach.
///
/// # Safety
/// As for [`free`], and not null.
#[cold]
unsafe fn free_tracked(pointer: *mut u8) {
    let known = remove_size(pointer);
    let Ok(_attached) = AttachGuard::enter() else {
        observer::ended(pointer);
        // SAFETY: as the caller vouches.
        return unsafe {
            PyMemAllocator::defer(pointer, known.unwrap_or(MAX_DEFERRED_BLOCK_BYTES))
        };
    };
    // SAFETY: the thread is attached and the caller vouches for the pointer.
    unsafe {
        if !observer::keep_freed(pointer, quarantine::Origin::Raw) {
            PyMem_Free(pointer.cast());
        }
    }
}

/// Free a block that may be large.
///
/// # Safety
/// As for [`free`], and not null.
#[cold]
unsafe fn free_by_size(pointer: *mut u8) {
    let known = remove_size(pointer);
    let is_attached = PyMemAllocator::attach_state() == AttachState::Attached;
    let is_large = known.is_some() || LARGE_STATE.load(Ordering::Relaxed) == INCOMPLETE;
    if (is_attached || is_large)
        && let Ok(_attached) = AttachGuard::enter()
    {
        // SAFETY: the thread is attached and the caller vouches for the pointer.
        return unsafe { PyMem_Free(pointer.cast()) };
    }
    // SAFETY: as the caller vouches.
    unsafe { PyMemAllocator::defer(pointer, known.unwrap_or(MAX_DEFERRED_BLOCK_BYTES)) };
}

/// What Python's allocator returned, if it can be returned. The thread is attached.
fn checked(pointer: *mut u8) -> Result<*mut u8, Status> {
    if pointer.is_null() {
        return Err(Status::OutOfMemory);
    }
    if !pointer.addr().is_multiple_of(16) {
        // SAFETY: just allocated, and nobody else has it.
        unsafe { PyMem_Free(pointer.cast()) };
        return Err(Status::Misaligned);
    }
    Ok(pointer)
}

/// Return whether a block may be large.
///
/// Relaxed: whoever frees a block got its address from the thread that allocated it, or is that thread.
#[inline]
fn is_any_large() -> bool {
    LARGE_STATE.load(Ordering::Relaxed) != SMALL
}

/// Insert the size of a block if it is large.
#[inline]
fn insert_size(pointer: *mut u8, bytes: usize) {
    if bytes > MAX_DEFERRED_BLOCK_BYTES {
        insert_large(pointer, bytes);
    }
}

#[cold]
fn insert_large(pointer: *mut u8, bytes: usize) {
    let mut large = lock();
    match large.insert(pointer.addr(), bytes) {
        Ok(()) => LARGE_STATE.fetch_max(LISTED, Ordering::Relaxed),
        Err(OutOfMemory) => LARGE_STATE.fetch_max(INCOMPLETE, Ordering::Relaxed),
    };
}

/// Remove the size of a block that is about to be freed or resized, and return it; none if the block is not known to be large.
fn remove_size(pointer: *mut u8) -> Option<usize> {
    if !is_any_large() {
        return None;
    }
    let mut large = lock();
    let bytes = large.remove(pointer.addr());
    if large.len() == 0 && LARGE_STATE.load(Ordering::Relaxed) == LISTED {
        LARGE_STATE.store(SMALL, Ordering::Relaxed);
    }
    bytes
}

fn lock() -> MutexGuard<'static, AddressTable<usize>> {
    LARGE.lock().unwrap_or_else(PoisonError::into_inner)
}
