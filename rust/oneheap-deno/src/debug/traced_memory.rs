//! Reading `tracemalloc`. Its traces are added up here: each object that Python code made of them would be traced as well, which takes ten
//! times as long.

use std::collections::HashMap;
use std::ffi::CStr;
use std::ptr::null_mut;

use pyo3_ffi::{
    METH_O, PyCFunction_NewEx, PyDict_GetItemString, PyErr_Clear, PyErr_NoMemory, PyList_New,
    PyList_SetItem, PyLong_AsSize_t, PyLong_FromSize_t, PyMethodDef, PyMethodDefPointer, PyObject,
    PyObject_CallFunctionObjArgs, PySequence_GetItem, PySequence_Size, PyTuple_GetItem,
    PyTuple_New, PyTuple_SetItem,
};

use crate::boundary::status::Status;
use crate::runtime::once_box::OnceBox;
use crate::runtime::own_code;
use crate::values::failure::{Failure, owned};
use crate::values::handle::{Bound, Py};

const SOURCE: &CStr =
    match CStr::from_bytes_with_nul(concat!(include_str!("traced_memory.py"), "\0").as_bytes()) {
        Ok(source) => source,
        Err(_) => panic!("traced_memory.py has a NUL"),
    };

/// References that are kept for the lifetime of the process.
struct Functions {
    /// `read_traces(add_up)`
    read_traces: *mut PyObject,
    /// `note_peak(add_up)`
    note_peak: *mut PyObject,
    /// [`add_up`]
    add_up: *mut PyObject,
}

// SAFETY: the objects are never freed, and only attached threads do something with them.
unsafe impl Sync for Functions {}

static FUNCTIONS: OnceBox<Functions> = OnceBox::new();

/// Read what is traced: an object as `ffi/debug/traced_memory.ts` describes it, or `None`.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn read_traces() -> Result<Py, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let functions = functions()?;
        let traces = PyObject_CallFunctionObjArgs(
            functions.read_traces,
            functions.add_up,
            null_mut::<PyObject>(),
        );
        owned(traces).map(Py::from)
    }
}

/// Keep what is traced now, if it is more than ever before. What goes wrong with that is passed over.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn note_peak() {
    // SAFETY: as the caller vouches.
    unsafe {
        let Ok(functions) = functions() else { return };
        let noted = Bound::from_owned(PyObject_CallFunctionObjArgs(
            functions.note_peak,
            functions.add_up,
            null_mut::<PyObject>(),
        ));
        if noted.is_none() {
            PyErr_Clear();
        }
    }
}

/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn functions() -> Result<&'static Functions, Status> {
    FUNCTIONS.get_or_try_init(|| {
        // SAFETY: as the caller vouches.
        unsafe { load() }.ok_or_else(|| {
            // SAFETY: attached.
            unsafe { PyErr_Clear() };
            Status::OutOfMemory
        })
    })
}

/// Run `traced_memory.py`.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn load() -> Option<Functions> {
    // SAFETY: attached; each result is checked before it is passed on. The definition lives as long as the process.
    unsafe {
        let globals = Bound::from_owned(own_code::execute(SOURCE))?;
        let function = |name: &CStr| {
            Bound::from_borrowed(PyDict_GetItemString(globals.as_ptr(), name.as_ptr()))
        };
        let (read_traces, note_peak) = (function(c"read_traces")?, function(c"note_peak")?);
        let definition = Box::leak(Box::new(PyMethodDef {
            ml_name: c"add_up".as_ptr(),
            ml_meth: PyMethodDefPointer {
                PyCFunction: add_up,
            },
            ml_flags: METH_O,
            ml_doc: null_mut(),
        }));
        let add_up = Bound::from_owned(PyCFunction_NewEx(definition, null_mut(), null_mut()))?;
        Some(Functions {
            read_traces: read_traces.into_ptr(),
            note_peak: note_peak.into_ptr(),
            add_up: add_up.into_ptr(),
        })
    }
}

/// What one stack has: bytes, and in how many allocations.
type Total = (usize, usize);

/// Add traces up: `(domain, size, frames, …)` each. Return a list of `(frames, bytes, count)`. Of equal stacks there is one tuple of frames,
/// so they are told apart by its address.
///
/// # Safety
/// Called by Python, with the list of `tracemalloc`.
unsafe extern "C" fn add_up(_module: *mut PyObject, traces: *mut PyObject) -> *mut PyObject {
    // SAFETY: attached; what is borrowed of the traces is kept by them until this returns.
    unsafe {
        let mut totals: HashMap<*mut PyObject, Total> = HashMap::new();
        for index in 0..PySequence_Size(traces) {
            let Some(trace) = Bound::from_owned(PySequence_GetItem(traces, index)) else {
                return null_mut();
            };
            let size = PyLong_AsSize_t(PyTuple_GetItem(trace.as_ptr(), 1));
            let frames = PyTuple_GetItem(trace.as_ptr(), 2);
            if frames.is_null() || totals.try_reserve(1).is_err() {
                return PyErr_NoMemory();
            }
            let (bytes, count) = totals.entry(frames).or_default();
            *bytes = bytes.wrapping_add(size);
            *count += 1;
        }
        list_of(&totals).map_or(null_mut(), Bound::into_ptr)
    }
}

/// The list of totals; none, with an exception set, if memory is out.
///
/// # Safety
/// The thread is attached, and the frames are live.
unsafe fn list_of(totals: &HashMap<*mut PyObject, Total>) -> Option<Bound> {
    // SAFETY: attached; each element is set once, and the containers take over the references.
    unsafe {
        let list = Bound::from_owned(PyList_New(totals.len() as isize))?;
        for (index, (&frames, &(bytes, count))) in totals.iter().enumerate() {
            let total = Bound::from_owned(PyTuple_New(3))?;
            PyTuple_SetItem(total.as_ptr(), 0, Bound::from_borrowed(frames)?.into_ptr());
            let bytes = Bound::from_owned(PyLong_FromSize_t(bytes))?;
            PyTuple_SetItem(total.as_ptr(), 1, bytes.into_ptr());
            let count = Bound::from_owned(PyLong_FromSize_t(count))?;
            PyTuple_SetItem(total.as_ptr(), 2, count.into_ptr());
            PyList_SetItem(list.as_ptr(), index as isize, total.into_ptr());
        }
        Some(list)
    }
}
