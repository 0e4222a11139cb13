//! A hook in front of Python's `PyMem` domain that checks who calls it.
//!
//! `PYTHONMALLOC=debug` checks that the GIL is held, but no longer once a subinterpreter exists. The hook knows from the
//! threads themselves what they may do, and so depends on nothing that the allocator under test asks.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::hook::{self, Allocator, original, wrong};
use crate::python;

/// What a thread may do, by its own account.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Python itself is at work.
    Anything,
    /// The thread is attached to the main interpreter.
    Calls,
    /// The thread is detached, or attached to a subinterpreter.
    NoCalls,
}

thread_local! {
    static EXPECTED: Cell<Expected> = const { Cell::new(Expected::Anything) };
}

/// Say what the calling thread may do from now on.
pub fn expect(expected: Expected) {
    EXPECTED.set(expected);
}

static ONE_AT_A_TIME: AtomicBool = AtomicBool::new(false);
static IS_INSIDE: AtomicBool = AtomicBool::new(false);
static CHECKED: AtomicU64 = AtomicU64::new(0);

/// Put the hook in front of `PyMem`'s allocator, for the rest of the process's lifetime.
///
/// # Safety
/// The calling thread is attached, and no other thread is at work yet.
pub unsafe fn install() {
    ONE_AT_A_TIME.store(!python::is_free_threaded(), Ordering::Relaxed);
    let hook = Allocator {
        context: null_mut(),
        malloc,
        calloc,
        realloc,
        free,
    };
    // SAFETY: as the caller vouches; this library is never closed.
    unsafe { hook::install(hook) };
}

/// Return how many calls were checked.
pub fn checked() -> u64 {
    CHECKED.load(Ordering::Relaxed)
}

/// Run a call of Python's own allocator, and end the process if the calling thread should not have made it.
fn guarded<R>(call: impl FnOnce() -> R) -> R {
    match EXPECTED.get() {
        Expected::Anything => call(),
        Expected::NoCalls => {
            wrong("PyMem was called on a thread that is not attached to the main interpreter")
        }
        Expected::Calls => {
            CHECKED.fetch_add(1, Ordering::Relaxed);
            if !ONE_AT_A_TIME.load(Ordering::Relaxed) {
                return call();
            }
            if IS_INSIDE.swap(true, Ordering::Acquire) {
                wrong("two threads were in PyMem at once");
            }
            let result = call();
            IS_INSIDE.store(false, Ordering::Release);
            result
        }
    }
}

unsafe extern "C" fn malloc(context: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: Python hands the context and what its caller passed.
    guarded(|| unsafe {
        let original = original(context);
        (original.malloc)(original.context, size)
    })
}

unsafe extern "C" fn calloc(context: *mut c_void, count: usize, size: usize) -> *mut c_void {
    // SAFETY: as in `malloc`.
    guarded(|| unsafe {
        let original = original(context);
        (original.calloc)(original.context, count, size)
    })
}

unsafe extern "C" fn realloc(context: *mut c_void, block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: as in `malloc`.
    guarded(|| unsafe {
        let original = original(context);
        (original.realloc)(original.context, block, size)
    })
}

unsafe extern "C" fn free(context: *mut c_void, block: *mut c_void) {
    // SAFETY: as in `malloc`.
    guarded(|| unsafe {
        let original = original(context);
        (original.free)(original.context, block)
    })
}
