//! Every function that TypeScript calls, as `ffi/symbols.ts` declares it; a test compares the two lists.
//!
//! Numbers cross as doubles: TypeScript has checked them to be safe integers, and the functions here don't trust that.
//! None of them unwinds: the library is built with `panic = "abort"`. A *slot* is an address that `slot(keeper)` gave.

use std::ffi::c_void;

use crate::block::{pointer, slot};
use crate::code::{Code, crossing, whole};
use crate::node::interpreter;
use crate::objects::element::Element;
use crate::{attach, python, raw, stats};

/// The number of this boundary. Any change to a function of this file, or to what one means, gets a new number.
const ABI: u32 = 2;

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
        return Code::Invalid as i32;
    }
    // SAFETY: as the caller vouches.
    let paths = unsafe { std::slice::from_raw_parts(paths, length as usize) };
    python::start(paths).map_or_else(|code| code as i32, |is_first| if is_first { 1 } else { 2 })
}

/// Writes what is known of the Python that runs (version, library, executable, prefix, and this library's own path, each
/// closed by a NUL, UTF-8) and answers its length in bytes: 0 if none was started here, more than `capacity` if there was
/// no room.
///
/// # Safety
/// `buffer` is null or writable for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_python(buffer: *mut u8, capacity: u32) -> u32 {
    // SAFETY: as the caller vouches.
    unsafe { write(python::description(), buffer, capacity) }
}

/// Writes why Python refused to start (its words, then the name and the value of each environment variable that it reads,
/// each closed by a NUL, UTF-8) and answers its length in bytes: 0 if it didn't, more than `capacity` if there was no
/// room.
///
/// # Safety
/// `buffer` is null or writable for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_refusal(buffer: *mut u8, capacity: u32) -> u32 {
    // SAFETY: as the caller vouches.
    unsafe { write(python::refusal(), buffer, capacity) }
}

/// Writes a text where there is room for it, and returns its length; 0 if there is none.
///
/// # Safety
/// `buffer` is null or writable for `capacity` bytes.
unsafe fn write(text: Option<&[u8]>, buffer: *mut u8, capacity: u32) -> u32 {
    let Some(text) = text else {
        return 0;
    };
    if !buffer.is_null() && text.len() <= capacity as usize {
        // SAFETY: as the caller vouches, and there is room.
        unsafe { buffer.copy_from_nonoverlapping(text.as_ptr(), text.len()) };
    }
    text.len() as u32
}

/// Attaches the thread until the matching `oneheap_detach`. 1, or a code.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_attach() -> i32 {
    attach::hold().map_or_else(|code| code as i32, |()| 1)
}

/// Lets go of Python, where the thread is attached, until the matching `oneheap_detach`. 1, or a code.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_let_go() -> i32 {
    attach::let_go().map_or_else(|code| code as i32, |()| 1)
}

/// Gives one `oneheap_attach` or `oneheap_let_go` of this thread back.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_detach() -> i32 {
    attach::release().map_or_else(|code| code as i32, |()| 1)
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
    crossing(whole(bytes).and_then(raw::malloc))
}

/// `PyMem_Calloc`: an address, or a code.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_raw_calloc(count: f64, bytes: f64) -> f64 {
    crossing(whole(count).and_then(|count| raw::calloc(count, whole(bytes)?)))
}

/// `PyMem_Realloc`: an address, or a code and the block as it was.
///
/// # Safety
/// The address is 0 or a live `PyMem` block's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_raw_realloc(address: f64, bytes: f64) -> f64 {
    // SAFETY: as the caller vouches.
    crossing(whole(bytes).and_then(|bytes| unsafe { raw::realloc(pointer(address), bytes) }))
}

/// `PyMem_Free`, at once or by the deferred list.
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
    crossing(unsafe { slot(at) }.and_then(|slot| {
        let element = Element::from_number(element).ok_or(Code::Invalid)?;
        slot.allocate(whole(bytes)?, whole(align)?, zeroed != 0, element)
    }))
}

/// Resizes a slot's block, over which no view is: its address, or a code and the block as it was.
///
/// # Safety
/// The slot is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_block_realloc(at: f64, bytes: f64, zeroed: u8) -> f64 {
    // SAFETY: as the caller vouches.
    crossing(unsafe { slot(at) }.and_then(|slot| slot.reallocate(whole(bytes)?, zeroed != 0)))
}

/// Frees a slot's block; one with a view is marked as freed, and detaching the view lets go of it.
///
/// # Safety
/// The slot is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_block_free(at: f64) {
    // SAFETY: as the caller vouches.
    if let Ok(slot) = unsafe { slot(at) } {
        slot.free();
    }
}

/// How many Python objects hold the memory of a slot's block. If none, and the slot's view holds it, takes a hold beside the
/// view's, so that the memory outlives the view's detaching.
///
/// # Safety
/// The slot is live, and the buffer of its view is not detached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_block_hold(at: f64) -> f64 {
    // SAFETY: as the caller vouches.
    unsafe { slot(at) }.map_or(0.0, |slot| slot.hold() as f64)
}

/// The number by which the block in a slot is known again when it comes back from Python; 0 if there is none.
///
/// # Safety
/// The slot is live, and the buffer of its view, if it has one, is not detached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_block_identity(at: f64) -> f64 {
    // SAFETY: as the caller vouches; who shares the slot's memory keeps its record alive.
    unsafe { slot(at).ok().and_then(|slot| slot.share()) }
        .map_or(0.0, |holding| unsafe { holding.as_ref() }.identity())
}

/// The slot's view was transferred away: empties the slot.
///
/// # Safety
/// The slot is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_block_forget(at: f64) {
    // SAFETY: as the caller vouches.
    if let Ok(slot) = unsafe { slot(at) } {
        slot.forget();
    }
}

/// Waits until there is something in an inbox, or it is closed. Called `nonblocking`, on one of Deno's threads.
///
/// # Safety
/// The ticket is one that `ticket(inbox)` gave, and used once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_wait(ticket: f64) {
    // SAFETY: as the caller vouches.
    unsafe { interpreter::wait(ticket) };
}

/// Writes the process-wide counts as doubles, in the order of `ffi/stats.ts`.
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
