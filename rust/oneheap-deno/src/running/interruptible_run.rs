//! A run of Python code on a thread that can be interrupted, and no other code by it.
//!
//! `PyThreadState_SetAsyncExc` has a thread raise an exception at its next opportunity, whatever it runs by then. So each
//! piece of code has a run of its own: only while that runs is the exception set, the code's thread doesn't end the run
//! while it is being set, and discards it if it came too late.

use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, Ordering};
use std::thread::yield_now;

use pyo3_ffi::{
    PyErr_Fetch, PyErr_Restore, PyErr_SetString, PyExc_KeyboardInterrupt, PyThread_get_thread_ident,
};

use crate::running::{async_exception, pool};
use crate::runtime::attach::{AttachGuard, detach_for};
use crate::runtime::maintenance::{UrgentWork, set_urgent_work};
use crate::runtime::maintenance_thread;
use crate::values::handle::Bound;

/// The code has not begun.
const WAITING: u8 = 0;
/// The code runs.
const RUNNING: u8 = 1;
/// Another thread is setting the exception; the run goes on.
const INTERRUPTING: u8 = 2;
/// The code runs, and the exception was set for it; whether the code has raised it isn't known.
const INTERRUPTED: u8 = 3;
/// The code has ended.
const ENDED: u8 = 4;
/// It was interrupted before it began, and won't.
const CANCELLED: u8 = 5;

/// One piece of code's time on a thread.
pub struct InterruptibleRun {
    stage: AtomicU8,
    /// Python's number of the thread, from the beginning on.
    thread: AtomicU64,
    /// It is in the list of runs to be interrupted.
    listed: AtomicBool,
    /// The next one of that list, which belongs to whoever put this one there until it is published, and then to who takes it.
    next: AtomicPtr<Self>,
}

/// The runs to be interrupted, linked in themselves, so that adding one allocates nothing and can't fail: a stack, of which all are
/// taken at once. Each one owns a count of its `Arc`.
static LISTED: AtomicPtr<InterruptibleRun> = AtomicPtr::new(null_mut());

/// A thread of the pool is about to take the list.
static THREAD_COMES: AtomicBool = AtomicBool::new(false);

impl InterruptibleRun {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            stage: AtomicU8::new(WAITING),
            thread: AtomicU64::new(0),
            listed: AtomicBool::new(false),
            next: AtomicPtr::new(null_mut()),
        })
    }

    /// Run the code as this run. None with an exception set, as for the code itself, if it was interrupted before.
    ///
    /// # Safety
    /// The thread is attached, it runs no Python code, and no exception is set.
    pub unsafe fn take(&self, code: &dyn Fn() -> Option<Bound>) -> Option<Bound> {
        // SAFETY: as the caller vouches.
        unsafe {
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
        self.changes(WAITING, RUNNING, Ordering::Release)
    }

    /// Change the stage, if it is as expected.
    fn changes(&self, from: u8, to: u8, ordering: Ordering) -> bool {
        self.stage
            .compare_exchange(from, to, ordering, Ordering::Relaxed)
            .is_ok()
    }

    /// The code has ended: no exception is set for it from now on, and one that wasn't raised yet is discarded. The exception that
    /// the code raised stays set.
    ///
    /// # Safety
    /// The thread is attached, and it runs no Python code.
    unsafe fn end(&self) {
        loop {
            if self.changes(RUNNING, ENDED, Ordering::AcqRel) {
                return;
            }
            if self.changes(INTERRUPTED, ENDED, Ordering::AcqRel) {
                break;
            }
            // The thread that sets the exception may have to wait for this one to detach.
            detach_for(yield_now);
        }
        let (mut kind, mut value, mut traceback) = (null_mut(), null_mut(), null_mut());
        // SAFETY: as the caller vouches; the three are owned or null, and go back to where they were.
        unsafe {
            PyErr_Fetch(&mut kind, &mut value, &mut traceback);
            async_exception::discard();
            PyErr_Restore(kind, value, traceback);
        }
    }

    /// Have the code raise `KeyboardInterrupt`, if it hasn't ended; if it hasn't begun, it won't. Waits for nothing: another thread
    /// takes the GIL for it, Python's own where none can be made.
    pub fn interrupt(self: Arc<Self>) {
        if self.changes(WAITING, CANCELLED, Ordering::AcqRel) {
            return;
        }
        self.list();
        // One that comes takes the list after it has reset this, and so sees what was listed before.
        if THREAD_COMES.swap(true, Ordering::AcqRel) {
            return;
        }
        let raise = || {
            if let Ok(_attached) = AttachGuard::enter() {
                THREAD_COMES.swap(false, Ordering::AcqRel);
                // SAFETY: attached.
                unsafe { raise_listed() };
            }
        };
        if pool::submit(raise).is_err() {
            THREAD_COMES.store(false, Ordering::Release);
            set_urgent_work(UrgentWork {
                is_pending: interrupts_wait,
                perform: raise_listed,
            });
            maintenance_thread::wake();
        }
    }

    /// Put this into the list, unless it is there.
    fn list(self: Arc<Self>) {
        if self.listed.swap(true, Ordering::AcqRel) {
            return;
        }
        let run = Arc::into_raw(self).cast_mut();
        let mut head = LISTED.load(Ordering::Relaxed);
        loop {
            // SAFETY: the list will own this count of the run, and this is the only thread that lists it.
            unsafe { &*run }.next.store(head, Ordering::Relaxed);
            match LISTED.compare_exchange_weak(head, run, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => head = other,
            }
        }
    }

    /// Set the exception for the code, if it runs.
    ///
    /// # Safety
    /// The thread is attached.
    unsafe fn raise(&self) {
        let claimed = self.changes(RUNNING, INTERRUPTING, Ordering::Acquire)
            || self.changes(INTERRUPTED, INTERRUPTING, Ordering::Acquire);
        if !claimed {
            return;
        }
        // SAFETY: attached; the code's thread doesn't end its run before the next line, so it is this code that raises.
        unsafe {
            async_exception::set(self.thread.load(Ordering::Relaxed), PyExc_KeyboardInterrupt)
        };
        self.stage.store(INTERRUPTED, Ordering::Release);
    }
}

/// Return whether there are runs to be interrupted. One relaxed load.
pub fn interrupts_wait() -> bool {
    !LISTED.load(Ordering::Relaxed).is_null()
}

/// Interrupt the runs that are to be interrupted, if there are any. The thread is not attached.
pub fn carry_out_interrupts() {
    if interrupts_wait()
        && let Ok(_attached) = AttachGuard::enter()
    {
        // SAFETY: attached.
        unsafe { raise_listed() };
    }
}

/// Interrupt the runs that are to be interrupted.
///
/// # Safety
/// The thread is attached.
pub unsafe fn raise_listed() {
    let mut next = LISTED.swap(null_mut(), Ordering::Acquire);
    while !next.is_null() {
        // SAFETY: the list owned a count of it, which is this thread's now.
        let run = unsafe { Arc::from_raw(next) };
        next = run.next.load(Ordering::Relaxed);
        // From here on it may be listed again, for another interruption.
        run.listed.store(false, Ordering::Release);
        // SAFETY: as the caller vouches.
        unsafe { run.raise() };
    }
}
