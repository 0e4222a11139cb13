//! `PyObjectRef`: references of JavaScript to Python objects, and what is done by them.

use std::sync::Arc;

use pyo3_ffi::{PyObject_Call, PyObject_CallNoArgs, PyObject_Str, PyTuple_New, PyTuple_SetItem};

use crate::memory::external_memory::ExternalMemory;
use crate::memory::stats::Counted;
use crate::values::failure::Failure;
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

/// Call an object.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn call(callable: &Py, arguments: Vec<IntoPython>) -> Result<FromPython, Failure> {
    // SAFETY: attached; arguments are live, and `PyTuple_SetItem` takes ownership of the references.
    unsafe {
        let result = if arguments.is_empty() {
            PyObject_CallNoArgs(callable.as_ptr())
        } else {
            let tuple = Bound::from_owned(PyTuple_New(arguments.len() as isize))
                .ok_or_else(|| fallible::fetch(size_of::<usize>() * arguments.len()))?;
            for (index, argument) in arguments.into_iter().enumerate() {
                let object = argument.into_python()?;
                PyTuple_SetItem(tuple.as_ptr(), index as isize, object.into_ptr());
            }
            PyObject_Call(callable.as_ptr(), tuple.as_ptr(), std::ptr::null_mut())
        };
        FromPython::extract(Bound::from_owned(result).ok_or_else(|| Failure::fetch())?)
    }
}

/// An object as `str()` has it.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn string(object: &Py) -> Result<FromPython, Failure> {
    // SAFETY: attached, and the object is live.
    unsafe {
        let string = Bound::from_owned(PyObject_Str(object.as_ptr()));
        let string = string.ok_or_else(|| Failure::fetch())?;
        Text::of(string.as_ptr()).map(FromPython::Text)
    }
}
