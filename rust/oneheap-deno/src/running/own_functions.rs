//! The functions of `own_functions.py`, `packages.py` and `notebook.py`, which TypeScript calls by their names.

use std::ffi::CStr;

use pyo3_ffi::{PyDict_GetItemWithError, PyErr_Clear, PyObject};

use crate::boundary::status::Status;
use crate::runtime::once_box::OnceBox;
use crate::runtime::own_code;
use crate::values::failure::Failure;
use crate::values::handle::{Bound, Py};
use crate::values::text::text;

/// The source of a file, as Python takes it.
macro_rules! source {
    ($name:literal) => {
        match CStr::from_bytes_with_nul(concat!(include_str!($name), "\0").as_bytes()) {
            Ok(source) => source,
            Err(_) => panic!("a source has a NUL"),
        }
    };
}

/// A file of functions, which runs when one is first looked for in it.
struct File {
    source: &'static CStr,
    functions: OnceBox<Functions>,
}

/// The files, in the order in which a name is looked for: what most programs use comes first.
static FILES: [File; 3] = [
    File::new(source!("own_functions.py")),
    File::new(source!("packages.py")),
    File::new(source!("notebook.py")),
];

/// The globals of a file.
struct Functions(*mut PyObject);

// SAFETY: the dictionary is never freed, and only attached threads do something with it.
unsafe impl Sync for Functions {}

impl File {
    const fn new(source: &'static CStr) -> Self {
        Self {
            source,
            functions: OnceBox::new(),
        }
    }

    /// # Safety
    /// The thread is attached, and no exception is set.
    unsafe fn functions(&'static self) -> Result<&'static Functions, Status> {
        self.functions.get_or_try_init(|| {
            // SAFETY: attached; what is kept is never freed.
            unsafe {
                match Bound::from_owned(own_code::execute(self.source)) {
                    Some(globals) => Ok(Functions(globals.into_ptr())),
                    None => {
                        PyErr_Clear();
                        Err(Status::OutOfMemory)
                    }
                }
            }
        })
    }
}

/// The function of that name. The first call runs the file.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn own_function(name: &[u16]) -> Result<Py, Failure> {
    // SAFETY: attached; the name and the dictionaries are live.
    unsafe {
        let name = text(name)?;
        for file in &FILES {
            let functions = file.functions()?;
            let found = Bound::from_borrowed(PyDict_GetItemWithError(functions.0, name.as_ptr()));
            PyErr_Clear();
            if let Some(found) = found {
                return Ok(Py::from(found));
            }
        }
        Err(Failure::Status(Status::Invalid))
    }
}
