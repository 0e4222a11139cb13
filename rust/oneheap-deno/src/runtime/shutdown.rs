//! The end of the process: Python's exit functions run, and its files are flushed, within a deadline. Python is never finalised.

use std::ffi::CStr;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock};

use oneheap::{AttachState, PyMemAllocator};
use pyo3_ffi::{PyEval_RestoreThread, PyEval_SaveThread, PyGC_Disable, PyThreadState};

use crate::limits::{EXIT_TIMEOUT, MAINTENANCE_TIMEOUT};
use crate::runtime::attach::AttachGuard;
use crate::runtime::maintenance_thread::{self, RUNS_FINALIZERS};
use crate::runtime::own_code::run;
use crate::runtime::pending_decrefs::drain_pending_decrefs;
use crate::runtime::state::is_running;

/// The Python code that runs before the process ends.
const BEFORE_EXIT: &CStr =
    match CStr::from_bytes_with_nul(concat!(include_str!("before_exit.py"), "\0").as_bytes()) {
        Ok(source) => source,
        Err(_) => panic!("before_exit.py has a NUL"),
    };

/// Dropped by the maintenance thread when it has done its part of the end, for the thread that ends the process to see.
static ENDING: Mutex<Option<SyncSender<()>>> = Mutex::new(None);

/// Set when the process ends, so that the maintenance thread needn't lock [`ENDING`] before.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// Set by the thread that runs [`BEFORE_EXIT`].
static IS_FINISHING: AtomicBool = AtomicBool::new(false);

/// Work of a higher layer that is done when Python's exit functions have run.
static LAST_WORK: OnceLock<unsafe fn()> = OnceLock::new();

/// Set what is done last, attached, unless it is set.
pub fn set_last_work(work: unsafe fn()) {
    let _ = LAST_WORK.set(work);
}

/// Return whether the process is ending.
pub fn is_ending() -> bool {
    IS_ENDING.load(Ordering::Acquire)
}

/// Run exit functions and flush files, once, and report to the thread that ends the process.
pub fn finish() {
    if let Ok(_attached) = AttachGuard::enter() {
        if IS_FINISHING.swap(true, Ordering::Relaxed) {
            return;
        }
        // SAFETY: attached; no exception is set, and nothing is held here.
        unsafe {
            PyGC_Disable();
            run(BEFORE_EXIT);
            drain_pending_decrefs();
            if let Some(work) = LAST_WORK.get() {
                work();
            }
        }
    }
    // Dropping the sender wakes the thread that ends the process.
    drop(ENDING.lock().ok().and_then(|mut sender| sender.take()));
}

/// End Python's part of the process. The thread that ends the process may be attached, and won't need to be again.
pub extern "C" fn end() {
    detach();
    wait_for_finish();
}

/// Do as [`end`] where somebody else has started Python. They may be about to finalise it on this thread, attached as it
/// was; or they never do, as deno_python.
pub extern "C" fn end_as_guest() {
    let state = detach();
    if wait_for_finish() && !state.is_null() {
        // SAFETY: the thread's own state, with which it was attached until now. Python doesn't end meanwhile.
        unsafe { PyEval_RestoreThread(state) };
    }
}

/// Detach the thread, if Python runs and it is attached. Return its thread state then, or null.
fn detach() -> *mut PyThreadState {
    if !is_running() || PyMemAllocator::attach_state() != AttachState::Attached {
        return null_mut();
    }
    // SAFETY: attached to a live Python, so it can detach.
    unsafe { PyEval_SaveThread() }
}

/// Have the maintenance thread flush Python's files and run its exit functions. Return whether it did so in time.
///
/// That thread may be in a finaliser that blocks, as a file's that flushes to a full pipe. Then another one does it,
/// though exit functions find that it isn't Python's main thread.
fn wait_for_finish() -> bool {
    let Some(thread) = maintenance_thread::get() else {
        return false;
    };
    let (sender, done): (SyncSender<()>, Receiver<()>) = sync_channel(1);
    if let Ok(mut ending) = ENDING.lock() {
        *ending = Some(sender);
    }
    IS_ENDING.store(true, Ordering::Release);
    thread.unpark();
    let is_done = |time| done.recv_timeout(time) == Err(RecvTimeoutError::Disconnected);
    if is_done(MAINTENANCE_TIMEOUT) {
        return true;
    }
    if RUNS_FINALIZERS.load(Ordering::Relaxed) && !IS_FINISHING.load(Ordering::Relaxed) {
        // Where no thread can be made, the maintenance thread is waited for, as before.
        let _ = maintenance_thread::builder().spawn(finish);
    }
    is_done(EXIT_TIMEOUT - MAINTENANCE_TIMEOUT)
}
