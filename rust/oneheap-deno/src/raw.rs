//! Plain `PyMem` memory by address: what `raw` in TypeScript calls.
//!
//! An address from here is what `PyMem_Malloc` gave, so C code may `PyMem_Free` it.

use oneheap::{PyMemAllocator, Standing};
use pyo3_ffi::{PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc};

use crate::attach::Scope;
use crate::code::Code;

/// From this size on, every allocator behind `PyMem` aligns to 16, and a freed block has room for a list's link.
const LEAST_BYTES: usize = 16;

/// Allocates `bytes` bytes, uninitialised.
pub fn malloc(bytes: usize) -> Result<*mut u8, Code> {
    let _attached = Scope::enter()?;
    // SAFETY: the thread is attached.
    checked(unsafe { PyMem_Malloc(bytes.max(LEAST_BYTES)) }.cast())
}

/// Allocates `count * size` bytes of zeroes.
pub fn calloc(count: usize, size: usize) -> Result<*mut u8, Code> {
    let bytes = count.checked_mul(size).ok_or(Code::OutOfMemory)?;
    let _attached = Scope::enter()?;
    // SAFETY: the thread is attached.
    checked(unsafe { PyMem_Calloc(1, bytes.max(LEAST_BYTES)) }.cast())
}

/// Resizes a block; on failure it stays as it was.
///
/// # Safety
/// `pointer` is null or a live `PyMem` block.
pub unsafe fn realloc(pointer: *mut u8, bytes: usize) -> Result<*mut u8, Code> {
    let _attached = Scope::enter()?;
    // SAFETY: the thread is attached and the caller vouches for the pointer.
    let moved: *mut u8 = unsafe { PyMem_Realloc(pointer.cast(), bytes.max(LEAST_BYTES)) }.cast();
    if moved.is_null() {
        return Err(Code::OutOfMemory);
    }
    // The old block is gone, so a misaligned answer is handed on: its caller owns it and can still free it.
    Ok(moved)
}

/// Frees a block; on a thread that isn't attached it goes by the deferred list.
///
/// # Safety
/// `pointer` is null or a live `PyMem` block of at least a word that nobody uses any more.
pub unsafe fn free(pointer: *mut u8) {
    if pointer.is_null() {
        return;
    }
    if PyMemAllocator::standing() == Standing::Attached {
        // SAFETY: the thread is attached and the caller vouches for the pointer.
        return unsafe { PyMem_Free(pointer.cast()) };
    }
    // SAFETY: as the caller vouches.
    unsafe { PyMemAllocator::defer(pointer) };
}

/// What Python's allocator gave, if it can be handed out. The thread is attached.
fn checked(pointer: *mut u8) -> Result<*mut u8, Code> {
    if pointer.is_null() {
        return Err(Code::OutOfMemory);
    }
    if !pointer.addr().is_multiple_of(16) {
        // SAFETY: just allocated, and nobody else has it.
        unsafe { PyMem_Free(pointer.cast()) };
        return Err(Code::Misaligned);
    }
    Ok(pointer)
}
