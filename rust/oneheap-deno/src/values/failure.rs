//! Why something in Python failed: an exception as JavaScript gets it, or a status of this library.

use std::ptr::null_mut;

use pyo3_ffi::{
    Py_None, PyErr_Clear, PyErr_Fetch, PyErr_NormalizeException, PyException_SetTraceback,
    PyObject, PyObject_CallFunctionObjArgs, PyObject_SetAttrString, PyTuple_GetItem,
    PyType_GetName,
};

use crate::boundary::status::Status;
use crate::values::bytes::utf8;
use crate::values::handle::{Bound, Py};
use crate::values::support::support;

/// What a Python exception becomes: a `PythonError` in TypeScript. Most errors are caught and never shown, so what isn't here is found out
/// when it is asked.
pub struct Exception {
    /// The name of its type, with its module unless that is `builtins`, `__main__` or a scope without a name.
    pub kind: String,
    /// `str()` of it.
    pub message: String,
    /// A `HeldException` of `support.py`, which keeps the exception and the frames of its traceback; none if it couldn't be made.
    pub held: Option<Py>,
}

/// Why a value has no counterpart in the other language. `ffi/boundary/status.ts` has the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum ConversionReason {
    /// Values of its type have none.
    Type = 0,
    /// It contains itself.
    Cycle = 1,
    /// It is nested deeper than is allowed.
    Depth = 2,
    /// A key isn't possible there, or is there already.
    Key = 3,
    /// It is beyond what the other language has.
    Range = 4,
    /// It changed while it was read.
    Changed = 5,
}

/// A value that has no counterpart in the other language: a `ConversionError` in TypeScript.
pub struct Conversion {
    pub reason: ConversionReason,
    /// Where in the value it is, from `$` on.
    pub path: String,
    /// What was there, and what to do.
    pub message: String,
}

/// Why there is no result.
pub enum Failure {
    /// A value has no counterpart.
    Conversion(Box<Conversion>),
    /// Python code raised.
    Raised(Exception),
    /// Python code did not run.
    Status(Status),
    /// So many bytes could not be allocated.
    OutOfMemory(usize),
}

impl From<Status> for Failure {
    fn from(code: Status) -> Self {
        Self::Status(code)
    }
}

/// A new object; null is an exception.
///
/// # Safety
/// The thread is attached, and the caller owns the reference.
pub unsafe fn owned(object: *mut PyObject) -> Result<Bound, Failure> {
    // SAFETY: as the caller vouches.
    unsafe { Bound::from_owned(object).ok_or_else(|| Failure::fetch()) }
}

impl Failure {
    /// Have a fresh scope be freed when the exception is released that has ended its run.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    pub unsafe fn set_scope(&self, scope: Bound) {
        if let Self::Raised(Exception {
            held: Some(held), ..
        }) = self
        {
            // SAFETY: as the caller vouches; both are live. What fails leaves the scope to Python's collector.
            unsafe {
                PyObject_SetAttrString(held.as_ptr(), c"scope".as_ptr(), scope.as_ptr());
                PyErr_Clear();
            }
        }
    }

    /// Take the exception that is set. `SystemExit` is one like any other: nothing ends the process.
    ///
    /// # Safety
    /// The thread is attached.
    pub unsafe fn fetch() -> Self {
        let (mut kind, mut value, mut traceback) = (null_mut(), null_mut(), null_mut());
        // SAFETY: attached. The stable ABI of 3.11 has no newer call; the three are owned, or null.
        let exception = unsafe {
            PyErr_Fetch(&mut kind, &mut value, &mut traceback);
            PyErr_NormalizeException(&mut kind, &mut value, &mut traceback);
            let (kind, value) = (Bound::from_owned(kind), Bound::from_owned(value));
            let traceback = Bound::from_owned(traceback);
            if let (Some(value), Some(traceback)) = (&value, &traceback) {
                PyException_SetTraceback(value.as_ptr(), traceback.as_ptr());
            }
            describe_exception(value.as_ref()).or_else(|| name_only(kind.as_ref()))
        };
        // SAFETY: attached. What went wrong while it was described is of no interest.
        unsafe { PyErr_Clear() };
        exception.map_or(Self::Status(Status::OutOfMemory), Self::Raised)
    }
}

/// Describes an exception by `support.py`.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn describe_exception(exception: Option<&Bound>) -> Option<Exception> {
    // SAFETY: attached; arguments are live, and results are owned.
    unsafe {
        let described = Bound::from_owned(PyObject_CallFunctionObjArgs(
            support().ok()?.describe_exception,
            exception?.as_ptr(),
            null_mut::<PyObject>(),
        ))?;
        let part = |index| PyTuple_GetItem(described.as_ptr(), index);
        let held = part(2);
        Some(Exception {
            kind: utf8(part(0))?,
            message: utf8(part(1))?,
            held: (held != Py_None())
                .then(|| Bound::from_borrowed(held).map(Py::from))
                .flatten(),
        })
    }
}

/// What is left to say where even describing fails, for want of memory or of stack.
///
/// # Safety
/// The thread is attached.
unsafe fn name_only(kind: Option<&Bound>) -> Option<Exception> {
    // SAFETY: attached; the object is the type of an exception.
    unsafe {
        PyErr_Clear();
        let name = Bound::from_owned(PyType_GetName(kind?.as_ptr().cast()))?;
        Some(Exception {
            kind: utf8(name.as_ptr())?,
            message: String::new(),
            held: None,
        })
    }
}
