//! Exceptions that one thread sets for another, which raises them at its next opportunity (`PyThreadState_SetAsyncExc`).
//!
//! One that comes too late has to be discarded. Setting null in its place is no way: on 3.11 and 3.12 the flag by which the
//! interpreter looks for such an exception then stays set for good, where only raising one clears it. With it, loops are 1.2 times
//! slower, and on 3.11 every thread that traces or profiles hangs. So the exception is raised in code of this library's own.

use std::ffi::{c_long, c_void};
use std::ptr::NonNull;
use std::sync::OnceLock;

use oneheap::python_symbol;
use pyo3_ffi::{
    Py_CompileString, Py_file_input, PyDict_New, PyDict_SetItemString, PyErr_Clear,
    PyEval_EvalCode, PyEval_GetBuiltins, PyObject, PyThreadState, PyThreadState_Get,
    PyThreadState_SetAsyncExc,
};

use crate::limits::MAX_INTERRUPT_ATTEMPTS;
use crate::runtime::once_box::OnceBox;
use crate::values::handle::Bound;

/// Set the exception that a thread is to raise. `thread` is Python's number of it.
///
/// # Safety
/// The calling thread is attached.
pub unsafe fn set(thread: u64, exception: *mut PyObject) {
    // SAFETY: as the caller vouches; a thread that is gone is not found.
    unsafe { PyThreadState_SetAsyncExc(thread as c_long, exception) };
}

/// Discard the exception that is set for the calling thread and wasn't raised so far, if there is one.
///
/// # Safety
/// The thread is attached, it runs no Python code, and no exception is being handled.
pub unsafe fn discard() {
    // SAFETY: as the caller vouches.
    unsafe {
        let _untraced = Untraced::begin();
        let Ok(code) = CODE.get_or_try_init(compile) else {
            return PyErr_Clear();
        };
        for _ in 0..MAX_INTERRUPT_ATTEMPTS {
            if Bound::from_owned(PyEval_EvalCode(code.code, code.globals, code.globals)).is_some() {
                return;
            }
            PyErr_Clear();
        }
    }
}

/// CompiledCode that does nothing, but look for an exception when it begins.
struct CompiledCode {
    code: *mut PyObject,
    globals: *mut PyObject,
}

// SAFETY: the objects are never freed, and only attached threads do something with them.
unsafe impl Sync for CompiledCode {}

static CODE: OnceBox<CompiledCode> = OnceBox::new();

/// Compile the code; what there is instead is an exception that is set.
fn compile() -> Result<CompiledCode, ()> {
    // SAFETY: called by `discard`, which is attached; each result is checked before it is passed on.
    let compiled = unsafe {
        let make = || {
            let globals = Bound::from_owned(PyDict_New())?;
            let builtins = PyEval_GetBuiltins();
            if PyDict_SetItemString(globals.as_ptr(), c"__builtins__".as_ptr(), builtins) != 0 {
                return None;
            }
            let (source, name) = (c"pass".as_ptr(), c"<oneheap>".as_ptr());
            let code = Bound::from_owned(Py_CompileString(source, name, Py_file_input))?;
            Some((code, globals))
        };
        make()
    };
    let (code, globals) = compiled.ok_or(())?;
    Ok(CompiledCode {
        code: code.into_ptr(),
        globals: globals.into_ptr(),
    })
}

/// Python's functions that pause tracing, profiling and monitoring of a thread. The stable ABI lacks them.
#[derive(Clone, Copy)]
struct Tracing {
    pause: unsafe extern "C" fn(*mut PyThreadState),
    resume: unsafe extern "C" fn(*mut PyThreadState),
}

impl Tracing {
    fn functions() -> Option<Self> {
        static FUNCTIONS: OnceLock<Option<Tracing>> = OnceLock::new();
        type Function = unsafe extern "C" fn(*mut PyThreadState);
        // SAFETY: both functions have this signature, from 3.11 on.
        let function = |address: NonNull<c_void>| unsafe {
            std::mem::transmute::<NonNull<c_void>, Function>(address)
        };
        *FUNCTIONS.get_or_init(|| {
            Some(Self {
                pause: function(python_symbol(c"PyThreadState_EnterTracing")?),
                resume: function(python_symbol(c"PyThreadState_LeaveTracing")?),
            })
        })
    }
}

/// While this lives, the thread isn't traced: a tracer would see code that isn't the program's, and a `sys.settrace` function
/// that raises the exception would be removed.
struct Untraced(Option<(Tracing, *mut PyThreadState)>);

impl Untraced {
    /// # Safety
    /// The thread is attached until the result is dropped.
    unsafe fn begin() -> Self {
        Self(Tracing::functions().map(|tracing| {
            // SAFETY: as the caller vouches; the state is the thread's own.
            let state = unsafe { PyThreadState_Get() };
            // SAFETY: as above.
            unsafe { (tracing.pause)(state) };
            (tracing, state)
        }))
    }
}

impl Drop for Untraced {
    fn drop(&mut self) {
        if let Some((tracing, state)) = self.0 {
            // SAFETY: the pair of the call in `begin`, on the same thread, which is still attached.
            unsafe { (tracing.resume)(state) };
        }
    }
}
