//! The state of Python in this process.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::NonNull;
use std::sync::OnceLock;

use oneheap::{AttachState, PyMemAllocator, python_symbol};
use pyo3_ffi::{Py_GetVersion, Py_IsInitialized};

/// Return whether Python runs: it is started, and neither ending nor ended.
pub fn is_running() -> bool {
    is_started() && PyMemAllocator::attach_state() != AttachState::Finalised
}

/// Return whether a Python has started and isn't ending. It may be a second one, after the end of the one whose memory this is.
pub fn is_started() -> bool {
    // SAFETY: callable at any time, on any thread.
    let initialized = unsafe { Py_IsInitialized() } != 0;
    initialized && !is_finalizing()
}

fn is_finalizing() -> bool {
    type IsFinalizing = unsafe extern "C" fn() -> c_int;
    static FUNCTION: OnceLock<Option<IsFinalizing>> = OnceLock::new();
    let function = FUNCTION.get_or_init(|| {
        let address =
            python_symbol(c"Py_IsFinalizing").or_else(|| python_symbol(c"_Py_IsFinalizing"))?;
        // SAFETY: both functions have this signature.
        Some(unsafe { std::mem::transmute::<NonNull<c_void>, IsFinalizing>(address) })
    });
    // SAFETY: callable at any time, on any thread.
    function.is_some_and(|function| unsafe { function() } != 0)
}

/// Return whether this is a build of Python without a GIL.
pub fn is_free_threaded() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        // SAFETY: a static string.
        let version = unsafe { CStr::from_ptr(Py_GetVersion()) };
        version.to_string_lossy().contains("free-threading")
    })
}
