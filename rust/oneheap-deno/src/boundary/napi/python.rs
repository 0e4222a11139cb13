//! Running work in Python for a call from JavaScript.

use crate::runtime::attach::with_python;
use crate::values::failure::Failure;

/// Do some work while attached to Python, which may run Python code. That the thread can't be attached is a failure, too.
pub fn python<R>(work: impl FnOnce() -> Result<R, Failure>) -> Result<R, Failure> {
    with_python(work).unwrap_or_else(|status| Err(status.into()))
}
