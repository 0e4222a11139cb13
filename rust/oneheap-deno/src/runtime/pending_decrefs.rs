//! References and buffers of Python objects that threads give up which can't decref them: V8's collector, say.
//!
//! They are pushed on a list, which an attached thread drains where Python code may run: a decref can run any Python code (`__del__`),
//! which must not happen within a collection of V8's.

use std::cell::Cell;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3_ffi::{Py_DecRef, Py_buffer, PyBuffer_Release, PyObject};

use crate::runtime::maintenance_thread::wake;

/// What an attached thread has to decref or to release.
pub enum PendingDecref {
    /// A reference to an object.
    Object(NonNull<PyObject>),
    /// A buffer that `PyObject_GetBuffer` filled, in a box that was leaked.
    Buffer(NonNull<Py_buffer>),
}

/// A node of the list of releases.
struct Node {
    decref: PendingDecref,
    next: *mut Node,
}

/// A stack: one node is pushed at a time and all are taken at once, so no node is met twice.
static PENDING: AtomicPtr<Node> = AtomicPtr::new(null_mut());

thread_local! {
    /// This thread is about to empty the list.
    static DRAINS_ITSELF: Cell<bool> = const { Cell::new(false) };
}

/// Do some work that pushes what this thread drains right after. The maintenance thread is not to drain it first:
/// without a GIL, what another thread decrefs is freed by the one that made it, the next time that it runs Python code.
pub fn before_own_decrefs<R>(work: impl FnOnce() -> R) -> R {
    DRAINS_ITSELF.set(true);
    let result = work();
    DRAINS_ITSELF.set(false);
    result
}

impl PendingDecref {
    /// Put this on the list, on any thread; the maintenance thread is woken when there was none, so that it doesn't stay.
    pub fn push(self) {
        let node = Box::into_raw(Box::new(Node {
            decref: self,
            next: null_mut(),
        }));
        let mut head = PENDING.load(Ordering::Relaxed);
        loop {
            // SAFETY: the node is this thread's alone until the exchange.
            unsafe { (*node).next = head };
            match PENDING.compare_exchange_weak(head, node, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(other) => head = other,
            }
        }
        if head.is_null() && !DRAINS_ITSELF.get() {
            wake();
        }
    }

    /// Decref the object, or release the buffer.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    unsafe fn perform(self) {
        match self {
            // SAFETY: the reference that a `Py` had.
            Self::Object(object) => unsafe { Py_DecRef(object.as_ptr()) },
            Self::Buffer(buffer) => {
                // SAFETY: the buffer of a `BufferGuard`, which is gone; released once.
                unsafe { PyBuffer_Release(buffer.as_ptr()) };
                // SAFETY: made by `Box::leak` in `BufferGuard::new`.
                drop(unsafe { Box::from_raw(buffer.as_ptr()) });
            }
        }
    }
}

/// Return whether a decref or a release is pending. One relaxed load.
pub fn has_pending_decrefs() -> bool {
    !PENDING.load(Ordering::Relaxed).is_null()
}

/// Perform all pending decrefs and releases. Any Python code may run.
///
/// # Safety
/// The thread is attached, no exception is set, and the caller holds nothing that Python code could ask for.
pub unsafe fn drain_pending_decrefs() {
    if !has_pending_decrefs() {
        return;
    }
    let mut node = PENDING.swap(null_mut(), Ordering::Acquire);
    while !node.is_null() {
        // SAFETY: taken off the list, so it is this thread's alone; made by `Box::into_raw` in `push`.
        let taken = unsafe { Box::from_raw(node) };
        node = taken.next;
        // SAFETY: as the caller vouches; what Python code raises in here, Python itself reports.
        unsafe { taken.decref.perform() };
    }
}
