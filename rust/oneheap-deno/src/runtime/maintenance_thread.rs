//! The handle of the maintenance thread: what wakes it, from any layer and in any state of the calling thread.

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::thread::{Builder, Thread};

use crate::limits::THREAD_STACK_BYTES;

static MAINTENANCE_THREAD: OnceLock<Thread> = OnceLock::new();

/// Set while the maintenance thread decrefs objects, so that finalisers may run on it, and block it.
pub static RUNS_FINALIZERS: AtomicBool = AtomicBool::new(false);

/// Return the thread; none before Python has started.
pub fn get() -> Option<&'static Thread> {
    MAINTENANCE_THREAD.get()
}

/// Set the thread, unless it is set.
pub fn set(thread: Thread) {
    let _ = MAINTENANCE_THREAD.set(thread);
}

/// Wake the thread, if it sleeps, to look for what there is to do. Takes no lock and allocates nothing.
pub fn wake() {
    if let Some(thread) = MAINTENANCE_THREAD.get() {
        thread.unpark();
    }
}

/// Return what makes a thread of this library's on which Python may run.
pub fn builder() -> Builder {
    Builder::new()
        .name("oneheap-python".into())
        .stack_size(THREAD_STACK_BYTES)
}
