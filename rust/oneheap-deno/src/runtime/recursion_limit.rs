//! Room on the stack for Python code.
//!
//! Python code recurses on the stack of its thread. Up to 3.13, Python counts how deep it is, and its limit suits a stack of 8
//! MiB; on a smaller one (a Worker's has 4 MiB) sorting with keys that sort again crashes the process before the limit comes. So
//! a thread with less gets a count as if it were rather deep already. From 3.14 on, Python looks how much of the stack is left.

use std::ffi::c_ulong;

use oneheap::python_symbol;
use pyo3_ffi::{Py_EnterRecursiveCall, Py_LeaveRecursiveCall, PyErr_Clear};

use crate::limits::{
    JAVASCRIPT_STACK_BYTES, MIN_FULL_STACK_BYTES, MIN_RECURSION_LEVELS, RECURSION_LEVEL_BYTES,
};
use crate::runtime::platform;

/// `Py_Version` of the first Python that looks at the stack itself.
const LOOKS_ITSELF: c_ulong = 0x030E_0000;

/// Leave a new thread state so many levels of recursion as the thread's stack has space for, for as long as it lives. Python
/// counts levels for each thread state; there is no call that sets how many are left, so all are taken and some given back.
///
/// # Safety
/// The thread is attached with a state that is its own from now on, and no exception is set.
pub unsafe fn limit_recursion() {
    let stack_bytes = platform::stack_bytes();
    if stack_bytes >= MIN_FULL_STACK_BYTES || looks_itself() {
        return;
    }
    let available = stack_bytes.saturating_sub(JAVASCRIPT_STACK_BYTES);
    let levels = (available / RECURSION_LEVEL_BYTES).max(MIN_RECURSION_LEVELS);
    // SAFETY: attached; the call that finds no level left sets an exception and takes none.
    unsafe {
        let mut taken = 0;
        while Py_EnterRecursiveCall(c"".as_ptr()) == 0 {
            taken += 1;
        }
        PyErr_Clear();
        for _ in 0..levels.min(taken) {
            Py_LeaveRecursiveCall();
        }
    }
}

/// Return whether this Python sees by itself that a stack comes to its end.
fn looks_itself() -> bool {
    // SAFETY: a constant `unsigned long` of the stable ABI, from 3.11 on.
    python_symbol(c"Py_Version")
        .is_none_or(|version| unsafe { *version.cast::<c_ulong>().as_ref() } >= LOOKS_ITSELF)
}
