//! The functions of `own_functions.py`, which TypeScript calls by their names.

use std::ffi::CStr;

use pyo3_ffi::{PyDict_GetItemWithError, PyErr_Clear, PyObject};

use crate::boundary::status::Status;
use crate::runtime::once_box::OnceBox;
use crate::runtime::own_code;
use crate::values::failure::Failure;
use crate::values::handle::{Bound, Py};
use crate::values::text::text;

const SOURCE: &CStr =
    match CStr::from_bytes_with_nul(concat!(include_str!("own_functions.py"), "\0").as_bytes()) {
        Ok(source) => source,
        Err(_) => panic!("own_functions.py has a NUL"),
    };

/// The globals of `own_functions.py`.
struct Functions(*mut PyObject);

// SAFETY: the dictionary is never freed, and only attached threads do something with it.
unsafe impl Sync for Functions {}

static FUNCTIONS: OnceBox<Functions> = OnceBox::new();

/// The function of that name. The first call runs the file.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn own_function(name: &[u16]) -> Result<Py, Failure> {
    let functions = FUNCTIONS.get_or_try_init(|| {
        // SAFETY: attached; what is kept is never freed.
        unsafe {
            match Bound::from_owned(own_code::execute(SOURCE)) {
                Some(globals) => Ok(Functions(globals.into_ptr())),
                None => {
                    PyErr_Clear();
                    Err(Status::OutOfMemory)
                }
            }
        }
    })?;
    // SAFETY: attached; the name and the dictionary are live.
    unsafe {
        let name = text(name)?;
        let found = Bound::from_borrowed(PyDict_GetItemWithError(functions.0, name.as_ptr()));
        PyErr_Clear();
        found.map(Py::from).ok_or(Failure::Status(Status::Invalid))
    }
}
