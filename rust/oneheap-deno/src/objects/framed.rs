//! The functions of `operations.py`, by which objects are used within a frame of Python's.

use std::ffi::CStr;
use std::ptr::null_mut;

use pyo3_ffi::{
    PyDict_GetItemString, PyErr_Clear, PyEval_GetFrame, PyObject, PyObject_CallFunctionObjArgs,
};

use crate::boundary::status::Status;
use crate::runtime::once_box::OnceBox;
use crate::runtime::own_code;
use crate::values::failure::{Failure, owned};
use crate::values::handle::Bound;

const SOURCE: &CStr =
    match CStr::from_bytes_with_nul(concat!(include_str!("operations.py"), "\0").as_bytes()) {
        Ok(source) => source,
        Err(_) => panic!("operations.py has a NUL"),
    };

/// References that are kept for the lifetime of the process, named as in `operations.py`.
pub struct Framed {
    pub call: *mut PyObject,
    pub call_method: *mut PyObject,
    pub get_attribute: *mut PyObject,
    pub set_attribute: *mut PyObject,
    pub delete_attribute: *mut PyObject,
    pub has_attribute: *mut PyObject,
    pub get_item: *mut PyObject,
    pub set_item: *mut PyObject,
    pub delete_item: *mut PyObject,
    pub contains: *mut PyObject,
    pub length: *mut PyObject,
    pub equals: *mut PyObject,
    pub iterate: *mut PyObject,
    pub next_element: *mut PyObject,
    pub string: *mut PyObject,
    pub end: *mut PyObject,
}

// SAFETY: the objects are never freed, and only attached threads do something with them.
unsafe impl Sync for Framed {}

static FRAMED: OnceBox<Framed> = OnceBox::new();

/// The functions. The first call runs the file.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn framed() -> Result<&'static Framed, Status> {
    FRAMED.get_or_try_init(|| {
        // SAFETY: attached; each result is checked, and what is kept is never freed.
        unsafe {
            let load = || {
                let globals = Bound::from_owned(own_code::execute(SOURCE))?;
                let function = |name: &CStr| {
                    Bound::from_borrowed(PyDict_GetItemString(globals.as_ptr(), name.as_ptr()))
                };
                Some(Framed {
                    call: function(c"call")?.into_ptr(),
                    call_method: function(c"call_method")?.into_ptr(),
                    get_attribute: function(c"get_attribute")?.into_ptr(),
                    set_attribute: function(c"set_attribute")?.into_ptr(),
                    delete_attribute: function(c"delete_attribute")?.into_ptr(),
                    has_attribute: function(c"has_attribute")?.into_ptr(),
                    get_item: function(c"get_item")?.into_ptr(),
                    set_item: function(c"set_item")?.into_ptr(),
                    delete_item: function(c"delete_item")?.into_ptr(),
                    contains: function(c"contains")?.into_ptr(),
                    length: function(c"length")?.into_ptr(),
                    equals: function(c"equals")?.into_ptr(),
                    iterate: function(c"iterate")?.into_ptr(),
                    next_element: function(c"next_element")?.into_ptr(),
                    string: function(c"string")?.into_ptr(),
                    end: function(c"END")?.into_ptr(),
                })
            };
            load().ok_or_else(|| {
                PyErr_Clear();
                Status::OutOfMemory
            })
        }
    })
}

/// Return whether Python code of this thread's is running, so that what is called finds who calls it.
///
/// # Safety
/// The thread is attached.
pub unsafe fn has_frame() -> bool {
    // SAFETY: as the caller vouches; the frame is only looked for.
    unsafe { !PyEval_GetFrame().is_null() }
}

/// Call a function with up to three objects.
///
/// # Safety
/// The thread is attached, no exception is set, and the objects are live.
pub unsafe fn apply(
    function: *mut PyObject,
    arguments: &[*mut PyObject],
) -> Result<Bound, Failure> {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(null_mut());
    // SAFETY: as the caller vouches. A null ends the arguments.
    unsafe {
        owned(PyObject_CallFunctionObjArgs(
            function,
            argument(0),
            argument(1),
            argument(2),
            null_mut::<PyObject>(),
        ))
    }
}
