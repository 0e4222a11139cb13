//! Running Python code: compiled once, in a scope of its own or in one that was passed.

use std::ptr::null_mut;
use std::sync::Arc;

use pyo3_ffi::{
    PyDict_DelItem, PyDict_GetItemWithError, PyDict_New, PyDict_SetItem, PyErr_Fetch,
    PyErr_Occurred, PyErr_Restore, PyEval_EvalCode, PyObject, PyObject_CallFunctionObjArgs,
};

use crate::boundary::status::Status;
use crate::running::compiled::{CompiledCode, Mode, compiled};
use crate::running::fresh_scope;
use crate::running::scope;
use crate::values::build::{Builder, CACHE, Cache};
use crate::values::failure::Failure;
use crate::values::handle::{Bound, Py};
use crate::values::support::{Support, support};
use crate::values::text::text;
use crate::values::value::IntoPython;

/// Code to run, and its arguments.
pub struct Program {
    pub mode: Mode,
    /// UTF-16, as JavaScript has it.
    pub source: Vec<u16>,
    /// The scope to run in, as [`scope`] makes it; without one, a fresh dictionary.
    pub scope: Option<Arc<Py>>,
    /// What is set in the dictionary before.
    pub names: Vec<(Vec<u16>, IntoPython)>,
    /// The tape with the nested ones among these values.
    pub tape: Option<Box<dyn Nested>>,
}

/// What the nested values among names are built of.
pub trait Nested: Send {
    /// The builder of the values, one after the other.
    fn builder<'a>(&'a mut self, cache: &'a Cache) -> Builder<'a>;
}

impl Program {
    /// Run the code, and return the value of the expression; `None` for statements. `run_code` is passed what runs the code
    /// itself, without what comes before and after, and may leave it, with an exception set.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    pub unsafe fn run(
        self,
        run_code: impl FnOnce(&dyn Fn() -> Option<Bound>) -> Option<Bound>,
    ) -> Result<Bound, Failure> {
        // SAFETY: as the caller vouches.
        let support = unsafe { support() }?;
        let Self {
            mode,
            source,
            scope,
            names,
            tape,
        } = self;
        let is_fresh = scope.is_none();
        let gives_objects = names.iter().any(|(_, argument)| {
            matches!(
                argument,
                IntoPython::Block(_) | IntoPython::Object(_) | IntoPython::Nested
            )
        });
        // SAFETY: attached; objects are live, and each result is checked.
        unsafe {
            let code = compiled(mode, &source, support)?;
            let names = converted(names, tape)?;
            let globals = match &scope {
                Some(scope) => scope::variables(scope).ok_or(Status::Invalid)?,
                None => fresh_globals(support).ok_or_else(|| Failure::fetch())?,
            };
            let mut arguments = [null_mut(); crate::limits::MAX_SCOPE_ARGUMENTS];
            for (argument, (_, value)) in arguments.iter_mut().zip(&names) {
                *argument = value.as_ref().map_or(null_mut(), Bound::as_ptr);
            }
            set_variables(&globals, names)?;
            if code.makes_classes && !is_fresh {
                set_file(&globals, &code, support)?;
            }
            let (run, variables) = (code.object.as_ptr(), globals.as_ptr());
            let result =
                run_code(&|| Bound::from_owned(PyEval_EvalCode(run, variables, variables)));
            let result = result.ok_or_else(|| Failure::fetch());
            let may_keep = code.may_keep_scope;
            if is_fresh && (may_keep || gives_objects) {
                match &result {
                    Ok(_) => {
                        fresh_scope::free(globals, support, may_keep && gives_objects, &arguments);
                    }
                    // The frames of the exception use the scope as long as JavaScript holds it.
                    Err(failure) => failure.set_scope(globals),
                }
            }
            result
        }
    }
}

/// A name, and the value that it gets or, once that is set, the one that it had, if any.
type Variable = (Bound, Option<Bound>);

/// Names and values as Python objects. All are made before the first is used, so that one that can't be leaves no trace.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn converted(
    names: Vec<(Vec<u16>, IntoPython)>,
    tape: Option<Box<dyn Nested>>,
) -> Result<Vec<Variable>, Failure> {
    let mut tape = tape;
    CACHE.with(|cache| {
        let mut nested = tape.as_mut().map(|tape| tape.builder(cache));
        // SAFETY: as the caller vouches.
        let convert = |(name, argument): (Vec<u16>, IntoPython)| unsafe {
            let value = match (argument, &mut nested) {
                (IntoPython::Nested, Some(nested)) => nested.build()?,
                (plain, _) => plain.into_python()?,
            };
            Ok((text(&name)?, Some(value)))
        };
        // In the place of what is converted, for both have the same size: that allocates nothing.
        names.into_iter().map(convert).collect()
    })
}

/// Set variables: all of them, or none if one can't be set.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is a `dict`.
unsafe fn set_variables(globals: &Bound, mut variables: Vec<Variable>) -> Result<(), Failure> {
    let scope = globals.as_ptr();
    // If the only one can't be set, nothing has to be undone.
    let is_undone = variables.len() > 1;
    for index in 0..variables.len() {
        let (name, value) = &mut variables[index];
        let Some(new) = value.take() else { continue };
        // SAFETY: as the caller vouches. Names are strings; but code of the program's runs where it has put keys with an `__eq__` of
        // their own into the scope. What is replaced is dropped later.
        unsafe {
            if is_undone {
                *value = Bound::from_borrowed(PyDict_GetItemWithError(scope, name.as_ptr()));
            }
            let is_failed = is_undone && value.is_none() && !PyErr_Occurred().is_null();
            if is_failed || PyDict_SetItem(scope, name.as_ptr(), new.as_ptr()) != 0 {
                restore(globals, &variables[..index]);
                return Err(Failure::fetch());
            }
        }
    }
    Ok(())
}

/// Undo the setting of variables. The exception that is set stays.
///
/// # Safety
/// The thread is attached, and the variables were set in the `dict`.
unsafe fn restore(globals: &Bound, variables: &[Variable]) {
    let (mut kind, mut value, mut traceback) = (null_mut(), null_mut(), null_mut());
    let scope = globals.as_ptr();
    // SAFETY: as the caller vouches. What is there can be replaced or removed without memory.
    unsafe {
        PyErr_Fetch(&mut kind, &mut value, &mut traceback);
        for (name, replaced) in variables.iter().rev() {
            match replaced {
                Some(replaced) => PyDict_SetItem(scope, name.as_ptr(), replaced.as_ptr()),
                None => PyDict_DelItem(scope, name.as_ptr()),
            };
        }
        PyErr_Restore(kind, value, traceback);
    }
}

/// Have `inspect` find the source of the classes that code makes in a scope.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn set_file(globals: &Bound, code: &CompiledCode, support: &Support) -> Result<(), Failure> {
    // SAFETY: attached; the arguments are live.
    let set = unsafe {
        Bound::from_owned(PyObject_CallFunctionObjArgs(
            support.set_file,
            globals.as_ptr(),
            code.object.as_ptr(),
            null_mut::<PyObject>(),
        ))
    };
    // SAFETY: attached, and the call set an exception.
    set.map(drop).ok_or_else(|| unsafe { Failure::fetch() })
}

/// A dictionary in which code finds what it does in a script.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn fresh_globals(support: &Support) -> Option<Bound> {
    // SAFETY: attached; what the dictionary gets is kept for the lifetime of the process.
    unsafe {
        let scope = Bound::from_owned(PyDict_New())?;
        let set = |name, value| PyDict_SetItem(scope.as_ptr(), name, value) == 0;
        (set(support.builtins_name, support.builtins) && set(support.name_name, support.main))
            .then_some(scope)
    }
}
