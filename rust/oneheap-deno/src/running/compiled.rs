//! Compiled code, kept for the next time that the same source is run.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3_ffi::{
    PyObject, PyObject_CallFunctionObjArgs, PyObject_IsTrue, PyTuple_GetItem,
    PyUnicode_FromStringAndSize, PyUnicode_InternFromString,
};

use crate::limits::{MAX_COMPILED_SOURCE_UNITS, MAX_COMPILED_SOURCES};
use crate::values::failure::Failure;
use crate::values::fallible;
use crate::values::handle::{Bound, Py};
use crate::values::support::Support;
use crate::values::text::text;

/// What kind of source it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Statements.
    Run,
    /// One expression.
    Eval,
}

/// Compiled code.
pub struct CompiledCode {
    pub object: Bound,
    /// Whether it makes functions, or handles exceptions: these, and frames, refer to the scope.
    pub may_keep_scope: bool,
    /// Whether it makes classes.
    pub makes_classes: bool,
}

struct Entry {
    mode: Mode,
    source: Vec<u16>,
    code: Py,
    may_keep_scope: bool,
    makes_classes: bool,
}

static TABLE: Mutex<[Option<Entry>; MAX_COMPILED_SOURCES]> =
    Mutex::new([const { None }; MAX_COMPILED_SOURCES]);

/// The code for a source, compiled now or before.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn compiled(
    mode: Mode,
    source: &[u16],
    support: &Support,
) -> Result<CompiledCode, Failure> {
    if source.len() > MAX_COMPILED_SOURCE_UNITS {
        // SAFETY: as the caller vouches.
        return unsafe { compile(mode, source, support) };
    }
    let place = place(mode, source);
    // SAFETY: as the caller vouches.
    unsafe {
        if let Some(code) = find(place, mode, source) {
            return Ok(code);
        }
        let code = compile(mode, source, support)?;
        // What can't be kept is compiled again.
        let (Some(object), Ok(source)) = (
            Bound::from_borrowed(code.object.as_ptr()),
            fallible::copied(source),
        ) else {
            return Ok(code);
        };
        let entry = Entry {
            mode,
            source,
            code: object.into(),
            may_keep_scope: code.may_keep_scope,
            makes_classes: code.makes_classes,
        };
        let replaced = TABLE
            .lock()
            .ok()
            .and_then(|mut table| table[place].replace(entry));
        // Here, where the table isn't locked any more.
        drop(replaced);
        Ok(code)
    }
}

fn place(mode: Mode, source: &[u16]) -> usize {
    let mut hasher = DefaultHasher::new();
    (mode, source).hash(&mut hasher);
    hasher.finish() as usize % MAX_COMPILED_SOURCES
}

/// The code that is kept for exactly this source.
///
/// # Safety
/// The thread is attached.
unsafe fn find(place: usize, mode: Mode, source: &[u16]) -> Option<CompiledCode> {
    let table = TABLE.lock().ok()?;
    let entry = table[place].as_ref()?;
    if entry.mode != mode || entry.source != source {
        return None;
    }
    // SAFETY: attached; the entry keeps the object alive while the table is locked. Counting a reference runs no code.
    let object = unsafe { Bound::from_borrowed(entry.code.as_ptr()) }?;
    Some(CompiledCode {
        object,
        may_keep_scope: entry.may_keep_scope,
        makes_classes: entry.makes_classes,
    })
}

/// The number in the next file name. Counted here, for Python has no counter that is safe without a GIL and needs no lock.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Compile a source, under a file name that no other has.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn compile(mode: Mode, source: &[u16], support: &Support) -> Result<CompiledCode, Failure> {
    let mode = match mode {
        Mode::Run => c"run",
        Mode::Eval => c"eval",
    };
    // SAFETY: attached; arguments are live, and the result is a tuple of three.
    unsafe {
        let source = text(source)?;
        let name = format!(
            "<python.{} {}>",
            mode.to_string_lossy(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let call = || {
            let name = Bound::from_owned(PyUnicode_FromStringAndSize(
                name.as_ptr().cast(),
                name.len() as isize,
            ))?;
            let mode = Bound::from_owned(PyUnicode_InternFromString(mode.as_ptr()))?;
            let compiled = Bound::from_owned(PyObject_CallFunctionObjArgs(
                support.compile,
                source.as_ptr(),
                mode.as_ptr(),
                name.as_ptr(),
                null_mut::<PyObject>(),
            ))?;
            Some(CompiledCode {
                object: Bound::from_borrowed(PyTuple_GetItem(compiled.as_ptr(), 0))?,
                may_keep_scope: PyObject_IsTrue(PyTuple_GetItem(compiled.as_ptr(), 1)) == 1,
                makes_classes: PyObject_IsTrue(PyTuple_GetItem(compiled.as_ptr(), 2)) == 1,
            })
        };
        call().ok_or_else(|| Failure::fetch())
    }
}
