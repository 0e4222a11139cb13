//! What is made once for the process, on the first thread that needs it, and never freed.
//!
//! A lock is out of the question: making it runs Python code, which can release the GIL, and then a thread that has it would
//! wait for the lock.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A value that is published when it is whole.
pub struct OnceBox<T>(AtomicPtr<T>);

impl<T: Sync> OnceBox<T> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    /// The value, if it was made.
    pub fn get(&'static self) -> Option<&'static T> {
        // SAFETY: published whole by the release in `get_or_try_init`, and never freed.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// The value, made now if it wasn't before. Two threads may make it at once, and one of them for nothing: what came too
    /// late is leaked, at most once for each thread that was there.
    pub fn get_or_try_init<E>(
        &'static self,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<&'static T, E> {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let made = Box::into_raw(Box::new(make()?));
        let published =
            self.0
                .compare_exchange(null_mut(), made, Ordering::AcqRel, Ordering::Acquire);
        // SAFETY: both are whole, and never freed.
        Ok(unsafe { &*published.err().unwrap_or(made) })
    }
}
