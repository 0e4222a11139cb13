//! Strong references to Python objects, and how they are decref'ed on threads that aren't attached.
//!
//! [`Bound`] belongs to attached code: it is made, used and dropped there. [`Py`] may be dropped on any thread, also
//! by V8's collector: what it held goes on a list, which an attached thread empties where Python code may run. Letting go
//! of an object can run any Python code (`__del__`), which must not happen within a collection of V8's.

use std::ptr::NonNull;

use pyo3_ffi::{Py_DecRef, Py_IncRef, Py_buffer, PyObject};

use crate::runtime::pending_decrefs::PendingDecref;

/// A strong reference that belongs to an attached thread.
pub struct Bound(NonNull<PyObject>);

impl Bound {
    /// Take ownership of a new reference, as most of Python's functions return one; none for their null, which stands for an
    /// exception.
    ///
    /// # Safety
    /// The thread is attached until the result is dropped, and the caller owns the reference.
    pub unsafe fn from_owned(object: *mut PyObject) -> Option<Self> {
        NonNull::new(object).map(Self)
    }

    /// Take a reference of its own to an object that somebody else keeps alive for now.
    ///
    /// # Safety
    /// The thread is attached until the result is dropped, and the object is live or null.
    pub unsafe fn from_borrowed(object: *mut PyObject) -> Option<Self> {
        // SAFETY: as the caller vouches; null does nothing.
        unsafe { Py_IncRef(object) };
        NonNull::new(object).map(Self)
    }

    /// The object, which this keeps alive.
    pub fn as_ptr(&self) -> *mut PyObject {
        self.0.as_ptr()
    }

    /// Return the reference to the caller.
    pub fn into_ptr(self) -> *mut PyObject {
        let object = self.0.as_ptr();
        std::mem::forget(self);
        object
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // SAFETY: the thread is attached, as `from_owned` and `from_borrowed` ask, and the reference is this one's own.
        unsafe { Py_DecRef(self.0.as_ptr()) };
    }
}

/// A strong reference that may be kept and dropped on any thread.
pub struct Py(NonNull<PyObject>);

// SAFETY: only attached threads look at the object, and dropping leaves it to one of them.
unsafe impl Send for Py {}
// SAFETY: as above.
unsafe impl Sync for Py {}

impl Py {
    /// The object, which this keeps alive. Only attached threads may do something with it.
    pub fn as_ptr(&self) -> *mut PyObject {
        self.0.as_ptr()
    }

    /// The reference as one of attached code.
    ///
    /// # Safety
    /// The thread is attached until the result is dropped.
    pub unsafe fn into_bound(self) -> Bound {
        let object = Bound(self.0);
        std::mem::forget(self);
        object
    }
}

impl From<Bound> for Py {
    fn from(object: Bound) -> Self {
        let held = Self(object.0);
        std::mem::forget(object);
        held
    }
}

impl Drop for Py {
    fn drop(&mut self) {
        PendingDecref::Object(self.0).push();
    }
}

/// A buffer of a Python object: while it is held, the object keeps the memory where it is.
pub struct BufferGuard(NonNull<Py_buffer>);

// SAFETY: the memory may be used on every thread, and the rest is left to an attached one.
unsafe impl Send for BufferGuard {}

impl BufferGuard {
    /// Take over a buffer that `PyObject_GetBuffer` filled. It stays where it is, for exporters may point into it.
    pub fn new(buffer: Box<Py_buffer>) -> Self {
        Self(NonNull::from(Box::leak(buffer)))
    }

    /// What Python says of the buffer.
    pub fn buffer(&self) -> &Py_buffer {
        // SAFETY: made by `Box::leak` in `new`, and freed only after the release.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for BufferGuard {
    fn drop(&mut self) {
        PendingDecref::Buffer(self.0).push();
    }
}
