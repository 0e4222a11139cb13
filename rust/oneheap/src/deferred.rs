//! The deferred list: Python's blocks that were dropped where they can't be freed, until an attached thread frees them.
//!
//! A lock-free stack (Treiber's) through the blocks' own first word. Blocks are pushed one by one, and only ever taken
//! all at once, so no compare-and-swap depends on a block that somebody else may have freed: there is no ABA problem.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A block on the list: the link lies in its first word.
pub struct Link {
    next: *mut Link,
}

/// The atomic word that holds the list.
pub trait Head {
    /// The first block, for a look only.
    fn peek(&self) -> *mut Link;
    /// Take all: leaves null; what the blocks' links were written with is visible.
    fn take(&self) -> *mut Link;
    /// Put `new` in the place of `old` and publish what was written before; or return what is there instead, which
    /// may be `old` all the same. Sequentially consistent where it succeeds, so that of a thread that pushes and then
    /// looks whether somebody waits, and one that says that it waits and then looks at the list, one sees the other.
    fn replace(&self, old: *mut Link, new: *mut Link) -> Result<(), *mut Link>;
}

/// Implements [`Head`] for an atomic pointer: the real one, and `loom`'s, with the same memory orders.
macro_rules! implement_head {
    ($pointer:ty) => {
        impl $crate::deferred::Head for $pointer {
            #[inline]
            fn peek(&self) -> *mut Link {
                self.load(Ordering::Relaxed)
            }

            fn take(&self) -> *mut Link {
                self.swap(null_mut(), Ordering::Acquire)
            }

            fn replace(&self, old: *mut Link, new: *mut Link) -> Result<(), *mut Link> {
                self.compare_exchange_weak(old, new, Ordering::SeqCst, Ordering::Relaxed)
                    .map(drop)
            }
        }
    };
}

implement_head!(AtomicPtr<Link>);
#[cfg(all(test, not(miri)))]
pub(crate) use implement_head;

/// The list.
pub struct Deferred<H> {
    head: H,
}

impl<H: Head> Deferred<H> {
    /// A list over a head that is null.
    pub const fn new(head: H) -> Self {
        Self { head }
    }

    /// Return whether something is on the list: one relaxed load. What a thread has pushed itself it sees; what others push
    /// meanwhile, perhaps the next time.
    #[inline]
    pub fn has_deferred(&self) -> bool {
        !self.head.peek().is_null()
    }

    /// Put a block on the list, and return whether the list was empty.
    ///
    /// # Safety
    /// `block` is aligned to a word and at least a word long, and belongs to the list from now on.
    pub unsafe fn push(&self, block: *mut u8) -> bool {
        let link: *mut Link = block.cast();
        let mut head = self.head.peek();
        loop {
            // SAFETY: the block is the list's, and nobody else has it before `replace` publishes it.
            unsafe { link.write(Link { next: head }) };
            match self.head.replace(head, link) {
                Ok(()) => return head.is_null(),
                Err(now) => head = now,
            }
        }
    }

    /// Take up to `most` blocks off the list, which belong to the caller from now on.
    ///
    /// The rest is back on the list before this returns, so a caller that is held up frees nobody else's share.
    pub fn take(&self, most: usize) -> Batch {
        let first = self.head.take();
        // SAFETY: the blocks from `first` on are this thread's alone.
        let rest = unsafe { cut(first, most) };
        let is_last = rest.is_null();
        self.put_back(rest);
        Batch {
            next: first,
            is_last,
        }
    }

    /// Put a chain of blocks that this thread has alone back on the list. Where blocks have arrived meanwhile, those are
    /// taken onto the chain, for they are few and the chain may be millions long.
    fn put_back(&self, mut chain: *mut Link) {
        while !chain.is_null() && self.head.replace(null_mut(), chain).is_err() {
            let mut arrived = self.head.take();
            while !arrived.is_null() {
                // SAFETY: what `take` returned is this thread's alone.
                let next = unsafe { (*arrived).next };
                // SAFETY: as above.
                unsafe { (*arrived).next = chain };
                chain = arrived;
                arrived = next;
            }
        }
    }
}

/// End a chain after its first `most` blocks (at least one) and return the rest.
///
/// # Safety
/// `first` is null or starts a chain that is this thread's alone.
unsafe fn cut(first: *mut Link, most: usize) -> *mut Link {
    let mut last = first;
    for _ in 1..most {
        if last.is_null() {
            break;
        }
        // SAFETY: a block of the chain.
        last = unsafe { (*last).next };
    }
    if last.is_null() {
        return null_mut();
    }
    // SAFETY: a block of the chain.
    unsafe { std::mem::replace(&mut (*last).next, null_mut()) }
}

/// Blocks that were taken off the list, one after the other.
pub struct Batch {
    next: *mut Link,
    is_last: bool,
}

impl Batch {
    /// Return whether the list was empty after this was taken off it.
    pub fn is_last(&self) -> bool {
        self.is_last
    }
}

impl Iterator for Batch {
    type Item = *mut u8;

    fn next(&mut self) -> Option<*mut u8> {
        let link = self.next;
        if link.is_null() {
            return None;
        }
        // SAFETY: a block of the batch that was not handed out yet, so its link stands.
        self.next = unsafe { (*link).next };
        Some(link.cast())
    }
}
