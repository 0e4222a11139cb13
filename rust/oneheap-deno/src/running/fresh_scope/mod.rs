//! Freeing a fresh scope after its run, or with the exception that has ended it, unless something of it is used elsewhere.
//!
//! Functions refer to the scope that they are made in, and it to them; frames, exceptions and classes do as well. Python's
//! collector would free all that some time later, and until then a block in it stays borrowed; a full collection takes too long
//! to make one after each run. So this looks from the scope at what it reaches, and counts: an object with more references than
//! the objects found have to it is used elsewhere, and so is all that it refers to. What remains is garbage.
//!
//! What isn't looked at (modules, classes and functions of other modules, large containers) only makes for more references from
//! elsewhere: then everything stays as it is, for Python's collector. The analysis runs no Python code, so no other thread runs
//! meanwhile.

mod functions;
mod graph;

use std::ptr::null_mut;

use pyo3_ffi::{
    Py_None, PyBool_FromLong, PyDict_Clear, PyDict_Next, PyErr_Clear, PyGC_Disable, PyGC_Enable,
    PyList_New, PyModule_Type, PyObject, PyObject_Call, PyObject_CallFunctionObjArgs,
    PyObject_CallMethodObjArgs, PyObject_GC_IsTracked, PyUnicode_InternFromString,
};

use crate::boundary::status::Status;
use crate::running::fresh_scope::functions::{Functions, load, type_of};
use crate::running::fresh_scope::graph::{Graph, Verdict};
use crate::runtime::once_box::OnceBox;
use crate::runtime::state;
use crate::values::handle::Bound;
use crate::values::support::{Support, support};

static FUNCTIONS: OnceBox<Functions> = OnceBox::new();

/// Drop a fresh scope after its run, and free what it held, unless something of it is used elsewhere.
///
/// `may_be_garbage_elsewhere`: whether it is worth a young collection to find functions or frames that refer to the scope, and are
/// garbage that it doesn't refer to.
///
/// Code that got no objects as arguments, and made no functions, leaves nothing that matters: this needn't be called for it. `arguments` are values that
/// the scope had before its run: what they refer to lives by them.
///
/// # Safety
/// The thread is attached, no exception is set, and the scope is a dictionary to which the caller's is the only reference in Rust.
pub unsafe fn free(
    scope: Bound,
    support: &Support,
    may_be_garbage_elsewhere: bool,
    arguments: &[*mut PyObject],
) {
    // SAFETY: as the caller vouches; what goes wrong leaves the scope to Python's collector.
    unsafe {
        if !may_be_garbage_elsewhere && !has_containers(&scope, support, arguments) {
            return;
        }
        let Ok(functions) = FUNCTIONS.get_or_try_init(|| load().ok_or(Status::OutOfMemory)) else {
            return PyErr_Clear();
        };
        if functions
            .free_scope(scope, support, may_be_garbage_elsewhere)
            .is_none()
        {
            PyErr_Clear();
        }
    }
}

/// Return whether a scope has a variable that can refer to others, apart from modules and its arguments: one that Python's collector
/// knows.
///
/// # Safety
/// The thread is attached.
unsafe fn has_containers(scope: &Bound, support: &Support, arguments: &[*mut PyObject]) -> bool {
    let (mut position, mut name, mut value) = (0, null_mut(), null_mut());
    // SAFETY: as the caller vouches; no Python code runs in here, and what is borrowed is only looked at. Without a GIL another
    // thread that has the scope might change it, so there the question isn't asked.
    unsafe {
        if state::is_free_threaded() {
            return false;
        }
        while PyDict_Next(scope.as_ptr(), &mut position, &mut name, &mut value) != 0 {
            if value != support.builtins
                && !arguments.contains(&value)
                && PyObject_GC_IsTracked(value) != 0
                && type_of(value) != &raw mut PyModule_Type
            {
                return true;
            }
        }
    }
    false
}

/// Release an exception that JavaScript held, and free the fresh scope of the run that it has ended, if it was one.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is a `HeldException` that nobody uses any more.
pub unsafe fn release_exception(held: Bound) {
    // SAFETY: as the caller vouches; the method's result is owned.
    unsafe {
        let release = Bound::from_owned(PyUnicode_InternFromString(c"release".as_ptr()));
        let scope = release.and_then(|release| {
            Bound::from_owned(PyObject_CallMethodObjArgs(
                held.as_ptr(),
                release.as_ptr(),
                null_mut::<PyObject>(),
            ))
        });
        drop(held);
        match (scope, support()) {
            (Some(scope), Ok(support)) if scope.as_ptr() != Py_None() => {
                free(scope, support, true, &[]);
            }
            // It is left to Python's collector.
            _ => PyErr_Clear(),
        }
    }
}

impl Functions {
    /// Free the scope if nothing uses it. None, with an exception set, if something went wrong.
    ///
    /// # Safety
    /// As for [`free`].
    unsafe fn free_scope(
        &self,
        scope: Bound,
        support: &Support,
        may_be_garbage_elsewhere: bool,
    ) -> Option<()> {
        // SAFETY: as the caller vouches; arguments are live, and results are owned.
        unsafe {
            if self.is_free_threaded {
                drop(scope);
                return self.collect_young();
            }
            let mut verdict = self.judge(&scope, support)?;
            if matches!(verdict, Verdict::Used) && may_be_garbage_elsewhere {
                self.collect_young()?;
                verdict = self.judge(&scope, support)?;
            }
            match verdict {
                Verdict::Used | Verdict::Drop => (),
                Verdict::Clear => PyDict_Clear(scope.as_ptr()),
                Verdict::Circular(garbage, circular, may_be_seen) => {
                    let flag = Bound::from_owned(PyBool_FromLong(may_be_seen.into()))?;
                    let rest = Bound::from_owned(PyObject_CallFunctionObjArgs(
                        self.free,
                        garbage.as_ptr(),
                        circular.as_ptr(),
                        flag.as_ptr(),
                        null_mut::<PyObject>(),
                    ))?;
                    drop((garbage, circular, scope));
                    if rest.as_ptr() != Py_None() {
                        Bound::from_owned(PyObject_Call(self.collect, rest.as_ptr(), null_mut()))?;
                    }
                }
            }
        }
        Some(())
    }

    /// Collects what became garbage just now, in some ten microseconds.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    unsafe fn collect_young(&self) -> Option<()> {
        // SAFETY: as the caller vouches; arguments are live, and results are owned.
        unsafe {
            let nothing = Bound::from_owned(PyList_New(0))?;
            let number = Bound::from_owned(PyBool_FromLong(0))?;
            Bound::from_owned(PyObject_CallFunctionObjArgs(
                self.collect,
                nothing.as_ptr(),
                number.as_ptr(),
                null_mut::<PyObject>(),
            ))
            .map(drop)
        }
    }

    /// Find out what uses the scope. Up to 3.11, making a list can collect garbage, and that runs Python code: not here.
    ///
    /// # Safety
    /// As for [`free`].
    unsafe fn judge(&self, scope: &Bound, support: &Support) -> Option<Verdict> {
        // SAFETY: as the caller vouches.
        unsafe {
            let was_enabled = PyGC_Disable() != 0;
            let verdict = Graph::of(self, scope, support).and_then(|graph| graph.judge(self));
            if was_enabled {
                PyGC_Enable();
            }
            verdict
        }
    }
}
