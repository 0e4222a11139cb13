//! The functions and facts of Python's by which a fresh scope is judged, and which objects are looked at.

use std::ffi::CStr;
use std::ptr::null_mut;

use pyo3_ffi::{
    Py_None, Py_True, PyDict_GetItemString, PyDict_New, PyDict_Next, PyDict_Type, PyErr_Clear,
    PyFrozenSet_Type, PyList_Type, PyLong_AsSsize_t, PyModule_Type, PyObject,
    PyObject_CallFunctionObjArgs, PyObject_GC_IsTracked, PyObject_GetAttrString, PyObject_Size,
    PyObject_Type, PySet_Type, PyTuple_GetItem, PyTuple_Size, PyTuple_Type, PyType_IsSubtype,
    PyType_Type, PyTypeObject,
};

use crate::limits::{FIRST_GRAPH_ENTRIES, MAX_SCOPE_REFERENCES};
use crate::runtime::own_code;
use crate::values::handle::Bound;
use crate::values::support::Support;

const SOURCE: &CStr =
    match CStr::from_bytes_with_nul(concat!(include_str!("fresh_scope.py"), "\0").as_bytes()) {
        Ok(source) => source,
        Err(_) => panic!("fresh_scope.py has a NUL"),
    };

/// References that are kept for the lifetime of the process.
pub struct Functions {
    /// `free(garbage, circular, may_be_seen)`
    pub free: *mut PyObject,
    /// `collect(watched, number)`
    pub collect: *mut PyObject,
    pub get_referents: *mut PyObject,
    pub getrefcount: *mut PyObject,
    pub getweakrefcount: *mut PyObject,
    /// What a class has as its `__module__`, whatever its metaclass returns.
    pub module_of: *mut PyObject,
    pub function_type: *mut PyObject,
    pub plain_types: Vec<*mut PyObject>,
    pub is_free_threaded: bool,
    /// What `getrefcount` returns for an object with one reference, less that one.
    pub uncounted: isize,
}

// SAFETY: the objects are never freed, and only attached threads do something with them.
unsafe impl Sync for Functions {}

/// Run `fresh_scope.py`, and measure.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn load() -> Option<Functions> {
    // SAFETY: attached; each result is checked before it is passed on, and what is kept is never freed.
    unsafe {
        let globals = Bound::from_owned(own_code::execute(SOURCE))?;
        let global = |name: &CStr| {
            Bound::from_borrowed(PyDict_GetItemString(globals.as_ptr(), name.as_ptr()))
        };
        let types = global(c"plain_types")?;
        let mut plain_types = Vec::new();
        for index in 0..PyTuple_Size(types.as_ptr()) {
            plain_types
                .push(Bound::from_borrowed(PyTuple_GetItem(types.as_ptr(), index))?.into_ptr());
        }
        let getrefcount = global(c"getrefcount")?.into_ptr();
        let alone = Bound::from_owned(PyDict_New())?;
        let uncounted = Functions::count(getrefcount, alone.as_ptr())? - 1;
        Some(Functions {
            free: global(c"free")?.into_ptr(),
            collect: global(c"collect")?.into_ptr(),
            get_referents: global(c"get_referents")?.into_ptr(),
            getrefcount,
            getweakrefcount: global(c"getweakrefcount")?.into_ptr(),
            module_of: global(c"module_of")?.into_ptr(),
            function_type: global(c"function_type")?.into_ptr(),
            plain_types,
            is_free_threaded: global(c"is_free_threaded")?.as_ptr() == Py_True(),
            uncounted,
        })
    }
}

impl Functions {
    /// Call a function that counts.
    ///
    /// # Safety
    /// The thread is attached, no exception is set, and the object is live.
    pub unsafe fn count(function: *mut PyObject, object: *mut PyObject) -> Option<isize> {
        // SAFETY: as the caller vouches.
        unsafe {
            let count = PyObject_CallFunctionObjArgs(function, object, null_mut::<PyObject>());
            Some(PyLong_AsSsize_t(Bound::from_owned(count)?.as_ptr()))
        }
    }

    /// Return whether an object is to be looked at.
    ///
    /// # Safety
    /// The thread is attached, no exception is set, and both objects are live.
    pub unsafe fn worth_of(
        &self,
        object: *mut PyObject,
        scope: *mut PyObject,
        support: &Support,
    ) -> Worth {
        // SAFETY: as the caller vouches. None of this runs Python code: the types are the very built-in ones.
        unsafe {
            if PyObject_GC_IsTracked(object) == 0 {
                return Worth::Nothing;
            }
            let kind = type_of(object);
            let belongs = if kind == self.function_type.cast() {
                belongs_here(object, scope, support)
            } else if kind == &raw mut PyDict_Type {
                object != support.builtins && !is_of_module(object, support)
            } else if PyType_IsSubtype(kind, &raw mut PyType_Type) != 0 {
                let module =
                    PyObject_CallFunctionObjArgs(self.module_of, object, null_mut::<PyObject>());
                let module = Bound::from_owned(module);
                if module.is_none() {
                    PyErr_Clear();
                }
                module.is_some_and(|module| module.as_ptr() == support.main)
            } else {
                kind != &raw mut PyModule_Type
            };
            match belongs {
                true if is_large(object, kind) => Worth::TooMuch,
                true => Worth::Looking,
                false => Worth::Nothing,
            }
        }
    }
}

/// Return whether a container has more than is looked into.
///
/// # Safety
/// The thread is attached, and the object is live and of that type.
unsafe fn is_large(object: *mut PyObject, kind: *mut PyTypeObject) -> bool {
    let sized = [
        &raw mut PyList_Type,
        &raw mut PyTuple_Type,
        &raw mut PyDict_Type,
        &raw mut PySet_Type,
        &raw mut PyFrozenSet_Type,
    ];
    // SAFETY: as the caller vouches; the very built-in types are asked, which runs no Python code.
    sized.contains(&kind) && unsafe { PyObject_Size(object) } > MAX_SCOPE_REFERENCES
}

/// Return whether a function may be of the scope alone: it is defined there or in another dictionary that is no module's, as `exec` takes one,
/// or a call has made it, as decorators of other modules do.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is a function.
unsafe fn belongs_here(function: *mut PyObject, scope: *mut PyObject, support: &Support) -> bool {
    // SAFETY: as the caller vouches. Both are attributes of every function, and reading them runs no Python code.
    unsafe {
        let attribute =
            |name: &CStr| Bound::from_owned(PyObject_GetAttrString(function, name.as_ptr()));
        let Some(globals) = attribute(c"__globals__") else {
            return false;
        };
        let globals = globals.as_ptr();
        globals == scope
            || type_of(globals) == &raw mut PyDict_Type && !is_of_module(globals, support)
            || attribute(c"__closure__").is_some_and(|it| it.as_ptr() != Py_None())
    }
}

/// Return whether a dictionary is a module's, or another scope's: unlike those that are passed to `exec`, these begin with their name and their
/// built-in functions, in either order.
///
/// # Safety
/// The thread is attached, and the object is a `dict`.
unsafe fn is_of_module(dictionary: *mut PyObject, support: &Support) -> bool {
    let (mut position, mut name, mut value) = (0, null_mut(), null_mut());
    let (mut has_name, mut has_builtins) = (false, false);
    for place in 0..FIRST_GRAPH_ENTRIES {
        // SAFETY: as the caller vouches; what is borrowed is only looked at.
        if unsafe { PyDict_Next(dictionary, &mut position, &mut name, &mut value) } == 0 {
            return false;
        }
        has_name |= place < 2 && name == support.name_name;
        has_builtins |= name == support.builtins_name;
        if has_name && has_builtins {
            return true;
        }
    }
    false
}

/// Whether an object that was found is looked at.
pub enum Worth {
    Looking,
    /// It may belong to the scope, but has too much in it.
    TooMuch,
    /// It refers to nothing, or is a module, or a module defines it.
    Nothing,
}

/// The type of an object, which the object keeps alive.
///
/// # Safety
/// The thread is attached, and the object is live.
pub unsafe fn type_of(object: *mut PyObject) -> *mut PyTypeObject {
    // SAFETY: as the caller vouches. The call doesn't fail for an object.
    unsafe { Bound::from_owned(PyObject_Type(object)) }
        .map_or(null_mut(), |kind| kind.as_ptr().cast())
}
