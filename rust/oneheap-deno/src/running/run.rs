//! Running Python code: compiled once, in a scope of its own or in a given one.

use std::sync::Arc;

use pyo3_ffi::{PyDict_New, PyDict_SetItem, PyEval_EvalCode};

use crate::objects::failure::Failure;
use crate::objects::object::{Held, Object};
use crate::objects::support::{Support, support};
use crate::objects::text::text;
use crate::objects::value::Argument;
use crate::running::compiled::{Mode, compiled};
use crate::running::fresh_scope;

/// Code to run, and what it is given.
pub struct Program {
    pub mode: Mode,
    /// UTF-16, as JavaScript has it.
    pub source: Vec<u16>,
    /// The dictionary to run in; without one, a fresh one.
    pub scope: Option<Arc<Held>>,
    /// What is set in the dictionary before.
    pub names: Vec<(Vec<u16>, Argument)>,
}

impl Program {
    /// Runs the code, and gives what the expression came to; `None` for statements. `turn` is given the running of the code
    /// itself, without what comes before and after, and may leave it, with an exception set.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    pub unsafe fn run(
        self,
        turn: impl FnOnce(&dyn Fn() -> Option<Object>) -> Option<Object>,
    ) -> Result<Object, Failure> {
        // SAFETY: as the caller vouches.
        let support = unsafe { support() }?;
        let Self {
            mode,
            source,
            scope,
            names,
        } = self;
        let is_fresh = scope.is_none();
        let gives_objects = names
            .iter()
            .any(|(_, argument)| matches!(argument, Argument::Block(_) | Argument::Object(_)));
        // SAFETY: attached; objects are live, and each result is checked.
        unsafe {
            let code = compiled(mode, &source, support)?;
            let names = converted(names)?;
            let globals = match scope {
                Some(scope) => Object::borrowed(scope.as_ptr()),
                None => new_scope(support),
            };
            let globals = globals.ok_or_else(|| Failure::fetch())?;
            for (name, value) in names {
                if PyDict_SetItem(globals.as_ptr(), name.as_ptr(), value.as_ptr()) != 0 {
                    return Err(Failure::fetch());
                }
            }
            let (run, scope) = (code.object.as_ptr(), globals.as_ptr());
            let result = turn(&|| Object::owned(PyEval_EvalCode(run, scope, scope)));
            let result = result.ok_or_else(|| Failure::fetch());
            let may_keep = code.may_keep_scope || result.is_err();
            if is_fresh && (may_keep || gives_objects) {
                fresh_scope::free(globals, support, may_keep && gives_objects);
            }
            result
        }
    }
}

/// Names and values as Python objects. All are made before the first is used, so that one that can't be leaves no trace.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn converted(names: Vec<(Vec<u16>, Argument)>) -> Result<Vec<(Object, Object)>, Failure> {
    // SAFETY: as the caller vouches.
    let convert = |(name, argument): (Vec<u16>, Argument)| unsafe {
        Ok((text(&name)?, argument.into_python()?))
    };
    names.into_iter().map(convert).collect()
}

/// A dictionary in which code finds what it does in a script.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn new_scope(support: &Support) -> Option<Object> {
    // SAFETY: attached; what the dictionary gets is kept for the life of the process.
    unsafe {
        let scope = Object::owned(PyDict_New())?;
        let set = |name, value| PyDict_SetItem(scope.as_ptr(), name, value) == 0;
        (set(support.builtins_name, support.builtins) && set(support.name_name, support.main))
            .then_some(scope)
    }
}
