//! Call stacks of JavaScript, by which memory is entered. Each is made once, and lives as long as the process.

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::memory::storage::slab::Slab;
use crate::memory::tracking::amounts::Amounts;

/// A call stack of JavaScript.
pub struct CallStack {
    /// For each frame, the innermost first: its file, its function and its line, each closed by a NUL.
    pub text: Box<str>,
    /// What shows the frames to Python: a layer above has made it, and knows it.
    pub frames: NonNull<c_void>,
    /// What was allocated in it. Whoever uses them has the ledger's lock.
    pub amounts: UnsafeCell<Amounts>,
    /// The one that was made before it.
    next: *mut CallStack,
}

// SAFETY: the text is never changed, the frames are left to attached threads, the amounts to who has the ledger's lock, and `next` is
// written before the stack is published.
unsafe impl Send for CallStack {}
// SAFETY: as above.
unsafe impl Sync for CallStack {}

/// All call stacks of the process.
static CALL_STACKS: Slab<CallStack> = Slab::new();

/// The one that was made last.
static LAST: AtomicPtr<CallStack> = AtomicPtr::new(null_mut());

/// How many there are, or a few more.
static COUNT: AtomicUsize = AtomicUsize::new(0);

impl CallStack {
    /// Make a call stack that nobody has made yet; none if memory is out.
    pub fn insert(text: Box<str>, frames: NonNull<c_void>) -> Option<&'static Self> {
        let stack = Self {
            text,
            frames,
            amounts: UnsafeCell::new(Amounts::new()),
            next: null_mut(),
        };
        let stack = CALL_STACKS.insert(stack).ok()?.as_ptr();
        COUNT.fetch_add(1, Ordering::Relaxed);
        let mut last = LAST.load(Ordering::Relaxed);
        loop {
            // SAFETY: nobody else has the stack before it is published below.
            unsafe { (*stack).next = last };
            // Release: who finds the stack finds what is in it.
            match LAST.compare_exchange_weak(last, stack, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(newer) => last = newer,
            }
        }
        // SAFETY: records of this slab are never removed.
        Some(unsafe { &*stack })
    }

    /// The call stack at an address; none if there is none.
    pub fn at(address: usize) -> Option<&'static Self> {
        let stack = CALL_STACKS.get(std::ptr::without_provenance(address))?;
        // SAFETY: records of this slab are never removed, and changed only behind the ledger's lock.
        Some(unsafe { &*stack.as_ptr() })
    }

    /// By which JavaScript knows it.
    pub fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// At least as many as there are.
    pub fn count() -> usize {
        COUNT.load(Ordering::Acquire)
    }

    /// All of them, the newest first.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        let mut next = LAST.load(Ordering::Acquire);
        std::iter::from_fn(move || {
            // SAFETY: null, or a record that was published and is never removed.
            let stack = unsafe { next.as_ref() }?;
            next = stack.next;
            Some(stack)
        })
    }

    /// Its frames as lines, as Python shows them, the innermost first.
    pub fn lines(&self) -> impl Iterator<Item = [&str; 3]> {
        let mut fields = self.text.split_terminator('\0');
        std::iter::from_fn(move || Some([fields.next()?, fields.next()?, fields.next()?]))
    }
}

/// What a thread's allocations are entered by.
#[derive(Clone, Copy)]
pub struct Current {
    pub stack: Option<&'static CallStack>,
    /// How many allocations each one stands for: 1 without sampling.
    pub weight: f64,
}

impl Current {
    /// Not within a call stack.
    pub const NONE: Self = Self {
        stack: None,
        weight: 1.0,
    };
}

thread_local! {
    static CURRENT: Cell<Current> = const { Cell::new(Current::NONE) };
}

/// What this thread's allocations are entered by.
pub fn current() -> Current {
    CURRENT.try_with(Cell::get).unwrap_or(Current::NONE)
}

/// Do some work whose allocations are entered by a call stack.
pub fn with_current<R>(current: Current, work: impl FnOnce() -> R) -> R {
    let outer = CURRENT.replace(current);
    let result = work();
    CURRENT.set(outer);
    result
}
