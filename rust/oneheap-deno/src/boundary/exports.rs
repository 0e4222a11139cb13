//! Every function that TypeScript calls, as `ffi/boundary/symbols.ts` declares it; a test compares the two lists.
//!
//! Numbers cross as doubles: TypeScript has checked them to be safe integers, and the functions here don't trust that.
//! None of them unwinds: the library is built with `panic = "abort"`. A *slot* is the address that `slot(token)` returned.

use std::ffi::c_void;

use crate::boundary::napi::completions;
use crate::boundary::status::{Status, address_or_status, safe_integer};
use crate::memory::block::{FinalizerToken, pointer, token};
use crate::memory::element::Element;
use crate::memory::{raw, stats};
use crate::runtime::{attach, stack, start};

/// The number of this boundary. Any change to a function of this file, or to what one means, gets a new number.
const ABI: u32 = 4;

/// The number of the boundary that this library speaks.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_abi() -> u32 {
    ABI
}

/// Starts Python unless it runs. `library` and `executable` are `length` bytes together with their closing NULs,
/// UTF-8. 1: it runs now, 2: another call had started it; otherwise a code.
///
/// # Safety
/// `paths` is readable for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_start(paths: *const u8, length: u32) -> i32 {
    if paths.is_null() {
        return Status::Invalid as i32;
    }
    // SAFETY: as the caller vouches.
    let paths = unsafe { std::slice::from_raw_parts(paths, length as usize) };
    start::start(paths).map_or_else(|code| code as i32, |is_first| if is_first { 1 } else { 2 })
}

/// Writes what is known of the Python that runs (version, library, executable, prefix, and this library's own path, each
/// closed by a NUL, UTF-8) and returns its length in bytes: 0 if none was started here, more than `capacity` if there was
/// no space.
///
/// # Safety
/// `buffer` is null or writable for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_python(buffer: *mut u8, capacity: u32) -> u32 {
    // SAFETY: as the caller vouches.
    unsafe { write(start::description(), buffer, capacity) }
}

/// Writes why Python refused to start (its message, then the name and the value of each environment variable that it reads,
/// each closed by a NUL, UTF-8) and returns its length in bytes: 0 if it didn't, more than `capacity` if there was no
/// room.
///
/// # Safety
/// `buffer` is null or writable for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_start_error(buffer: *mut u8, capacity: u32) -> u32 {
    // SAFETY: as the caller vouches.
    unsafe { write(start::start_error(), buffer, capacity) }
}

/// Writes a text where there is space for it, and returns its length; 0 if there is none.
///
/// # Safety
/// `buffer` is null or writable for `capacity` bytes.
unsafe fn write(text: Option<&[u8]>, buffer: *mut u8, capacity: u32) -> u32 {
    let Some(text) = text else {
        return 0;
    };
    if !buffer.is_null() && text.len() <= capacity as usize {
        // SAFETY: as the caller vouches, and there is space.
        unsafe { buffer.copy_from_nonoverlapping(text.as_ptr(), text.len()) };
    }
    text.len() as u32
}

/// Attaches the thread until `oneheap_end_attachment` is called with the number that this returns, from 1 on; or a code.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_attach() -> f64 {
    attach::attach().map_or_else(Status::as_f64, |number| number as f64)
}

/// Detaches the thread, where it is attached, until `oneheap_end_attachment` is called with the number that this returns; or a code.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_detach() -> f64 {
    attach::detach().map_or_else(Status::as_f64, |number| number as f64)
}

/// Ends an attachment or detachment of this thread. 1, or a code.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_end_attachment(number: f64) -> i32 {
    safe_integer(number)
        .and_then(|number| attach::end_attachment(number as u64))
        .map_or_else(|code| code as i32, |()| 1)
}

/// JavaScript's trial of its stack is as deep as this call. 1: it is to go on.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_stack_descend() -> i32 {
    stack::descend().into()
}

/// The same address as a pointer object.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_pointer(address: f64) -> *mut c_void {
    pointer(address).cast()
}

/// The address of a pointer object.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_address(pointer: *mut c_void) -> f64 {
    pointer.expose_provenance() as f64
}

/// `PyMem_Malloc`: an address, or a code.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_raw_malloc(bytes: f64) -> f64 {
    address_or_status(safe_integer(bytes).and_then(raw::malloc))
}

/// `PyMem_Calloc`: an address, or a code.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_raw_calloc(count: f64, bytes: f64) -> f64 {
    address_or_status(
        safe_integer(count).and_then(|count| raw::calloc(count, safe_integer(bytes)?)),
    )
}

/// `PyMem_Realloc`: an address, or a code and the block as it was.
///
/// # Safety
/// The address is 0 or a live `PyMem` block's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_raw_realloc(address: f64, bytes: f64) -> f64 {
    // SAFETY: as the caller vouches.
    address_or_status(
        safe_integer(bytes).and_then(|bytes| unsafe { raw::realloc(pointer(address), bytes) }),
    )
}

/// `PyMem_Free`, at once or by the deferred list; where the block is known to be large, the thread attaches.
///
/// # Safety
/// The address is 0 or a live `PyMem` block's that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_raw_free(address: f64) {
    // SAFETY: as the caller vouches.
    unsafe { raw::free(pointer(address)) };
}

/// Allocates a block into an empty slot: its address, or a code. `element` is the number of an element type.
///
/// # Safety
/// The slot is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_block_alloc(
    at: f64,
    bytes: f64,
    align: f64,
    zeroed: u8,
    element: u8,
) -> f64 {
    // SAFETY: as the caller vouches.
    address_or_status(token(at).and_then(|token| {
        let element = Element::from_number(element).ok_or(Status::Invalid)?;
        // SAFETY: as the caller vouches. Nobody else knows the token of a block that is being made.
        let token = unsafe { &mut *token };
        token.allocate(
            safe_integer(bytes)?,
            safe_integer(align)?,
            zeroed != 0,
            element,
        )
    }))
}

/// Resizes a slot's block, over which no view is: its address, or a code and the block as it was.
///
/// # Safety
/// The slot is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_block_realloc(at: f64, bytes: f64, zeroed: u8) -> f64 {
    // SAFETY: as the caller vouches.
    address_or_status(token(at).and_then(|token| unsafe {
        FinalizerToken::reallocate(token, safe_integer(bytes)?, zeroed != 0, || {})
    }))
}

/// Frees a slot's block, over which no view is. 1, or a code.
///
/// # Safety
/// The slot is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_block_free(at: f64) -> i32 {
    // SAFETY: as the caller vouches.
    token(at)
        .and_then(|token| unsafe { FinalizerToken::free(token, || {}) })
        .map_or_else(|code| code as i32, |()| 1)
}

/// How many Python objects hold the memory of a slot's block.
///
/// # Safety
/// The slot is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_block_exporters(at: f64) -> f64 {
    // SAFETY: as the caller vouches.
    token(at).map_or(0.0, |token| unsafe { &*token }.slot.exporters() as f64)
}

/// The number by which the block in a slot is recognised when it returns from Python; 0 if there is none.
///
/// # Safety
/// The slot is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_block_identity(at: f64) -> f64 {
    // SAFETY: as the caller vouches.
    token(at)
        .and_then(|token| Ok(unsafe { &mut *token }.slot.share()?))
        .map_or(0.0, |shared| shared.identity() as f64)
}

/// The slot's memory went with its view's buffer: empties the slot. 1, or a code.
///
/// # Safety
/// The slot is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_block_clear(at: f64) -> i32 {
    // SAFETY: as the caller vouches.
    token(at)
        .and_then(|token| Ok(unsafe { (*token).slot.clear() }?))
        .map_or_else(|code| code as i32, |()| 1)
}

/// Waits until there is something in a completion queue, or it is closed. Called `nonblocking`, on one of Deno's threads.
///
/// # Safety
/// The handle is one that `waitHandle(queue)` returned, and used once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_wait(wait_handle: f64) {
    // SAFETY: as the caller vouches.
    unsafe { completions::wait(wait_handle) };
}

/// Writes the process-wide counts as doubles, in the order of `ffi/memory/stats.ts`.
///
/// # Safety
/// `counts` is writable for six doubles.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_stats(counts: *mut f64) {
    if !counts.is_null() {
        // SAFETY: as the caller vouches.
        unsafe {
            counts
                .cast::<[f64; stats::FIELDS]>()
                .write_unaligned(stats::read())
        };
    }
}
