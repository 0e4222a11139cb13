//! `PyObjectRef`: references of JavaScript to Python objects, and what is done by them.

use std::ptr::null_mut;
use std::sync::Arc;

use pyo3_ffi::{PyObject_Call, PyObject_Str, PyTuple_New, PyTuple_SetItem};

use crate::memory::external_memory::ExternalMemory;
use crate::memory::stats::Counted;
use crate::objects::framed::{apply, framed, has_frame};
use crate::values::failure::{Failure, owned};
use crate::values::fallible;
use crate::values::handle::{Bound, Py};
use crate::values::text::Text;
use crate::values::value::{FromPython, IntoPython};

/// A reference of JavaScript to a Python object: what the buffer of a `PyObjectRef` refers to.
pub struct Reference {
    /// None once JavaScript has released the object.
    pub held: Option<Arc<Py>>,
    /// How many bytes were reported to V8 for the object.
    pub retained: usize,
    /// Where the isolate counts the bytes that are reported to V8.
    pub external: Option<Arc<ExternalMemory>>,
    /// Its part in the statistics, as long as JavaScript has the object.
    pub counted: Option<Counted>,
}

impl Reference {
    /// Take the object explicitly: its size is not reported to V8 any more. None if that was done before.
    pub fn release(&mut self) -> Option<Arc<Py>> {
        let bytes = std::mem::take(&mut self.retained) as i64;
        if let Some(external) = &self.external {
            external.track_freed(bytes);
            external.untrack(bytes);
        }
        self.counted = None;
        self.held.take()
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        if let Some(external) = &self.external {
            external.track_collected(self.retained as i64);
        }
    }
}

/// Call an object, within a frame of Python's.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn call(callable: &Py, arguments: Vec<IntoPython>) -> Result<FromPython, Failure> {
    // SAFETY: attached; arguments are live, and `PyTuple_SetItem` takes ownership of the references.
    unsafe {
        // Where Python code is running already, its frame will do, and tools that look at the innermost one find that.
        let (function, first) = match has_frame() {
            true => (callable.as_ptr(), None),
            false => (framed()?.call, Bound::from_borrowed(callable.as_ptr())),
        };
        let length = arguments.len() + usize::from(first.is_some());
        let tuple = Bound::from_owned(PyTuple_New(length as isize))
            .ok_or_else(|| fallible::fetch(size_of::<usize>() * length))?;
        let mut index = 0;
        if let Some(first) = first {
            PyTuple_SetItem(tuple.as_ptr(), index, first.into_ptr());
            index += 1;
        }
        for argument in arguments {
            PyTuple_SetItem(tuple.as_ptr(), index, argument.into_python()?.into_ptr());
            index += 1;
        }
        FromPython::extract(owned(PyObject_Call(function, tuple.as_ptr(), null_mut()))?)
    }
}

/// An object as `str()` has it.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn string(object: &Py) -> Result<FromPython, Failure> {
    // SAFETY: attached, and the object is live.
    unsafe {
        let string = match has_frame() {
            true => owned(PyObject_Str(object.as_ptr()))?,
            false => apply(framed()?.string, &[object.as_ptr()])?,
        };
        Text::of(string.as_ptr()).map(FromPython::Text)
    }
}
