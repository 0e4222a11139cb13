//! Running Python code that is part of this library.

use std::ffi::CStr;

use pyo3_ffi::{
    Py_CompileString, Py_DecRef, Py_file_input, PyDict_New, PyDict_SetItemString, PyErr_Clear,
    PyEval_EvalCode, PyEval_GetBuiltins, PyObject,
};

/// Run Python code for its effects; an exception of it is cleared.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn run(code: &CStr) {
    // SAFETY: attached; what the code left goes with its globals. A decref of null does nothing.
    unsafe {
        Py_DecRef(execute(code));
        PyErr_Clear();
    }
}

/// Run Python code, and return a new reference to its globals, a dictionary; null, with an exception set, if it raised.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn execute(code: &CStr) -> *mut PyObject {
    // SAFETY: attached; each result is checked before it is passed on, and decref'ed once. A decref of null does nothing.
    unsafe {
        let globals = PyDict_New();
        if globals.is_null() {
            return globals;
        }
        PyDict_SetItemString(globals, c"__builtins__".as_ptr(), PyEval_GetBuiltins());
        let compiled = Py_CompileString(code.as_ptr(), c"<oneheap>".as_ptr(), Py_file_input);
        let result = if compiled.is_null() {
            compiled
        } else {
            PyEval_EvalCode(compiled, globals, globals)
        };
        Py_DecRef(compiled);
        if result.is_null() {
            Py_DecRef(globals);
            return result;
        }
        Py_DecRef(result);
        globals
    }
}
