//! Memory that was freed is kept for a while where Python's debug hooks are on and call sites are recorded, so that who frees it again, or
//! writes to it, is told where it was allocated and where it was freed.
//!
//! Python's own hooks report what was written around memory; what happens after the free they see only if the memory wasn't used again.

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::CString;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use oneheap::PyMemAllocator;
use pyo3_ffi::{Py_FatalError, PyMem_Free};

use crate::limits::{MAX_QUARANTINED, MAX_QUARANTINED_BYTES, MIN_PYTHON_BYTES};
use crate::memory::tracking::call_stack::{CallStack, current};
use crate::memory::tracking::debug_bytes::{DEAD, all_are, is_intact, recorded_bytes};
use crate::memory::tracking::ledger::Allocation;

/// How memory is freed in the end.
#[derive(Clone, Copy)]
pub enum Origin {
    /// By `PyMem_Free`.
    Raw,
    /// By the global allocator, with that layout.
    Allocator(Layout),
}

/// Memory that was freed.
#[derive(Clone, Copy)]
struct Freed {
    /// An address of Python's heap.
    pointer: *mut u8,
    bytes: usize,
    origin: Origin,
    allocated: Option<&'static CallStack>,
    freed: Option<&'static CallStack>,
}

// SAFETY: memory that nobody uses any more; who takes it out of the quarantine frees it.
unsafe impl Send for Freed {}

/// A ring of what was freed last.
struct Quarantine {
    freed: [Option<Freed>; MAX_QUARANTINED],
    /// Where the oldest is.
    first: usize,
    length: usize,
    bytes: usize,
}

static QUARANTINE: Mutex<Quarantine> = Mutex::new(Quarantine {
    freed: [None; MAX_QUARANTINED],
    first: 0,
    length: 0,
    bytes: 0,
});

/// No call into Python is made while this is locked.
fn lock() -> MutexGuard<'static, Quarantine> {
    QUARANTINE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Quarantine {
    fn pop(&mut self) -> Option<Freed> {
        let oldest = self.freed[self.first].take()?;
        self.first = (self.first + 1) % MAX_QUARANTINED;
        self.length -= 1;
        self.bytes -= oldest.bytes;
        Some(oldest)
    }

    /// Take the oldest out where another of that many bytes has no space beside it.
    fn pop_for(&mut self, bytes: usize) -> Option<Freed> {
        let is_full = self.length == MAX_QUARANTINED || self.bytes + bytes > MAX_QUARANTINED_BYTES;
        is_full.then(|| self.pop()).flatten()
    }

    fn push(&mut self, freed: Freed) {
        self.freed[(self.first + self.length) % MAX_QUARANTINED] = Some(freed);
        self.length += 1;
        self.bytes += freed.bytes;
    }
}

/// Keep memory that is freed here. Return false where its faults are Python's to report, or it is too large: then the caller frees it.
///
/// # Safety
/// The thread is attached, the debug hooks are on; the memory is live, was allocated with as many bytes as the allocation says, and
/// nobody uses it any more.
pub unsafe fn keep(pointer: *mut u8, allocation: Allocation, origin: Origin) -> bool {
    let bytes = allocation.bytes.max(MIN_PYTHON_BYTES);
    // Where C code has freed the memory, and got other memory at its address, the entry isn't this one's.
    // SAFETY: as the caller vouches.
    if bytes > MAX_QUARANTINED_BYTES || unsafe { recorded_bytes(pointer) } != bytes {
        return false;
    }
    // SAFETY: as the caller vouches.
    if !unsafe { is_intact(pointer, bytes) } {
        report_allocation(pointer, allocation);
        return false;
    }
    // SAFETY: as the caller vouches.
    unsafe { pointer.write_bytes(DEAD, bytes) };
    let freed = Freed {
        pointer,
        bytes,
        origin,
        allocated: allocation.stack,
        freed: current().stack,
    };
    loop {
        let mut quarantine = lock();
        let Some(oldest) = quarantine.pop_for(bytes) else {
            quarantine.push(freed);
            return true;
        };
        drop(quarantine);
        // SAFETY: attached, and taken out just now.
        unsafe { release(oldest) };
    }
}

/// End the process with a report if memory was freed before, and is still here.
pub fn check_freed_once(pointer: *mut u8) {
    let quarantine = lock();
    let known = quarantine.freed.iter().flatten().copied();
    let found = known
        .into_iter()
        .find(|freed| std::ptr::addr_eq(freed.pointer, pointer));
    drop(quarantine);
    if let Some(freed) = found {
        end(&freed, "is freed a second time");
    }
}

/// Free all that is kept, each after a look whether somebody has written to it.
///
/// # Safety
/// The thread is attached.
pub unsafe fn release_all() {
    loop {
        let Some(oldest) = lock().pop() else { return };
        // SAFETY: attached, and taken out just now.
        unsafe { release(oldest) };
    }
}

/// Free memory, after a look whether somebody has written to it since it was freed.
///
/// # Safety
/// The thread is attached, and the memory was taken out of the quarantine.
unsafe fn release(freed: Freed) {
    // SAFETY: live, of that many bytes, and nobody's.
    if !unsafe { all_are(freed.pointer, freed.bytes, DEAD) } {
        end(&freed, "was written to after it was freed");
    }
    // SAFETY: allocated as its origin says, attached.
    unsafe {
        match freed.origin {
            Origin::Raw => PyMem_Free(freed.pointer.cast()),
            Origin::Allocator(layout) => PyMemAllocator.dealloc(freed.pointer, layout),
        }
    }
}

/// Say where memory was allocated whose surroundings were written to. Python's own report, with the bytes, follows when it is freed.
fn report_allocation(pointer: *mut u8, allocation: Allocation) {
    let mut text = format!(
        "oneheap: memory at {pointer:p} ({} bytes) was written to before its beginning or behind its end.\n",
        allocation.bytes
    );
    show(&mut text, "Allocated", allocation.stack);
    show(&mut text, "Freed", current().stack);
    eprint!("{text}");
}

/// End the process as Python's debug hooks do. Python adds where the thread is.
fn end(freed: &Freed, what: &str) -> ! {
    let mut text = format!(
        "oneheap: memory at {:p} ({} bytes) {what}.\n",
        freed.pointer, freed.bytes
    );
    show(&mut text, "Allocated", freed.allocated);
    show(&mut text, "Freed", freed.freed);
    let text = CString::new(text.replace('\0', " ")).unwrap_or_default();
    // SAFETY: a C string; the thread is attached, so that Python can show its frames.
    unsafe { Py_FatalError(text.as_ptr()) }
}

/// Write the frames of a call stack as Python shows frames.
fn show(text: &mut String, what: &str, stack: Option<&CallStack>) {
    let Some(stack) = stack else {
        let _ = writeln!(text, "{what} where no call site was recorded");
        return;
    };
    let _ = writeln!(text, "{what} at (most recent call first):");
    for [file, function, line] in stack.lines() {
        let _ = writeln!(text, "  File \"{file}\", line {line} in {function}");
    }
}
