//! Every function that TypeScript calls by FFI, as `ffi/boundary/symbols.ts` declares it; a test compares the two lists.
//!
//! Numbers cross as doubles: TypeScript has checked them to be safe integers, and the functions here don't trust that.
//! None of them unwinds: the library is built with `panic = "abort"`. A *slot* is the address that `slot(token)` returned.

use std::ffi::c_void;

use crate::boundary::napi::completions;
use crate::boundary::status::{Status, address_or_status, safe_integer};
use crate::debug::settings;
use crate::debug::signal::{self, Answering};
use crate::memory::block::{FinalizerToken, pointer, token};
use crate::memory::element::Element;
use crate::memory::{raw, stats};
use crate::runtime::{attach, stack, start};

/// The number of this boundary. Any change to a function of this file, or to what one means, gets a new number.
const ABI: u32 = 7;

/// Return the number of this boundary.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_abi() -> u32 {
    ABI
}

/// Start Python unless it runs. `library` and `executable` are `length` bytes together with their closing NULs,
/// UTF-8. 1: it runs now, 2: another call had started it; otherwise a status.
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
    start::start(paths).map_or_else(
        |status| status as i32,
        |is_first| if is_first { 1 } else { 2 },
    )
}

/// Write what is known of the Python that runs (version, library, executable, prefix, and this library's own path, each
/// closed by a NUL, UTF-8) and return its length in bytes: 0 if none was started here, more than `capacity` if there was
/// no space.
///
/// # Safety
/// `buffer` is null or writable for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_python(buffer: *mut u8, capacity: u32) -> u32 {
    // SAFETY: as the caller vouches.
    unsafe { write(start::description(), buffer, capacity) }
}

/// Write why Python refused to start (its message, then the name and the value of each environment variable that it reads,
/// each closed by a NUL, UTF-8) and return its length in bytes: 0 if it didn't, more than `capacity` if there was no
/// room.
///
/// # Safety
/// `buffer` is null or writable for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_start_error(buffer: *mut u8, capacity: u32) -> u32 {
    // SAFETY: as the caller vouches.
    unsafe { write(start::start_error(), buffer, capacity) }
}

/// Write a text where there is space for it, and return its length; 0 if there is none.
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

/// Attach the thread until `oneheap_end_attachment` is called with the number that this returns, from 1 on; or a status.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_attach() -> f64 {
    attach::attach().map_or_else(Status::as_f64, |number| number as f64)
}

/// Detach the thread, where it is attached, until `oneheap_end_attachment` is called with the number that this returns; or a status.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_detach() -> f64 {
    attach::detach().map_or_else(Status::as_f64, |number| number as f64)
}

/// End an attachment or detachment of this thread. Return 1, or a status.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_end_attachment(number: f64) -> i32 {
    safe_integer(number)
        .and_then(|number| attach::end_attachment(number as u64))
        .map_or_else(|status| status as i32, |()| 1)
}

/// Record that JavaScript's trial of its stack is as deep as this call. Return 1 if it is to go on.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_stack_descend() -> i32 {
    stack::descend().into()
}

/// Return an address as a pointer object.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_pointer(address: f64) -> *mut c_void {
    pointer(address).cast()
}

/// Return the address of a pointer object.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_address(pointer: *mut c_void) -> f64 {
    pointer.expose_provenance() as f64
}

/// Call `PyMem_Malloc`. Return an address, or a status.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_raw_malloc(bytes: f64) -> f64 {
    address_or_status(safe_integer(bytes).and_then(raw::malloc))
}

/// Call `PyMem_Calloc`. Return an address, or a status.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_raw_calloc(count: f64, bytes: f64) -> f64 {
    address_or_status(
        safe_integer(count).and_then(|count| raw::calloc(count, safe_integer(bytes)?)),
    )
}

/// Call `PyMem_Realloc`. Return an address, or a status, and then the block is as it was.
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

/// Call `PyMem_Free`, at once or by the deferred list; where the block is known to be large, the thread attaches.
///
/// # Safety
/// The address is 0 or a live `PyMem` block's that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_raw_free(address: f64) {
    // SAFETY: as the caller vouches.
    unsafe { raw::free(pointer(address)) };
}

/// Allocate a `Block` into an empty slot. Return its address, or a status. `element` is the number of an element type.
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

/// Resize a slot's block, over which no view is. Return its address, or a status, and then the block is as it was.
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

/// Free a slot's block, over which no view is. Return 1, or a status.
///
/// # Safety
/// The slot is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_block_free(at: f64) -> i32 {
    // SAFETY: as the caller vouches.
    token(at)
        .and_then(|token| unsafe { FinalizerToken::free(token, || {}) })
        .map_or_else(|status| status as i32, |()| 1)
}

/// Return how many Python objects hold the memory of a slot's block.
///
/// # Safety
/// The slot is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_block_exporters(at: f64) -> f64 {
    // SAFETY: as the caller vouches.
    token(at).map_or(0.0, |token| unsafe { &*token }.slot.exporters() as f64)
}

/// Return the number by which the block in a slot is recognised when it returns from Python; 0 if there is none.
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

/// Empty a slot whose memory was transferred with its view's buffer. Return 1, or a status.
///
/// # Safety
/// The slot is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_block_clear(at: f64) -> i32 {
    // SAFETY: as the caller vouches.
    token(at)
        .and_then(|token| Ok(unsafe { (*token).slot.clear() }?))
        .map_or_else(|status| status as i32, |()| 1)
}

/// Wait until there is something in a completion queue, or it is closed. Called `nonblocking`, on one of Deno's threads.
///
/// # Safety
/// The handle is one that `waitHandle(queue)` returned, and used once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_wait(wait_handle: f64) {
    // SAFETY: as the caller vouches.
    unsafe { completions::wait(wait_handle) };
}

/// Set one of the whole program's settings, unless `value` is negative, and return it: 0 until it is set. A Worker asks here, for reading
/// the environment isn't safe while Python code may change it.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_setting(setting: u32, value: f64) -> f64 {
    settings::exchange(setting, value)
}

/// Write what holds memory to a file, now, or each time that SIGUSR2 comes. `texts` is the file and what the program is called, each closed
/// by a NUL, UTF-8. Return 1, or 0 if that isn't possible.
///
/// # Safety
/// `texts` is readable for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_memory_summary(
    texts: *const u8,
    length: u32,
    on_signal: u8,
) -> i32 {
    if texts.is_null() {
        return 0;
    }
    // SAFETY: as the caller vouches.
    let texts = unsafe { std::slice::from_raw_parts(texts, length as usize) };
    let texts = String::from_utf8_lossy(texts);
    let mut parts = texts.split('\0');
    let (Some(file), Some(program)) = (parts.next(), parts.next()) else {
        return 0;
    };
    let answering = Answering {
        file: file.into(),
        program: program.into(),
    };
    let is_done = if on_signal != 0 {
        signal::answer(answering)
    } else {
        answering.write().is_ok()
    };
    is_done.into()
}

/// Write the process-wide counts as doubles, in the order of `ffi/memory/stats.ts`.
///
/// # Safety
/// `counts` is writable for nine doubles.
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
