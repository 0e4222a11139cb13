//! What allocations and frees of this library report, and what becomes of it.

use crate::memory::tracking::call_stack::current;
use crate::memory::tracking::flags::{is_instrumented, is_quarantining, is_recording, is_sampling};
use crate::memory::tracking::ledger::{self, Allocation};
use crate::memory::tracking::quarantine::{self, Origin};

/// Enter memory that was allocated just now, by the call stack that this thread is in.
#[inline]
pub fn began(pointer: *mut u8, bytes: usize) {
    if is_instrumented() {
        enter(pointer, bytes);
    }
}

#[cold]
fn enter(pointer: *mut u8, bytes: usize) {
    let current = current();
    if !is_recording() || (is_sampling() && current.stack.is_none()) {
        return;
    }
    ledger::enter(pointer.addr(), bytes, current);
}

/// Remove memory that is about to be freed. Before, for another thread may be given the address at once.
#[inline]
pub fn ended(pointer: *mut u8) {
    if is_instrumented() {
        ledger::remove(pointer.addr());
    }
}

/// Remove memory that is about to be resized, and so may move.
#[inline]
pub fn moving(pointer: *mut u8) -> Option<Allocation> {
    if is_instrumented() {
        check_freed_once(pointer);
        return ledger::remove(pointer.addr());
    }
    None
}

/// Enter memory again whose resizing failed.
pub fn stayed(pointer: *mut u8, allocation: Option<Allocation>) {
    if let Some(allocation) = allocation {
        ledger::restore(pointer.addr(), allocation);
    }
}

/// Take memory that is freed here. Return whether it is kept for a while; if not, the caller frees it.
///
/// # Safety
/// The thread is attached; the memory is live, nobody uses it any more, and it was allocated as the origin says.
pub unsafe fn keep_freed(pointer: *mut u8, origin: Origin) -> bool {
    check_freed_once(pointer);
    match ledger::remove(pointer.addr()) {
        // SAFETY: as the caller vouches; the hooks are on, and the size is what the memory was entered with.
        Some(allocation) if is_quarantining() => unsafe {
            quarantine::keep(pointer, allocation, origin)
        },
        _ => false,
    }
}

fn check_freed_once(pointer: *mut u8) {
    if is_quarantining() {
        quarantine::check_freed_once(pointer);
    }
}
