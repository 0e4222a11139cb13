//! The scope of a `PythonScope`: a module that is in `sys.modules` until the scope is disposed or lost, so that what is defined in
//! it is found by its `__module__`: pickling, `typing.get_type_hints` and `inspect` look there.
//!
//! JavaScript refers to a capsule, whose destructor takes the module out of `sys.modules`: it runs attached, wherever the last reference
//! to the scope goes.

use std::ffi::CStr;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3_ffi::{
    PyCapsule_GetPointer, PyCapsule_New, PyDict_Clear, PyDict_DelItem, PyDict_GetItemWithError,
    PyDict_SetItem, PyErr_Clear, PyErr_ExceptionMatches, PyErr_Fetch, PyErr_Restore,
    PyExc_KeyError, PyImport_GetModuleDict, PyModule_GetDict, PyModule_NewObject, PyObject,
    PyObject_CallFunctionObjArgs, PyObject_CallMethodObjArgs, PyObject_GetItem, PyObject_IsTrue,
    PyUnicode_FromStringAndSize, PyUnicode_InternFromString,
};

use crate::boundary::status::Status;
use crate::values::failure::{Failure, owned};
use crate::values::handle::{Bound, Py};
use crate::values::support::Support;
use crate::values::text::text;
use crate::values::value::FromPython;

/// What the capsule of a scope refers to.
struct ScopeModule {
    name: Bound,
    module: Bound,
}

/// The name of the capsules.
const CAPSULE: &CStr = c"oneheap.PythonScope";

/// The number of the next scope that gets no name.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Make a scope, and put its module into `sys.modules` by the name, or by `oneheap_scope_` and a number. None if there is a module of
/// that name, or Python would find one: who imports it is to get that one.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn new_scope(support: &Support, name: Option<&[u16]>) -> Result<Option<Py>, Failure> {
    // SAFETY: attached; arguments are live, each result is checked, and results are owned.
    unsafe {
        let name = match name {
            Some(name) => {
                let name = text(name)?;
                if has_module(&name, support)? {
                    return Ok(None);
                }
                name
            }
            None => next_name()?,
        };
        let module = owned(PyModule_NewObject(name.as_ptr()))?;
        let (builtins_name, builtins) = (support.builtins_name, support.builtins);
        if PyDict_SetItem(PyModule_GetDict(module.as_ptr()), builtins_name, builtins) != 0 {
            return Err(Failure::fetch());
        }
        let scope = ScopeModule { name, module };
        let (name, module) = (scope.name.as_ptr(), scope.module.as_ptr());
        // From here on, whatever goes wrong, its destructor takes out what was put in.
        let capsule = capsule_of(scope)?;
        // The one call that looks and sets at once, without a GIL too.
        let method = owned(PyUnicode_InternFromString(c"setdefault".as_ptr()))?;
        let found = owned(PyObject_CallMethodObjArgs(
            PyImport_GetModuleDict(),
            method.as_ptr(),
            name,
            module,
            null_mut::<PyObject>(),
        ))?;
        Ok((found.as_ptr() == module).then(|| capsule.into()))
    }
}

/// A capsule that refers to the module of a scope.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn capsule_of(scope: ScopeModule) -> Result<Bound, Failure> {
    let scope = Box::into_raw(Box::new(scope));
    // SAFETY: as the caller vouches; the capsule takes over the box, unless there is none.
    unsafe {
        let capsule = PyCapsule_New(scope.cast(), CAPSULE.as_ptr(), Some(free_scope));
        owned(capsule).inspect_err(|_| drop(Box::from_raw(scope)))
    }
}

/// Return whether there is a module of a name, or Python would find one.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn has_module(name: &Bound, support: &Support) -> Result<bool, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        let found = owned(PyObject_CallFunctionObjArgs(
            support.has_module,
            name.as_ptr(),
            null_mut::<PyObject>(),
        ))?;
        Ok(PyObject_IsTrue(found.as_ptr()) == 1)
    }
}

/// The name of a scope that got none.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn next_name() -> Result<Bound, Failure> {
    let name = format!("oneheap_scope_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    // SAFETY: as the caller vouches; the pointer is valid for reads of as many bytes.
    unsafe {
        owned(PyUnicode_FromStringAndSize(
            name.as_ptr().cast(),
            name.len() as isize,
        ))
    }
}

/// The variables of a scope. None if the object is no scope.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn variables(scope: &Py) -> Option<Bound> {
    // SAFETY: as the caller vouches; the module has its dictionary as long as the capsule is live.
    unsafe {
        let scope = module_of(scope.as_ptr())?;
        Bound::from_borrowed(PyModule_GetDict(scope.module.as_ptr()))
    }
}

/// What a scope has by a name; none if nothing.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn variable(scope: &Py, name: &[u16]) -> Result<Option<FromPython>, Failure> {
    // SAFETY: attached; both are live, and results are owned.
    unsafe {
        let variables = variables(scope).ok_or(Status::Invalid)?;
        let name = text(name)?;
        if let Some(value) = Bound::from_owned(PyObject_GetItem(variables.as_ptr(), name.as_ptr()))
        {
            return FromPython::extract(value).map(Some);
        }
        if PyErr_ExceptionMatches(PyExc_KeyError) == 0 {
            return Err(Failure::fetch());
        }
        PyErr_Clear();
        Ok(None)
    }
}

/// Take a scope's module out of `sys.modules`, and clear its variables.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn clear(scope: &Py) {
    // SAFETY: as the caller vouches. What is cleared is kept meanwhile.
    unsafe {
        let Some(scope) = module_of(scope.as_ptr()) else {
            return;
        };
        let variables = Bound::from_borrowed(PyModule_GetDict(scope.module.as_ptr()));
        remove_module(scope);
        if let Some(variables) = variables {
            PyDict_Clear(variables.as_ptr());
        }
    }
}

/// What a capsule refers to. None if the object is no scope's capsule.
///
/// # Safety
/// The thread is attached, no exception is set, and the capsule outlives what is returned.
unsafe fn module_of<'a>(capsule: *mut PyObject) -> Option<&'a ScopeModule> {
    // SAFETY: a pointer that is returned by this name is one of `new_scope`.
    unsafe {
        let scope = PyCapsule_GetPointer(capsule, CAPSULE.as_ptr());
        if scope.is_null() {
            PyErr_Clear();
        }
        scope.cast::<ScopeModule>().as_ref()
    }
}

/// The destructor of the capsules.
///
/// # Safety
/// Called by Python, attached, with a capsule of [`new_scope`].
unsafe extern "C" fn free_scope(capsule: *mut PyObject) {
    let (mut kind, mut value, mut traceback) = (null_mut(), null_mut(), null_mut());
    // SAFETY: as the caller vouches: the capsule's last use. An exception that is set is of whatever has led here.
    unsafe {
        PyErr_Fetch(&mut kind, &mut value, &mut traceback);
        let scope = PyCapsule_GetPointer(capsule, CAPSULE.as_ptr()).cast::<ScopeModule>();
        if !scope.is_null() {
            let scope = Box::from_raw(scope);
            remove_module(&scope);
            drop(scope);
        }
        PyErr_Restore(kind, value, traceback);
    }
}

/// Take a scope's module out of `sys.modules`, unless there is another one of that name now.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn remove_module(scope: &ScopeModule) {
    // SAFETY: as the caller vouches; the scope refers to the module, so it isn't freed in here.
    unsafe {
        let modules = PyImport_GetModuleDict();
        // A program may have put anything there; while Python ends, nothing is there.
        if modules.is_null() {
            return;
        }
        let found = PyDict_GetItemWithError(modules, scope.name.as_ptr());
        if found == scope.module.as_ptr() {
            PyDict_DelItem(modules, scope.name.as_ptr());
        }
        PyErr_Clear();
    }
}
