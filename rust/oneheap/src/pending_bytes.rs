//! The bytes that are pending on the deferred list.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The bytes on the list, as the sum of two words.
///
/// A loop on a detached thread that allocates (so attaches, and empties the list) and frees puts each block on an empty
/// list. Such a block's size is stored, and only those that come behind it are added up, so the loop needs no locked
/// instruction. The price is that the sizes of single blocks can be confused where threads free at the same moment;
/// each thread counts its own block right.
pub struct PendingBytes {
    /// The block that was put on the empty list last.
    first: AtomicUsize,
    /// All others since the list was emptied.
    others: AtomicUsize,
}

impl PendingBytes {
    pub const fn new() -> Self {
        Self {
            first: AtomicUsize::new(0),
            others: AtomicUsize::new(0),
        }
    }

    /// Count a block that was put on the list, and return how many bytes are pending now.
    pub fn add(&self, bytes: usize, was_empty: bool) -> usize {
        if was_empty {
            self.first.store(bytes, Relaxed);
            return self.others.load(Relaxed).saturating_add(bytes);
        }
        let others = self.others.fetch_add(bytes, Relaxed).wrapping_add(bytes);
        others.saturating_add(self.first.load(Relaxed))
    }

    /// Take what is counted. Called before blocks are taken off the list, so that a block whose bytes this takes is taken too.
    pub fn take(&self) -> usize {
        let first = self.first.load(Relaxed);
        self.first.store(0, Relaxed);
        let others = match self.others.load(Relaxed) {
            0 => 0,
            _ => self.others.swap(0, Relaxed),
        };
        first.saturating_add(others)
    }

    /// Count again what [`take`](Self::take) took, where only a part of the list was freed: sizes of single blocks aren't known.
    pub fn put_back(&self, bytes: usize) {
        self.others.fetch_add(bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_add_up_until_they_are_taken() {
        let pending = PendingBytes::new();
        assert_eq!(pending.add(100, true), 100);
        assert_eq!(pending.add(20, false), 120);
        assert_eq!(pending.add(3, false), 123);
        assert_eq!(pending.take(), 123);
        assert_eq!(pending.take(), 0);
        assert_eq!(pending.add(7, true), 7);
    }

    #[test]
    fn bytes_that_are_put_back_count_beside_those_that_came_meanwhile() {
        let pending = PendingBytes::new();
        pending.add(100, true);
        let taken = pending.take();
        pending.add(5, true);
        pending.put_back(taken);
        assert_eq!(pending.add(1, false), 106);
    }

    #[test]
    fn sizes_beyond_the_address_space_saturate() {
        let pending = PendingBytes::new();
        pending.add(usize::MAX, true);
        assert_eq!(pending.add(10, false), usize::MAX);
    }
}
