//! Doing work within the frames of a call stack of JavaScript, so that Python's tools see who asked for it.
//!
//! Python allocates by what is on its own stack: `tracemalloc`, memray, `faulthandler`, profilers and debuggers read it. So the work is
//! called through functions of Python, one for each frame (`call_stack.py`), the last of which calls back here.

use std::cell::Cell;
use std::ffi::{CStr, c_void};
use std::ptr::{NonNull, null_mut};

use pyo3_ffi::{
    METH_O, Py_DecRef, Py_IncRef, Py_None, PyCFunction_NewEx, PyDict_GetItemString,
    PyDict_GetItemWithError, PyDict_SetItem, PyErr_Clear, PyErr_Occurred, PyLong_AsSize_t,
    PyLong_FromSize_t, PyMethodDef, PyMethodDefPointer, PyObject, PyObject_CallFunctionObjArgs,
    PyTuple_GetItem,
};

use crate::boundary::status::Status;
use crate::memory::tracking::call_stack::{CallStack, Current, with_current};
use crate::runtime::once_box::OnceBox;
use crate::runtime::own_code;
use crate::values::failure::{Failure, owned};
use crate::values::handle::Bound;
use crate::values::text::text;

const SOURCE: &CStr =
    match CStr::from_bytes_with_nul(concat!(include_str!("call_stack.py"), "\0").as_bytes()) {
        Ok(source) => source,
        Err(_) => panic!("call_stack.py has a NUL"),
    };

/// What `call_stack.py` has, and the leaf: references that are kept for the lifetime of the process.
struct Functions {
    /// `make_frames(leaf, text)`
    make_frames: *mut PyObject,
    /// The addresses of call stacks by their texts, a `dict`.
    addresses: *mut PyObject,
    /// What each stack ends with.
    leaf: *mut PyObject,
}

// SAFETY: the objects are never freed, and only attached threads do something with them.
unsafe impl Sync for Functions {}

static FUNCTIONS: OnceBox<Functions> = OnceBox::new();

/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn functions() -> Result<&'static Functions, Status> {
    FUNCTIONS.get_or_try_init(|| {
        // SAFETY: as the caller vouches.
        unsafe { load() }.ok_or_else(|| {
            // SAFETY: attached.
            unsafe { PyErr_Clear() };
            Status::OutOfMemory
        })
    })
}

/// Run `call_stack.py`.
///
/// # Safety
/// As for [`functions`].
unsafe fn load() -> Option<Functions> {
    // SAFETY: attached; each result is checked before it is passed on. The definition of the leaf lives as long as the process.
    unsafe {
        let globals = Bound::from_owned(own_code::execute(SOURCE))?;
        let global = |name: &CStr| {
            Bound::from_borrowed(PyDict_GetItemString(globals.as_ptr(), name.as_ptr()))
        };
        let definition = Box::leak(Box::new(PyMethodDef {
            ml_name: c"oneheap".as_ptr(),
            ml_meth: PyMethodDefPointer { PyCFunction: leaf },
            ml_flags: METH_O,
            ml_doc: null_mut(),
        }));
        let leaf = Bound::from_owned(PyCFunction_NewEx(definition, null_mut(), null_mut()))?;
        Some(Functions {
            make_frames: global(c"make_frames")?.into_ptr(),
            addresses: global(c"addresses")?.into_ptr(),
            leaf: leaf.into_ptr(),
        })
    }
}

/// The call stack of a text: for each frame, the innermost first, its file, its function and its line, each closed by a NUL.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn call_stack(units: &[u16]) -> Result<&'static CallStack, Failure> {
    // SAFETY: attached; arguments are live, and each result is checked.
    unsafe {
        let functions = functions()?;
        let key = text(units)?;
        let known = PyDict_GetItemWithError(functions.addresses, key.as_ptr());
        if !known.is_null() {
            return CallStack::at(PyLong_AsSize_t(known)).ok_or(Status::Invalid.into());
        }
        if !PyErr_Occurred().is_null() {
            return Err(Failure::fetch());
        }
        let frames = owned(PyObject_CallFunctionObjArgs(
            functions.make_frames,
            functions.leaf,
            key.as_ptr(),
            null_mut::<PyObject>(),
        ))?;
        let frames = NonNull::new(frames.into_ptr()).ok_or(Status::Invalid)?;
        let text = String::from_utf16_lossy(units).into_boxed_str();
        let stack = CallStack::insert(text, frames.cast()).ok_or(Status::OutOfMemory)?;
        let address = owned(PyLong_FromSize_t(stack.address()))?;
        if PyDict_SetItem(functions.addresses, key.as_ptr(), address.as_ptr()) != 0 {
            return Err(Failure::fetch());
        }
        Ok(stack)
    }
}

thread_local! {
    /// What the next leaf on this thread is to do.
    static WORK: Cell<Option<NonNull<dyn FnMut()>>> = const { Cell::new(None) };
}

/// Do some work within the frames of a call stack, if there is one; exactly once, whatever becomes of the frames. What they raise, or
/// what somebody's trace function does, is cleared.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn within<R>(current: Current, work: impl FnOnce() -> R) -> R {
    let Some(stack) = current.stack else {
        return work();
    };
    with_current(current, || {
        let mut work = Some(work);
        let mut result = None;
        let mut run = || {
            if let Some(work) = work.take() {
                result = Some(work());
            }
        };
        // SAFETY: as the caller vouches.
        unsafe { call_frames(stack.frames, &mut run) };
        // Where no leaf was reached: at the end of Python's recursion limit, or of memory.
        run();
        // Done above, if it wasn't before.
        result.unwrap_or_else(|| std::process::abort())
    })
}

/// Call the frames of a stack, and have the leaf do some work.
///
/// # Safety
/// The thread is attached, no exception is set, and the frames are those of a [`CallStack`].
unsafe fn call_frames(frames: NonNull<c_void>, run: &mut dyn FnMut()) {
    let run: NonNull<dyn FnMut() + '_> = NonNull::from(run);
    // SAFETY: only the lifetime changes. The cell has the pointer no longer than this call, during which the work is borrowed.
    let run = unsafe {
        std::mem::transmute::<NonNull<dyn FnMut() + '_>, NonNull<dyn FnMut() + 'static>>(run)
    };
    let outer = WORK.replace(Some(run));
    let frames: *mut PyObject = frames.as_ptr().cast();
    // SAFETY: as the caller vouches: a pair of what is called, and of what it is called with, both of which it keeps.
    unsafe {
        let result = PyObject_CallFunctionObjArgs(
            PyTuple_GetItem(frames, 0),
            PyTuple_GetItem(frames, 1),
            null_mut::<PyObject>(),
        );
        WORK.set(outer);
        if result.is_null() {
            PyErr_Clear();
        } else {
            Py_DecRef(result);
        }
    }
}

/// The end of each stack: does what is to be done, if it wasn't yet.
///
/// # Safety
/// Called by Python.
unsafe extern "C" fn leaf(_module: *mut PyObject, _argument: *mut PyObject) -> *mut PyObject {
    if let Some(mut run) = WORK.take() {
        // SAFETY: `call_frames`, on this thread, is waiting for this call, and has lent the work to nobody else.
        unsafe { run.as_mut()() };
    }
    // SAFETY: attached.
    unsafe {
        let none = Py_None();
        Py_IncRef(none);
        none
    }
}
