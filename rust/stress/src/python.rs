//! Python in this process: start, end, code to run, and the attachment of threads.

use std::ffi::{CStr, c_void};
use std::ptr::null_mut;

use oneheap::PyMemAllocator;
use pyo3_ffi::{
    Py_CompileString, Py_DecRef, Py_FinalizeEx, Py_GetVersion, Py_InitializeEx, Py_file_input,
    PyDict_New, PyDict_SetItemString, PyErr_Print, PyEval_EvalCode, PyEval_GetBuiltins,
    PyEval_RestoreThread, PyEval_SaveThread, PyGILState_Ensure, PyGILState_Release,
    PyGILState_STATE, PyThreadState,
};

/// A function that the stable ABI lacks.
///
/// # Safety
/// `F` is the type of the function of that name.
pub unsafe fn function<F: Copy>(name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: a C string.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    // SAFETY: the caller's promise; a function's address is as long as a pointer.
    (!address.is_null()).then(|| unsafe { std::mem::transmute_copy(&address) })
}

/// The version, as "3.11.7".
pub fn version() -> &'static str {
    full_version().split(' ').next().unwrap_or_default()
}

/// Return whether threads may be attached at the same time.
pub fn is_free_threaded() -> bool {
    full_version().contains("free-threading")
}

fn full_version() -> &'static str {
    // SAFETY: a static C string, at any time.
    unsafe { CStr::from_ptr(Py_GetVersion()) }
        .to_str()
        .expect("the version is ASCII")
}

/// Start Python on the calling thread; the thread is detached after.
pub fn start() -> Attachment {
    // SAFETY: Python is not running, and the thread has no thread state; it is attached after.
    let state = unsafe {
        Py_InitializeEx(0);
        // The first attached thread registers for Python's end. Others count as detached meanwhile, which without a GIL
        // the scenarios' threads could meet.
        PyMemAllocator::attach_state();
        PyEval_SaveThread()
    };
    Attachment {
        state,
        is_attached: false,
    }
}

/// End Python.
///
/// # Safety
/// `main` is what [`start`] returned on this thread; no other thread is or will be attached.
pub unsafe fn finalise(mut main: Attachment) {
    // SAFETY: the caller's promise.
    let code = unsafe {
        main.attach();
        Py_FinalizeEx()
    };
    assert_eq!(code, 0, "Py_FinalizeEx failed");
}

/// Run Python code in the interpreter that the calling thread is attached to.
///
/// # Safety
/// The thread is attached.
pub unsafe fn run(code: &CStr) {
    // SAFETY: attached; the references are this function's own until they are decref'ed.
    let is_done = unsafe {
        let globals = PyDict_New();
        PyDict_SetItemString(globals, c"__builtins__".as_ptr(), PyEval_GetBuiltins());
        let compiled = Py_CompileString(code.as_ptr(), c"stress".as_ptr(), Py_file_input);
        let result = match compiled.is_null() {
            true => null_mut(),
            false => PyEval_EvalCode(compiled, globals, globals),
        };
        if result.is_null() {
            PyErr_Print();
        }
        for object in [compiled, globals, result] {
            Py_DecRef(object);
        }
        !result.is_null()
    };
    assert!(is_done, "Python code failed");
}

/// A thread's own Python thread state, made once and kept.
///
/// A state made while `tracemalloc` stops crashes CPython 3.11 to 3.13, so threads make it before.
pub struct Attachment {
    state: *mut PyThreadState,
    is_attached: bool,
}

impl Attachment {
    /// Make the calling thread's state; the thread is detached after.
    ///
    /// # Safety
    /// Python runs and doesn't end meanwhile; the thread has no state.
    pub unsafe fn new() -> Self {
        // SAFETY: the caller's promise. The count that `Ensure` takes keeps the state until `end`.
        let state = unsafe {
            PyGILState_Ensure();
            PyEval_SaveThread()
        };
        // Some by the place in memory alone: the others are found attached the longer way.
        if state.addr() & 0x100 == 0 {
            // SAFETY: the thread's own, until `end`.
            unsafe { PyMemAllocator::register_thread_state(state.cast()) };
        }
        Self {
            state,
            is_attached: false,
        }
    }

    pub fn state(&self) -> *mut PyThreadState {
        self.state
    }

    /// # Safety
    /// Python runs, in the lifetime in which the state was made, and doesn't end before [`detach`](Self::detach).
    pub unsafe fn attach(&mut self) {
        assert!(!self.is_attached);
        // SAFETY: the caller's promise; the thread's own state.
        unsafe { PyEval_RestoreThread(self.state) };
        self.is_attached = true;
    }

    pub fn detach(&mut self) {
        assert!(self.is_attached);
        self.is_attached = false;
        // SAFETY: the thread is attached.
        let state = unsafe { PyEval_SaveThread() };
        assert_eq!(state, self.state);
    }

    /// Delete the state; the thread is detached after.
    ///
    /// # Safety
    /// As for [`attach`](Self::attach).
    pub unsafe fn end(mut self) {
        if !self.is_attached {
            // SAFETY: the caller's promise.
            unsafe { self.attach() };
        }
        PyMemAllocator::unregister_thread_state(self.state.cast());
        // SAFETY: attached, with the state whose count `new` took.
        unsafe { PyGILState_Release(PyGILState_STATE::PyGILState_UNLOCKED) };
    }
}
