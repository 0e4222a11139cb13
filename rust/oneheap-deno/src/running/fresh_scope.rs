//! What becomes of a fresh scope after its run: see `fresh_scope.py`.

use std::ffi::CStr;
use std::ptr::null_mut;

use pyo3_ffi::{
    Py_False, Py_None, Py_True, PyDict_GetItemString, PyDict_New, PyDict_Next, PyErr_Clear,
    PyModule_Type, PyObject, PyObject_Call, PyObject_CallFunctionObjArgs, PyObject_GC_IsTracked,
    PyObject_Type, PyTypeObject,
};

use crate::code::Code;
use crate::objects::object::Object;
use crate::objects::published::Published;
use crate::objects::support::Support;
use crate::python;

const SOURCE: &CStr =
    match CStr::from_bytes_with_nul(concat!(include_str!("fresh_scope.py"), "\0").as_bytes()) {
        Ok(source) => source,
        Err(_) => panic!("fresh_scope.py has a NUL"),
    };

/// References that are kept for the life of the process.
struct Functions {
    /// `release(scope, may_be_garbage_elsewhere)`
    release: *mut PyObject,
    /// `collect(watched, number)`
    collect: *mut PyObject,
}

// SAFETY: the functions are never freed, and only attached threads call them.
unsafe impl Sync for Functions {}

static FUNCTIONS: Published<Functions> = Published::new();

/// Drops a fresh scope after its run, and frees what it held, unless something of it is used elsewhere.
///
/// `may_be_garbage_elsewhere`: whether it is worth a young collection to find functions or frames that refer to the scope, and are
/// garbage that it doesn't refer to.
///
/// # Safety
/// The thread is attached, no exception is set, and the scope is a dictionary to which the caller's is the only reference in Rust.
pub unsafe fn free(scope: Object, support: &Support, may_be_garbage_elsewhere: bool) {
    // SAFETY: as the caller vouches; what goes wrong leaves the scope to Python's collector.
    unsafe {
        if !may_be_garbage_elsewhere && !has_containers(&scope, support) {
            return;
        }
        let Ok(functions) = FUNCTIONS.get_or_make(|| load().ok_or(Code::OutOfMemory)) else {
            return PyErr_Clear();
        };
        let rest = release(functions.release, &scope, may_be_garbage_elsewhere);
        drop(scope);
        match rest {
            Some(rest) if rest.as_ptr() != Py_None() => {
                let collected = PyObject_Call(functions.collect, rest.as_ptr(), null_mut());
                if Object::owned(collected).is_none() {
                    PyErr_Clear();
                }
            }
            Some(_) => (),
            None => PyErr_Clear(),
        }
    }
}

/// Calls `release`. The first call measures, so all calls are made here.
///
/// # Safety
/// The thread is attached, no exception is set, and the arguments are live.
unsafe fn release(
    function: *mut PyObject,
    scope: &Object,
    may_be_garbage_elsewhere: bool,
) -> Option<Object> {
    // SAFETY: as the caller vouches.
    unsafe {
        let flag = if may_be_garbage_elsewhere {
            Py_True()
        } else {
            Py_False()
        };
        Object::owned(PyObject_CallFunctionObjArgs(
            function,
            scope.as_ptr(),
            flag,
            null_mut::<PyObject>(),
        ))
    }
}

/// Whether a scope has a variable that can refer to others, apart from modules: one that Python's collector knows.
///
/// # Safety
/// The thread is attached, and the scope is a dictionary that no other thread changes.
unsafe fn has_containers(scope: &Object, support: &Support) -> bool {
    let (mut position, mut name, mut value) = (0, null_mut(), null_mut());
    // SAFETY: as the caller vouches; no Python code runs in here, and what is borrowed is only looked at.
    unsafe {
        while PyDict_Next(scope.as_ptr(), &mut position, &mut name, &mut value) != 0 {
            if value != support.builtins
                && PyObject_GC_IsTracked(value) != 0
                && Object::owned(PyObject_Type(value)).is_none_or(|kind| {
                    kind.as_ptr().cast::<PyTypeObject>() != &raw mut PyModule_Type
                })
            {
                return true;
            }
        }
    }
    false
}

/// Runs `fresh_scope.py`, and has it measure.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn load() -> Option<Functions> {
    // SAFETY: attached; each result is checked before it is passed on, and the functions are kept.
    unsafe {
        let globals = python::execute(SOURCE)?;
        let function =
            |name: &CStr| Object::borrowed(PyDict_GetItemString(globals.as_ptr(), name.as_ptr()));
        let functions = Functions {
            release: function(c"release")?.into_ptr(),
            collect: function(c"collect")?.into_ptr(),
        };
        let empty = Object::owned(PyDict_New())?;
        release(functions.release, &empty, false)?;
        Some(functions)
    }
}
