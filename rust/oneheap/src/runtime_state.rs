//! The attach state of a thread, and the runtime state of Python.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::interpreter::Interpreter;

/// The attach state of the calling thread, which decides where its allocations come from.
///
/// # Examples
///
/// ```
/// # mod no_python { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/no_python.rs")); }
/// use oneheap::{PyMemAllocator, AttachState};
///
/// // In a process where Python has not been started:
/// assert_eq!(PyMemAllocator::attach_state(), AttachState::Detached);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttachState {
    /// Attached to the main interpreter (and holding its GIL, on builds that have one), which reports before it
    /// ends. Allocations are Python's.
    Attached,
    /// Not attached, attached to a subinterpreter, or Python is not started. Allocations are the system's; Python's
    /// blocks are put on the deferred list when they are freed.
    Detached,
    /// Python was finalised, for good even if it is started again. Allocations are the system's; Python's blocks leak
    /// when they are freed, because the allocator that made them is gone.
    Finalised,
}

/// No thread has met a running interpreter yet.
const UNSET: u8 = 0;
/// One thread is registering the exit callback, and the others go on as detached rather than wait for it. It stays so
/// if the interpreter takes no callback: nothing would report when its memory ends, so it is never used.
const REGISTERING: u8 = 1;
/// The exit callback is registered.
const READY: u8 = 2;
/// The exit callback was called.
const FINALISED: u8 = 3;

/// The state of the interpreter: one word, which only ever goes up.
///
/// No window is left open:
/// - *While Python starts*, [`Interpreter::found`] says no until its allocators are set up.
/// - *While one thread registers*, the others are `Detached`, which is right in every state of Python.
/// - *While Python ends*, the finalising thread is attached up to a point, and no other thread can be: a build with a
///   GIL passes it to no other thread, a free-threaded one stops the others first. Python's memory works for as long as
///   that thread is attached; after, it is `Detached` until the callback comes. A thread that has found itself
///   attached keeps Python from ending until it detaches, so what `attach_state` returned holds while the allocator acts
///   on it.
/// - *After*, the word is final. A second lifetime of Python has other pools (on 3.12, freeing a block of the first lifetime in
///   it is a double free), and a block doesn't say which lifetime it is from.
/// - *In a forked child* the word and the thread's state are those of the thread that forked. A child forked while
///   another thread was registering stays `Detached` for ever: slower, and right.
pub struct RuntimeState(AtomicU8);

impl RuntimeState {
    pub const fn new() -> Self {
        Self(AtomicU8::new(UNSET))
    }

    /// Return the attach state of the calling thread.
    #[inline]
    pub fn attach_state(&self, interpreter: &impl Interpreter) -> AttachState {
        // Acquire: what `Interpreter::found` stored before the release of READY is visible.
        match self.0.load(Ordering::Acquire) {
            // SAFETY: READY is only set after `found` has said yes, and the load synchronised with that.
            READY if unsafe { interpreter.attached() } => AttachState::Attached,
            UNSET => self.first_use(interpreter),
            FINALISED => AttachState::Finalised,
            _ => AttachState::Detached,
        }
    }

    /// Nobody is registered for the interpreter's end yet: does it, if the calling thread can.
    #[cold]
    fn first_use(&self, interpreter: &impl Interpreter) -> AttachState {
        // SAFETY: `found` has just said yes on this thread.
        if !interpreter.found() || !unsafe { interpreter.attached() } {
            return AttachState::Detached;
        }
        if self
            .0
            .compare_exchange(UNSET, REGISTERING, Ordering::Relaxed, Ordering::Relaxed)
            .is_err()
        {
            return AttachState::Detached;
        }
        // SAFETY: the thread is attached to the main interpreter.
        if !unsafe { interpreter.register_exit() } {
            return AttachState::Detached;
        }
        // The callback can't have come yet: this thread is attached.
        self.0.store(READY, Ordering::Release);
        AttachState::Attached
    }

    /// The interpreter's memory can't be used from now on.
    pub fn finalise(&self) {
        self.0.store(FINALISED, Ordering::Release);
    }
}
