//! Where in a nested value something is, for the error that says so.

use std::fmt::Write;

use pyo3_ffi::{PyErr_Clear, PyObject, PyUnicode_AsUTF8String};

use crate::values::bytes::bytes;
use crate::values::handle::Bound;

/// A step from a container to what is in it.
pub enum Step {
    /// An element of a list.
    Index(usize),
    /// The value of a key, which is a `str`.
    Key(Bound),
    /// The key of an entry, and its value.
    MapKey(usize),
    MapValue(usize),
    /// A member of a set.
    Member(usize),
}

/// The path as JavaScript would have it: `$.rows[3].price`.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn path_text<'a>(steps: impl Iterator<Item = &'a Step>) -> String {
    let mut path = String::from("$");
    for step in steps {
        // Writing to a string doesn't fail.
        let _ = match step {
            Step::Index(index) => write!(path, "[{index}]"),
            // SAFETY: as the caller vouches.
            Step::Key(key) => unsafe { push_key(&mut path, key.as_ptr()) },
            Step::MapKey(index) => write!(path, ".keys()[{index}]"),
            Step::MapValue(index) => write!(path, ".values()[{index}]"),
            Step::Member(index) => write!(path, ".values()[{index}]"),
        };
    }
    path
}

/// Add a key: as a property where it is an identifier.
///
/// # Safety
/// The thread is attached, no exception is set, and the key is a `str`.
unsafe fn push_key(path: &mut String, key: *mut PyObject) -> std::fmt::Result {
    // SAFETY: as the caller vouches; the result is owned.
    let encoded = unsafe { Bound::from_owned(PyUnicode_AsUTF8String(key)) };
    let Some(encoded) = encoded else {
        // SAFETY: attached. It has lone surrogates.
        unsafe { PyErr_Clear() };
        return path.write_str("[\"…\"]");
    };
    // SAFETY: the result is a `bytes`, which lives.
    let key = String::from_utf8_lossy(unsafe { bytes(encoded.as_ptr()) });
    let is_identifier = key.chars().enumerate().all(|(index, it)| {
        it == '_' || it == '$' || it.is_alphabetic() || index > 0 && it.is_numeric()
    });
    match is_identifier && !key.is_empty() {
        true => write!(path, ".{key}"),
        false => write!(path, "[{key:?}]"),
    }
}
