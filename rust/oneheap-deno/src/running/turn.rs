//! A turn of Python code on a thread, and interrupting that code and no other.
//!
//! `PyThreadState_SetAsyncExc` has a thread raise an exception at its next opportunity, whatever it runs by then. So each
//! piece of code has a turn of its own: only while that runs is the exception set, the code's thread doesn't end the turn
//! while it is being set, and takes it back if it came too late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread::yield_now;

use pyo3_ffi::{
    PyErr_SetString, PyExc_KeyboardInterrupt, PyThread_get_thread_ident, PyThreadState_SetAsyncExc,
};

use crate::attach::{Scope, let_go_while};
use crate::objects::object::Object;
use crate::running::pool;

/// The code has not begun.
const WAITING: u8 = 0;
/// The code runs.
const RUNNING: u8 = 1;
/// Another thread is setting the exception; the turn goes on.
const INTERRUPTING: u8 = 2;
/// The code has ended.
const ENDED: u8 = 3;
/// It was interrupted before it began, and won't.
const CANCELLED: u8 = 4;

/// One piece of code's time on a thread.
pub struct Turn {
    stage: AtomicU8,
    /// Python's number of the thread, from the beginning on.
    thread: AtomicU64,
}

impl Turn {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            stage: AtomicU8::new(WAITING),
            thread: AtomicU64::new(0),
        })
    }

    /// Runs the code as this turn. None with an exception set, as for the code itself, if it was interrupted before.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    pub unsafe fn take(&self, code: &dyn Fn() -> Option<Object>) -> Option<Object> {
        // SAFETY: as the caller vouches.
        unsafe {
            // What somebody else has set for this thread is not for this code.
            set_exception(PyThread_get_thread_ident() as u64, std::ptr::null_mut());
            if !self.begin() {
                PyErr_SetString(
                    PyExc_KeyboardInterrupt,
                    c"interrupted before the code began".as_ptr(),
                );
                return None;
            }
            let result = code();
            self.end();
            result
        }
    }

    fn begin(&self) -> bool {
        // SAFETY: callable on any thread.
        let thread = unsafe { PyThread_get_thread_ident() };
        self.thread.store(thread as u64, Ordering::Relaxed);
        // Release: who sees that the code runs sees on which thread.
        self.stage
            .compare_exchange(WAITING, RUNNING, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// The code has ended: no exception is set for it from now on, and one that wasn't raised yet is taken back.
    ///
    /// # Safety
    /// The thread is attached.
    unsafe fn end(&self) {
        let ended = || {
            self.stage
                .compare_exchange(RUNNING, ENDED, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        };
        while !ended() {
            // The thread that sets the exception may have to wait for this one to detach.
            let_go_while(yield_now);
        }
        // SAFETY: as the caller vouches.
        unsafe { set_exception(self.thread.load(Ordering::Relaxed), std::ptr::null_mut()) };
    }

    /// Has the code raise `KeyboardInterrupt`, if it hasn't ended; if it hasn't begun, it won't. Waits for nothing: a thread of
    /// the pool takes the GIL for it.
    pub fn interrupt(self: Arc<Self>) {
        let cancelled = self
            .stage
            .compare_exchange(WAITING, CANCELLED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if cancelled {
            return;
        }
        // Without a thread for it the code goes on, which is what it does too where it can't be interrupted.
        let _ = pool::submit(move || self.raise());
    }

    fn raise(&self) {
        let Ok(_attached) = Scope::enter() else {
            return;
        };
        let claimed = self
            .stage
            .compare_exchange(RUNNING, INTERRUPTING, Ordering::Acquire, Ordering::Relaxed)
            .is_ok();
        if !claimed {
            return;
        }
        // SAFETY: attached; the code's thread doesn't end its turn before the next line, so it is this code that raises.
        unsafe { set_exception(self.thread.load(Ordering::Relaxed), PyExc_KeyboardInterrupt) };
        self.stage.store(RUNNING, Ordering::Release);
    }
}

/// Sets the exception that a thread is to raise, or takes it back.
///
/// # Safety
/// The thread is attached.
unsafe fn set_exception(thread: u64, exception: *mut pyo3_ffi::PyObject) {
    // SAFETY: as the caller vouches; a thread that is gone is not found.
    unsafe { PyThreadState_SetAsyncExc(thread as std::ffi::c_long, exception) };
}
