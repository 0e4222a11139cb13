//! Strong references to Python objects, and how they are let go on threads that aren't attached.
//!
//! [`Object`] belongs to attached code: it is made, used and dropped there. [`Held`] may be dropped on any thread, also
//! by V8's collector: what it held goes on a list, which an attached thread empties where Python code may run. Letting go
//! of an object can run any Python code (`__del__`), which must not happen within a collection of V8's.

use std::cell::Cell;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3_ffi::{Py_DecRef, Py_IncRef, Py_buffer, PyBuffer_Release, PyObject};

use crate::runtime::python;

/// A strong reference that belongs to an attached thread.
pub struct Object(NonNull<PyObject>);

impl Object {
    /// Takes over a new reference, as most of Python's functions return one; none for their null, which stands for an
    /// exception.
    ///
    /// # Safety
    /// The thread is attached until the result is dropped, and the caller owns the reference.
    pub unsafe fn owned(object: *mut PyObject) -> Option<Self> {
        NonNull::new(object).map(Self)
    }

    /// Takes a reference of its own to an object that somebody else keeps alive for now.
    ///
    /// # Safety
    /// The thread is attached until the result is dropped, and the object is live or null.
    pub unsafe fn borrowed(object: *mut PyObject) -> Option<Self> {
        // SAFETY: as the caller vouches; null does nothing.
        unsafe { Py_IncRef(object) };
        NonNull::new(object).map(Self)
    }

    /// The object, which this keeps alive.
    pub fn as_ptr(&self) -> *mut PyObject {
        self.0.as_ptr()
    }

    /// Gives the reference to the caller.
    pub fn into_ptr(self) -> *mut PyObject {
        let object = self.0.as_ptr();
        std::mem::forget(self);
        object
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: the thread is attached, as `owned` and `borrowed` ask, and the reference is this one's own.
        unsafe { Py_DecRef(self.0.as_ptr()) };
    }
}

/// A strong reference that may be kept and dropped on any thread.
pub struct Held(NonNull<PyObject>);

// SAFETY: only attached threads look at the object, and dropping leaves it to one of them.
unsafe impl Send for Held {}
// SAFETY: as above.
unsafe impl Sync for Held {}

impl Held {
    /// The object, which this keeps alive. Only attached threads may do something with it.
    pub fn as_ptr(&self) -> *mut PyObject {
        self.0.as_ptr()
    }

    /// The reference as one of attached code.
    ///
    /// # Safety
    /// The thread is attached until the result is dropped.
    pub unsafe fn into_object(self) -> Object {
        let object = Object(self.0);
        std::mem::forget(self);
        object
    }
}

impl From<Object> for Held {
    fn from(object: Object) -> Self {
        let held = Self(object.0);
        std::mem::forget(object);
        held
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        Release::Object(self.0).push();
    }
}

/// A buffer of a Python object: while it is held, the object keeps the memory where it is.
pub struct Lease(NonNull<Py_buffer>);

// SAFETY: the memory may be used on every thread, and the rest is left to an attached one.
unsafe impl Send for Lease {}

impl Lease {
    /// Takes over a buffer that `PyObject_GetBuffer` filled. It stays where it is, for exporters may point into it.
    pub fn new(buffer: Box<Py_buffer>) -> Self {
        Self(NonNull::from(Box::leak(buffer)))
    }

    /// What Python says of the buffer.
    pub fn buffer(&self) -> &Py_buffer {
        // SAFETY: made by `Box::leak` in `new`, and freed only after the release.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        Release::Buffer(self.0).push();
    }
}

/// What an attached thread has to let go of.
enum Release {
    Object(NonNull<PyObject>),
    Buffer(NonNull<Py_buffer>),
}

/// A node of the list of releases.
struct Node {
    release: Release,
    next: *mut Node,
}

/// A stack: one node is pushed at a time and all are taken at once, so no node is met twice.
static RELEASES: AtomicPtr<Node> = AtomicPtr::new(null_mut());

thread_local! {
    /// This thread is about to empty the list.
    static LETS_GO_ITSELF: Cell<bool> = const { Cell::new(false) };
}

/// Does something that puts on the list what this thread lets go of right after. Python's own thread is not to come before it:
/// without a GIL, what another thread lets go of is freed by the one that made it, the next time that it runs Python code.
pub fn before_letting_go<R>(work: impl FnOnce() -> R) -> R {
    LETS_GO_ITSELF.set(true);
    let result = work();
    LETS_GO_ITSELF.set(false);
    result
}

impl Release {
    /// Puts this on the list, on any thread; Python's own thread is woken when there was none, so that it doesn't stay.
    fn push(self) {
        let node = Box::into_raw(Box::new(Node {
            release: self,
            next: null_mut(),
        }));
        let mut head = RELEASES.load(Ordering::Relaxed);
        loop {
            // SAFETY: the node is this thread's alone until the exchange.
            unsafe { (*node).next = head };
            match RELEASES.compare_exchange_weak(head, node, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(other) => head = other,
            }
        }
        if head.is_null() && !LETS_GO_ITSELF.get() {
            python::wake();
        }
    }

    /// Lets go.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    unsafe fn carry_out(self) {
        match self {
            // SAFETY: the reference that a `Held` had.
            Self::Object(object) => unsafe { Py_DecRef(object.as_ptr()) },
            Self::Buffer(buffer) => {
                // SAFETY: the buffer of a `Lease`, which is gone; released once.
                unsafe { PyBuffer_Release(buffer.as_ptr()) };
                // SAFETY: made by `Box::leak` in `Lease::new`.
                drop(unsafe { Box::from_raw(buffer.as_ptr()) });
            }
        }
    }
}

/// Whether something waits to be let go. One relaxed load.
pub fn releases_wait() -> bool {
    !RELEASES.load(Ordering::Relaxed).is_null()
}

/// Lets go of all that waits. Any Python code may run.
///
/// # Safety
/// The thread is attached, no exception is set, and the caller holds nothing that Python code could ask for.
pub unsafe fn release_waiting() {
    if !releases_wait() {
        return;
    }
    let mut node = RELEASES.swap(null_mut(), Ordering::Acquire);
    while !node.is_null() {
        // SAFETY: taken off the list, so it is this thread's alone; made by `Box::into_raw` in `push`.
        let taken = unsafe { Box::from_raw(node) };
        node = taken.next;
        // SAFETY: as the caller vouches; what Python code raises in here, Python itself reports.
        unsafe { taken.release.carry_out() };
    }
}
