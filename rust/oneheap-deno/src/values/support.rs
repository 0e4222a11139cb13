//! The functions of `support.py`, and the few names that Rust looks up over and over.

use std::ffi::{CStr, c_int, c_void};

use pyo3_ffi::{
    PyDict_GetItemString, PyErr_Clear, PyEval_GetBuiltins, PyObject, PyType_GetSlot,
    PyUnicode_InternFromString,
};

use crate::boundary::status::Status;
use crate::runtime::once_box::OnceBox;
use crate::runtime::own_code;
use crate::values::handle::Bound;

/// `Py_bf_getbuffer` of Python's `typeslots.h`; the binding's own constant depends on the version that it is built for.
pub const BF_GETBUFFER: c_int = 1;

/// Python's share of this library.
const SOURCE: &CStr =
    match CStr::from_bytes_with_nul(concat!(include_str!("support.py"), "\0").as_bytes()) {
        Ok(source) => source,
        Err(_) => panic!("support.py has a NUL"),
    };

/// Python's share of the conversions.
const CONVERSIONS_SOURCE: &CStr =
    match CStr::from_bytes_with_nul(concat!(include_str!("conversions.py"), "\0").as_bytes()) {
        Ok(source) => source,
        Err(_) => panic!("conversions.py has a NUL"),
    };

/// The functions of `conversions.py`, references that are kept for the lifetime of the process.
pub struct Conversions {
    /// `make(kind, value)`
    pub make: *mut PyObject,
    /// `lower(value, is_temporal)`
    pub lower: *mut PyObject,
    /// `compare(one, other)`
    pub compare: *mut PyObject,
    /// `type_of(value)`
    pub type_of: *mut PyObject,
    /// `is_instance(value, kind)`
    pub is_instance: *mut PyObject,
    /// `enter(manager)`
    pub enter: *mut PyObject,
    /// `leave(manager, message)`
    pub leave: *mut PyObject,
}

// SAFETY: the objects are never freed, and only attached threads do something with them.
unsafe impl Sync for Conversions {}

static CONVERSIONS: OnceBox<Conversions> = OnceBox::new();

/// The functions of `conversions.py`. The first call imports them.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn conversions() -> Result<&'static Conversions, Status> {
    CONVERSIONS.get_or_try_init(|| {
        // SAFETY: attached; each result is checked, and what is kept is never freed.
        unsafe {
            let load = || {
                let globals = Bound::from_owned(own_code::execute(CONVERSIONS_SOURCE))?;
                let function = |name: &CStr| {
                    Bound::from_borrowed(PyDict_GetItemString(globals.as_ptr(), name.as_ptr()))
                };
                Some(Conversions {
                    make: function(c"make")?.into_ptr(),
                    lower: function(c"lower")?.into_ptr(),
                    compare: function(c"compare")?.into_ptr(),
                    type_of: function(c"type_of")?.into_ptr(),
                    is_instance: function(c"is_instance")?.into_ptr(),
                    enter: function(c"enter")?.into_ptr(),
                    leave: function(c"leave")?.into_ptr(),
                })
            };
            load().ok_or_else(|| {
                PyErr_Clear();
                Status::OutOfMemory
            })
        }
    })
}

/// References that are kept for the lifetime of the process.
pub struct Support {
    /// `compile_source(source, mode, name)`
    pub compile: *mut PyObject,
    /// `has_module(name)`
    pub has_module: *mut PyObject,
    /// `set_file(variables, code)`
    pub set_file: *mut PyObject,
    /// `describe_exception(exception)`
    pub describe_exception: *mut PyObject,
    /// `bit_length(integer)`
    pub bit_length: *mut PyObject,
    /// The function by which types with a `__buffer__` that is written in Python export buffers; null before 3.12.
    pub python_get_buffer: *mut c_void,
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

// SAFETY: the objects are never freed, and only attached threads do something with them.
unsafe impl Sync for Support {}

static SUPPORT: OnceBox<Support> = OnceBox::new();

/// The functions of `support.py`. The first call imports them.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn support() -> Result<&'static Support, Status> {
    SUPPORT.get_or_try_init(|| {
        // SAFETY: as the caller vouches.
        unsafe { load() }.ok_or_else(|| {
            // SAFETY: attached.
            unsafe { PyErr_Clear() };
            Status::OutOfMemory
        })
    })
}

/// Run `support.py`.
///
/// # Safety
/// As for [`support`].
unsafe fn load() -> Option<Support> {
    // SAFETY: attached; each result is checked before it is passed on, and each reference is kept or decref'ed once.
    unsafe {
        let globals = Bound::from_owned(own_code::execute(SOURCE))?;
        let function = |name: &CStr| {
            Bound::from_borrowed(PyDict_GetItemString(globals.as_ptr(), name.as_ptr()))
        };
        let name = |name: &CStr| Bound::from_owned(PyUnicode_InternFromString(name.as_ptr()));
        Some(Support {
            compile: function(c"compile_source")?.into_ptr(),
            has_module: function(c"has_module")?.into_ptr(),
            set_file: function(c"set_file")?.into_ptr(),
            describe_exception: function(c"describe_exception")?.into_ptr(),
            bit_length: function(c"bit_length")?.into_ptr(),
            python_get_buffer: PyType_GetSlot(function(c"Buffer")?.as_ptr().cast(), BF_GETBUFFER),
            builtins: Bound::from_borrowed(PyEval_GetBuiltins())?.into_ptr(),
            builtins_name: name(c"__builtins__")?.into_ptr(),
            name_name: name(c"__name__")?.into_ptr(),
            main: name(c"__main__")?.into_ptr(),
            numpy: name(c"numpy")?.into_ptr(),
        })
    }
}
