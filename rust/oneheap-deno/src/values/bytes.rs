//! The contents of Python's `bytes`, and of a `str` by way of one.

use pyo3_ffi::{PyBytes_AsString, PyBytes_Size, PyErr_NoMemory, PyObject, PyUnicode_AsUTF8String};

use crate::values::handle::Bound;

/// Return the contents of a `bytes`.
///
/// # Safety
/// The thread is attached, and the object is a `bytes` that outlives the result.
pub unsafe fn bytes<'a>(object: *mut PyObject) -> &'a [u8] {
    // SAFETY: as the caller vouches; neither call fails for a `bytes`, whose contents never change.
    unsafe {
        std::slice::from_raw_parts(
            PyBytes_AsString(object).cast(),
            PyBytes_Size(object) as usize,
        )
    }
}

/// Return the text of a `str`; none, with an exception set, if it has lone surrogates or memory is out.
///
/// # Safety
/// The thread is attached, and the object is a `str` or null.
pub unsafe fn utf8(object: *mut PyObject) -> Option<String> {
    if object.is_null() {
        return None;
    }
    // SAFETY: as the caller vouches; `PyUnicode_AsUTF8String` returns valid UTF-8.
    unsafe {
        // A `bytes` of its own, for `PyUnicode_AsUTF8` would leave a copy in the object for as long as that lives.
        let encoded = Bound::from_owned(PyUnicode_AsUTF8String(object))?;
        let contents = bytes(encoded.as_ptr());
        let mut copy = Vec::new();
        if copy.try_reserve_exact(contents.len()).is_err() {
            PyErr_NoMemory();
            return None;
        }
        copy.extend_from_slice(contents);
        Some(String::from_utf8_unchecked(copy))
    }
}
