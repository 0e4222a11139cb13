//! Room on the stack for Python code.
//!
//! Python code recurses on the stack of its thread. Up to 3.13, Python counts how deep it is, and its limit suits a stack of 8
//! MiB; on a smaller one (a Worker's has 4 MiB) sorting with keys that sort again crashes the process before the limit comes. So
//! a thread with less is told that it is rather deep already. From 3.14 on, Python looks how much of the stack is left.

use std::ffi::c_ulong;

use oneheap::python_symbol;
use pyo3_ffi::{Py_EnterRecursiveCall, Py_LeaveRecursiveCall, PyErr_Clear};

use crate::runtime::platform;

/// The stack of threads that this library makes to run Python code. Up to Python's limit of recursion, most code needs 5 MiB at
/// most, and the hungriest that was found (`select.select` that calls itself by a `fileno`) 48; what isn't used costs nothing.
pub const STACK_BYTES: usize = 64 * 1024 * 1024;

/// On a stack of this size Python's own limit does. A process's first thread usually has 8 MiB.
const ENOUGH_BYTES: usize = 7 * 1024 * 1024;

/// What JavaScript may have used of the stack when it calls: V8's own limit is 1 MiB.
const JAVASCRIPT_BYTES: usize = 1200 * 1024;

/// What one level of recursion needs, measured on 3.11 to 3.13: at most 5.2 KiB (`list.sort` with a key that sorts again).
const LEVEL_BYTES: usize = 5400;

/// Even on the smallest stack, code needs so many.
const MIN_LEVELS: usize = 50;

/// `Py_Version` of the first Python that looks at the stack itself.
const LOOKS_ITSELF: c_ulong = 0x030E_0000;

/// Leaves a new thread state so many levels of recursion as the thread's stack has room for, for as long as it lives. Python
/// counts levels for each thread state; there is no call that sets how many are left, so all are taken and some given back.
///
/// # Safety
/// The thread is attached with a state that is its own from now on, and no exception is set.
pub unsafe fn limit_recursion() {
    let stack_bytes = platform::stack_bytes();
    if stack_bytes >= ENOUGH_BYTES || looks_itself() {
        return;
    }
    let room = stack_bytes.saturating_sub(JAVASCRIPT_BYTES);
    let levels = (room / LEVEL_BYTES).max(MIN_LEVELS);
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

/// Whether this Python sees by itself that a stack comes to its end.
fn looks_itself() -> bool {
    // SAFETY: a constant `unsigned long` of the stable ABI, from 3.11 on.
    python_symbol(c"Py_Version")
        .is_none_or(|version| unsafe { *version.cast::<c_ulong>().as_ref() } >= LOOKS_ITSELF)
}
