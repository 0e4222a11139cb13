//! How much memory a Python object keeps, as far as that is free to ask: it is reported to V8 while JavaScript refers to the object.
//!
//! Only what C code answers at once is asked: how many elements a list has, or how long a buffer is. `sys.getsizeof` of a
//! data frame takes a third of a second, and a `__buffer__` of Python's runs any code.

use std::ffi::c_void;

use pyo3_ffi::{
    Py_buffer, PyBUF_INDIRECT, PyBuffer_Release, PyDict_Size, PyDict_Type, PyErr_Clear,
    PyFrozenSet_Type, PyList_Size, PyList_Type, PyObject, PyObject_CheckBuffer, PyObject_GetBuffer,
    PyObject_Type, PySet_Size, PySet_Type, PyTuple_Size, PyTuple_Type, PyType_GetSlot,
    PyTypeObject,
};

use crate::values::handle::Bound;
use crate::values::support::{BF_GETBUFFER, support};

/// What an element of a list or tuple takes: a pointer.
const ELEMENT_BYTES: usize = 8;

/// What an entry of a set or a dictionary takes at least: hash and key, and for a dictionary its value and its place in the index.
const SET_ENTRY_BYTES: usize = 16;
const DICT_ENTRY_BYTES: usize = 32;

/// The size of the memory that an object keeps, in bytes; 0 where it isn't free to ask.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn retained_bytes(object: &Bound) -> usize {
    let pointer = object.as_ptr();
    // SAFETY: attached; each size is asked of an object of exactly that type, and can't fail.
    unsafe {
        let Some(kind) = Bound::from_owned(PyObject_Type(pointer)) else {
            PyErr_Clear();
            return 0;
        };
        let kind: *mut PyTypeObject = kind.as_ptr().cast();
        let (count, bytes) = if kind == &raw mut PyList_Type {
            (PyList_Size(pointer), ELEMENT_BYTES)
        } else if kind == &raw mut PyTuple_Type {
            (PyTuple_Size(pointer), ELEMENT_BYTES)
        } else if kind == &raw mut PyDict_Type {
            (PyDict_Size(pointer), DICT_ENTRY_BYTES)
        } else if kind == &raw mut PySet_Type || kind == &raw mut PyFrozenSet_Type {
            (PySet_Size(pointer), SET_ENTRY_BYTES)
        } else {
            return exported_bytes(pointer, kind);
        };
        usize::try_from(count).unwrap_or(0).saturating_mul(bytes)
    }
}

/// The length of the buffer that an object exports by code of C's, 0 if it has none.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is live and of that type.
unsafe fn exported_bytes(object: *mut PyObject, kind: *mut PyTypeObject) -> usize {
    let mut buffer = Py_buffer::new();
    // SAFETY: attached; the buffer is released at once, and an exception in here is of no interest.
    unsafe {
        if PyObject_CheckBuffer(object) == 0 || is_in_python(kind) {
            return 0;
        }
        if PyObject_GetBuffer(object, &mut buffer, PyBUF_INDIRECT) != 0 {
            PyErr_Clear();
            return 0;
        }
        let bytes = buffer.len as usize;
        PyBuffer_Release(&mut buffer);
        bytes
    }
}

/// Return whether a type's buffers come of a `__buffer__` that is written in Python.
///
/// # Safety
/// The thread is attached, and the type is live.
unsafe fn is_in_python(kind: *mut PyTypeObject) -> bool {
    // SAFETY: as the caller vouches; from 3.10 on every type may be asked.
    let slot: *mut c_void = unsafe { PyType_GetSlot(kind, BF_GETBUFFER) };
    // SAFETY: as the caller vouches.
    unsafe { support() }.is_ok_and(|support| support.python_get_buffer == slot)
}
