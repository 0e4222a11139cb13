//! The functions of `support.py`, and the few names that Rust looks up over and over.

use std::ffi::CStr;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3_ffi::{
    Py_CompileString, Py_file_input, PyDict_GetItemString, PyDict_New, PyDict_SetItemString,
    PyErr_Clear, PyEval_EvalCode, PyEval_GetBuiltins, PyObject, PyUnicode_InternFromString,
};

use crate::code::Code;
use crate::objects::object::Object;

/// Python's share of this library.
const SOURCE: &CStr =
    match CStr::from_bytes_with_nul(concat!(include_str!("support.py"), "\0").as_bytes()) {
        Ok(source) => source,
        Err(_) => panic!("support.py has a NUL"),
    };

/// References that are kept for the life of the process.
pub struct Support {
    /// `compile_source(source, mode)`
    pub compile: *mut PyObject,
    /// `describe(exception)`
    pub describe: *mut PyObject,
    /// `bit_length(integer)`
    pub bit_length: *mut PyObject,
    /// `collect_young()`
    pub collect_young: *mut PyObject,
    /// The module `builtins`, or its dictionary.
    pub builtins: *mut PyObject,
    /// `"__builtins__"`
    pub builtins_name: *mut PyObject,
    /// `"__name__"`
    pub name_name: *mut PyObject,
    /// `"__main__"`
    pub main: *mut PyObject,
    /// `"numpy"`
    pub numpy: *mut PyObject,
}

static SUPPORT: AtomicPtr<Support> = AtomicPtr::new(null_mut());

/// The functions of `support.py`. The first call imports them; no lock is held meanwhile, so two threads may do it at once,
/// and one of them for nothing.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn support() -> Result<&'static Support, Code> {
    // SAFETY: published by the release below, and never freed.
    if let Some(support) = unsafe { SUPPORT.load(Ordering::Acquire).as_ref() } {
        return Ok(support);
    }
    // SAFETY: as the caller vouches.
    let Some(made) = (unsafe { load() }) else {
        // SAFETY: attached.
        unsafe { PyErr_Clear() };
        return Err(Code::OutOfMemory);
    };
    let made = Box::into_raw(Box::new(made));
    let published = SUPPORT.compare_exchange(null_mut(), made, Ordering::AcqRel, Ordering::Acquire);
    // One that came too late is leaked: a handful of references, at most once for each thread that was there.
    // SAFETY: both are never freed.
    Ok(unsafe { &*published.err().unwrap_or(made) })
}

/// Runs `support.py`.
///
/// # Safety
/// As for [`support`].
unsafe fn load() -> Option<Support> {
    // SAFETY: attached; each result is checked before it is passed on, and each reference is kept or let go once.
    unsafe {
        let globals = Object::owned(PyDict_New())?;
        let builtins = PyEval_GetBuiltins();
        PyDict_SetItemString(globals.as_ptr(), c"__builtins__".as_ptr(), builtins);
        let compiled = Object::owned(Py_CompileString(
            SOURCE.as_ptr(),
            c"<oneheap>".as_ptr(),
            Py_file_input,
        ))?;
        Object::owned(PyEval_EvalCode(
            compiled.as_ptr(),
            globals.as_ptr(),
            globals.as_ptr(),
        ))?;
        let function =
            |name: &CStr| Object::borrowed(PyDict_GetItemString(globals.as_ptr(), name.as_ptr()));
        let name = |name: &CStr| Object::owned(PyUnicode_InternFromString(name.as_ptr()));
        Some(Support {
            compile: function(c"compile_source")?.into_ptr(),
            describe: function(c"describe")?.into_ptr(),
            bit_length: function(c"bit_length")?.into_ptr(),
            collect_young: function(c"collect_young")?.into_ptr(),
            builtins: Object::borrowed(builtins)?.into_ptr(),
            builtins_name: name(c"__builtins__")?.into_ptr(),
            name_name: name(c"__name__")?.into_ptr(),
            main: name(c"__main__")?.into_ptr(),
            numpy: name(c"numpy")?.into_ptr(),
        })
    }
}
