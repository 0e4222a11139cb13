//! Whether Python's debug hooks are on (`PYTHONMALLOC=debug`, `python -X dev`).

use std::ffi::{CStr, c_char, c_void};
use std::mem::transmute;
use std::ptr::NonNull;
use std::sync::Once;

use oneheap::python_symbol;
use pyo3_ffi::{PyMem_Free, PyMem_Malloc};

use crate::memory::tracking::debug_bytes::{CLEAN, all_are};
use crate::memory::tracking::flags::set_debug_hooks;
use crate::memory::tracking::quarantine;
use crate::runtime::attach::AttachGuard;
use crate::runtime::shutdown;

/// Find out once per process whether the hooks are on.
pub fn detect() {
    static DETECTED: Once = Once::new();
    DETECTED.call_once(|| {
        if let Ok(_attached) = AttachGuard::enter()
            // SAFETY: attached.
            && unsafe { are_on() }
        {
            set_debug_hooks();
            shutdown::set_last_work(quarantine::release_all);
        }
    });
}

/// Return whether the hooks are on: by the allocator's name, or, where another hook is in front of them (`tracemalloc` is one) and it has
/// none, by what they do.
///
/// # Safety
/// The thread is attached.
unsafe fn are_on() -> bool {
    type Name = unsafe extern "C" fn() -> *const c_char;
    let Some(function) = python_symbol(c"_PyMem_GetCurrentAllocatorName") else {
        return false;
    };
    // SAFETY: CPython's function of this name has this type, and returns a static string or null.
    let name = unsafe { transmute::<NonNull<c_void>, Name>(function)() };
    if name.is_null() {
        // SAFETY: as the caller vouches.
        return unsafe { fills_new_memory() };
    }
    // SAFETY: a static string.
    unsafe { CStr::from_ptr(name) }
        .to_bytes()
        .ends_with(b"_debug")
}

/// Return whether memory that was zero before it was freed is filled when it is new.
///
/// # Safety
/// The thread is attached.
unsafe fn fills_new_memory() -> bool {
    const BYTES: usize = 64;
    // SAFETY: attached; what is allocated is used within its size, and freed once. The bytes are whatever another language left there.
    unsafe {
        let used = PyMem_Malloc(BYTES).cast::<u8>();
        if used.is_null() {
            return false;
        }
        used.write_bytes(0, BYTES);
        PyMem_Free(used.cast());
        let new = PyMem_Malloc(BYTES).cast::<u8>();
        let is_filled = !new.is_null() && all_are(new, BYTES, CLEAN);
        PyMem_Free(new.cast());
        is_filled
    }
}
