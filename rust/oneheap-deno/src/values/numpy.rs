//! NumPy's scalars: which of them are numbers, booleans, strings or bytes, and the Python objects with the same value.
//!
//! NumPy is never imported for it, and no code of other modules runs: what `sys.modules` has under its name may be anything.

use std::ffi::{CStr, c_ulong};
use std::ptr::null_mut;

use pyo3_ffi::{
    PyDict_GetItemString, PyDict_GetItemWithError, PyDict_Type, PyErr_Clear,
    PyErr_ExceptionMatches, PyExc_MemoryError, PyImport_GetModuleDict, PyModule_GetDict,
    PyModule_Type, PyObject, PyObject_CallFunctionObjArgs, PyObject_GetAttrString, PyObject_Type,
    PyType_GetFlags, PyType_GetName, PyType_IsSubtype, PyType_Type, PyTypeObject,
    PyUnicode_CompareWithASCIIString,
};

use crate::runtime::once_box::OnceBox;
use crate::values::failure::Failure;
use crate::values::handle::Bound;
use crate::values::support::support;

/// `Py_TPFLAGS_HEAPTYPE` of Python's `object.h`: a type that was made at run time, as Python's `class` makes them.
const HEAP_TYPE: c_ulong = 1 << 9;

/// NumPy's own types, which are static ones: they are never freed, and no Python code can make such.
struct ScalarTypes {
    generic: *mut PyTypeObject,
    number: *mut PyTypeObject,
    timedelta: *mut PyTypeObject,
    boolean: *mut PyTypeObject,
    string: *mut PyTypeObject,
    bytes: *mut PyTypeObject,
    /// `numpy.generic.item`, a reference that is kept.
    item: *mut PyObject,
}

// SAFETY: types and method live as long as the process, and only attached threads do something with them.
unsafe impl Sync for ScalarTypes {}

static SCALAR_TYPES: OnceBox<ScalarTypes> = OnceBox::new();

/// The Python object with the value of a NumPy scalar that is a number, a boolean, a string or bytes; none for other objects
/// (dates, durations and structures too: their values mean nothing without their type).
///
/// # Safety
/// The thread is attached, no exception is set, and `kind` is the type of the object.
pub unsafe fn value_of_scalar(
    object: &Bound,
    kind: *mut PyTypeObject,
) -> Result<Option<Bound>, Failure> {
    // SAFETY: attached; the types are live, and the result is owned. NumPy's own method runs, whatever the object's type.
    unsafe {
        if is_heap_type(kind) {
            return Ok(None);
        }
        let Some(types) = SCALAR_TYPES.get().or_else(|| find_and_keep()) else {
            return Ok(None);
        };
        if !types.has_counterpart(kind) {
            return Ok(None);
        }
        let item =
            PyObject_CallFunctionObjArgs(types.item, object.as_ptr(), null_mut::<PyObject>());
        if item.is_null() {
            let is_memory_error = PyErr_ExceptionMatches(PyExc_MemoryError) != 0;
            PyErr_Clear();
            if is_memory_error {
                return Err(Failure::OutOfMemory(
                    crate::values::retained::retained_bytes(object),
                ));
            }
        }
        Ok(Bound::from_owned(item))
    }
}

impl ScalarTypes {
    /// Return whether JavaScript has the values of a type.
    ///
    /// # Safety
    /// The thread is attached, and the type is live.
    unsafe fn has_counterpart(&self, kind: *mut PyTypeObject) -> bool {
        // SAFETY: as the caller vouches.
        let is = |base| unsafe { PyType_IsSubtype(kind, base) } != 0;
        is(self.generic)
            && (is(self.number) && !is(self.timedelta)
                || is(self.boolean)
                || is(self.string)
                || is(self.bytes))
    }
}

/// Return whether a type was made at run time.
///
/// # Safety
/// The type is live.
unsafe fn is_heap_type(kind: *mut PyTypeObject) -> bool {
    // SAFETY: as the caller vouches.
    unsafe { PyType_GetFlags(kind) & HEAP_TYPE != 0 }
}

/// The types, if NumPy was imported; from then on they are known.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn find_and_keep() -> Option<&'static ScalarTypes> {
    // SAFETY: as the caller vouches; what failed is of no interest.
    unsafe {
        let found = find();
        if found.is_none() {
            PyErr_Clear();
        }
        SCALAR_TYPES.get_or_try_init(|| found.ok_or(())).ok()
    }
}

/// Look the types up.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn find() -> Option<ScalarTypes> {
    // SAFETY: attached; what is borrowed from the dictionaries is used at once. Dictionaries are asked, for an attribute may
    // be computed by anybody's code.
    unsafe {
        let modules = PyImport_GetModuleDict();
        if !is_instance(modules, &raw mut PyDict_Type) {
            return None;
        }
        let numpy = PyDict_GetItemWithError(modules, support().ok()?.numpy);
        if !is_instance(numpy, &raw mut PyModule_Type) {
            return None;
        }
        let names = PyModule_GetDict(numpy);
        let find = |variable: &CStr, type_names: &[&CStr]| {
            let object = PyDict_GetItemString(names, variable.as_ptr());
            static_type(object, type_names)
        };
        let generic = find(c"generic", &[c"generic"])?;
        let item = PyObject_GetAttrString(generic.cast(), c"item".as_ptr());
        Some(ScalarTypes {
            generic,
            number: find(c"number", &[c"number"])?,
            timedelta: find(c"timedelta64", &[c"timedelta64"])?,
            boolean: find(c"bool_", &[c"bool", c"bool_"])?,
            string: find(c"str_", &[c"str_"])?,
            bytes: find(c"bytes_", &[c"bytes_"])?,
            item: Bound::from_owned(item)?.into_ptr(),
        })
    }
}

/// The object as a static type of one of these names.
///
/// # Safety
/// The thread is attached, and the object is live or null.
unsafe fn static_type(object: *mut PyObject, names: &[&CStr]) -> Option<*mut PyTypeObject> {
    // SAFETY: as the caller vouches; looked at as a type only if it is one.
    unsafe {
        if !is_instance(object, &raw mut PyType_Type) {
            return None;
        }
        let kind: *mut PyTypeObject = object.cast();
        if is_heap_type(kind) {
            return None;
        }
        let name = Bound::from_owned(PyType_GetName(kind))?;
        names
            .iter()
            .any(|it| PyUnicode_CompareWithASCIIString(name.as_ptr(), it.as_ptr()) == 0)
            .then_some(kind)
    }
}

/// Return whether an object is an instance of a type or of a subclass, by its type alone.
///
/// # Safety
/// The thread is attached; the object is live or null.
unsafe fn is_instance(object: *mut PyObject, base: *mut PyTypeObject) -> bool {
    // SAFETY: as the caller vouches.
    unsafe {
        !object.is_null()
            && Bound::from_owned(PyObject_Type(object))
                .is_some_and(|kind| PyType_IsSubtype(kind.as_ptr().cast(), base) != 0)
    }
}
