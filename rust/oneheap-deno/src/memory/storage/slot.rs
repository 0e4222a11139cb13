//! A block's slot: what the block's memory is, and whether the block holds it.
//!
//! Each operation leaves the slot true to the facts before it returns, whatever becomes of it, so a Worker may end between any two,
//! and JavaScript may throw. None relies on what JavaScript has of a view: the weak count says whether its memory lives.

use std::sync::{Arc, Weak};

use super::shared_memory::{Backing, ExportedMemory, SharedMemory};

/// What a block's slot says.
pub enum Slot<M: Backing> {
    /// No block, or one that was freed.
    Empty,
    /// The block is being resized. A hook of Python's allocator may come back here meanwhile, and finds no memory to use.
    Busy,
    /// The block alone holds its memory; no view is over it, and Python has no part in it.
    Owned(M),
    /// A view is over the memory, and V8's backing store holds it.
    Viewed(Weak<SharedMemory<M>>),
    /// The block holds the memory beside others: Python, or V8 where a view was over it.
    Shared(Arc<SharedMemory<M>>),
}

/// Why a slot has no memory to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoMemory {
    /// The slot is empty, or the memory went with the view's buffer.
    Freed,
    /// Python objects hold the memory, so it can't be resized.
    Exported,
    /// A view is over the memory already.
    Viewed,
    /// The block is being resized.
    Busy,
}

impl<M: Backing> Slot<M> {
    /// Put memory that nobody else holds into an empty slot; return it if the slot isn't empty.
    pub fn fill(&mut self, memory: M) -> Result<(), M> {
        if !matches!(self, Self::Empty) {
            return Err(memory);
        }
        *self = Self::Owned(memory);
        Ok(())
    }

    /// Return whether the slot has no block.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// The memory for one more holder. The block's own share stays as it was.
    pub fn share(&mut self) -> Result<Arc<SharedMemory<M>>, NoMemory> {
        match self {
            Self::Empty => Err(NoMemory::Freed),
            Self::Busy => Err(NoMemory::Busy),
            &mut Self::Owned(memory) => {
                // SAFETY: the block alone holds the memory, and the slot refers to the record instead from here on.
                let shared = unsafe { SharedMemory::new(memory) };
                *self = Self::Shared(shared.clone());
                Ok(shared)
            }
            Self::Shared(shared) => Ok(shared.clone()),
            Self::Viewed(shared) => shared.upgrade().ok_or(NoMemory::Freed),
        }
    }

    /// The memory for one more holder of Python's.
    pub fn export(&mut self) -> Result<ExportedMemory<M>, NoMemory> {
        self.share().map(ExportedMemory::new)
    }

    /// Return how many Python objects hold the memory.
    pub fn exporters(&self) -> usize {
        match self {
            Self::Empty | Self::Busy | Self::Owned(_) => 0,
            Self::Shared(shared) => shared.exporters(),
            Self::Viewed(shared) => shared.upgrade().map_or(0, |shared| shared.exporters()),
        }
    }

    /// Move the block's share to a view. `make` makes the view's buffer, which takes the share over; if it can't, it returns the
    /// share, and the block is as it was.
    pub fn view<R>(
        &mut self,
        make: impl FnOnce(Arc<SharedMemory<M>>) -> Result<R, Arc<SharedMemory<M>>>,
    ) -> Result<R, NoMemory> {
        let shared = match std::mem::replace(self, Self::Empty) {
            Self::Empty => return Err(NoMemory::Freed),
            // SAFETY: the block alone holds the memory; the slot is empty until it refers to the record.
            Self::Owned(memory) => unsafe { SharedMemory::new(memory) },
            Self::Shared(shared) => shared,
            Self::Busy => {
                *self = Self::Busy;
                return Err(NoMemory::Busy);
            }
            viewed @ Self::Viewed(_) => {
                *self = viewed;
                return Err(NoMemory::Viewed);
            }
        };
        let viewed = Arc::downgrade(&shared);
        match make(shared) {
            Ok(made) => {
                *self = Self::Viewed(viewed);
                Ok(made)
            }
            Err(shared) => {
                *self = Self::Shared(shared);
                Err(NoMemory::Freed)
            }
        }
    }

    /// Take the block out, to be freed, and leave an empty slot.
    pub fn take(&mut self) -> Result<Self, NoMemory> {
        match self {
            Self::Empty => Err(NoMemory::Freed),
            Self::Busy => Err(NoMemory::Busy),
            _ => Ok(std::mem::replace(self, Self::Empty)),
        }
    }

    /// Take the block out, to be resized, and leave a busy slot. The caller puts the resulting block back.
    pub fn take_for_resize(&mut self) -> Result<Self, NoMemory> {
        let taken = self.take()?;
        *self = Self::Busy;
        Ok(taken)
    }

    /// End the block. Where a view is over the memory, `detach` detaches its buffer meanwhile. Returns what the block's memory was,
    /// which is freed unless somebody else holds it; none if there was none.
    pub fn free(&mut self, detach: impl FnOnce()) -> Option<M> {
        let shared = match std::mem::replace(self, Self::Empty) {
            Self::Empty | Self::Busy => return None,
            Self::Owned(memory) => {
                // SAFETY: the block alone held the memory.
                unsafe { memory.free() };
                return Some(memory);
            }
            Self::Shared(shared) => shared,
            Self::Viewed(shared) => {
                let shared = shared.upgrade()?;
                detach();
                shared
            }
        };
        let memory = shared.memory();
        // Before this share ends: the last holder may be another.
        shared.mark_freed();
        if let Some(memory) = SharedMemory::into_memory(shared) {
            // SAFETY: this was the last holder.
            unsafe { memory.free() };
        }
        Some(memory)
    }

    /// Forgets memory that went away with a view's buffer. A slot that holds its memory stays as it is.
    pub fn clear(&mut self) -> Result<(), NoMemory> {
        match self {
            Self::Busy => Err(NoMemory::Busy),
            Self::Viewed(_) => {
                *self = Self::Empty;
                Ok(())
            }
            _ => Err(NoMemory::Freed),
        }
    }

    /// End a block that JavaScript lost, and return the memory that was its own, to be freed, or whose share was dropped.
    /// Waits for nothing.
    pub fn collect(&mut self) -> Option<M> {
        match std::mem::replace(self, Self::Empty) {
            Self::Empty | Self::Busy | Self::Viewed(_) => None,
            Self::Owned(memory) => {
                // SAFETY: the block alone held the memory.
                unsafe { memory.free_without_waiting(false) };
                Some(memory)
            }
            Self::Shared(shared) => Some(shared.memory()),
        }
    }

    /// Prepares resizing: takes the block's share back from a view, whose buffer `detach` detaches, unless Python objects hold the
    /// memory: then nothing changes.
    pub fn begin_resize(&mut self, detach: impl FnOnce()) -> Result<(), NoMemory> {
        let shared = match self {
            Self::Empty => return Err(NoMemory::Freed),
            Self::Busy => return Err(NoMemory::Busy),
            Self::Owned(_) => return Ok(()),
            Self::Shared(shared) => shared.clone(),
            Self::Viewed(shared) => shared.upgrade().ok_or(NoMemory::Freed)?,
        };
        if shared.exporters() > 0 {
            return Err(NoMemory::Exported);
        }
        let was_viewed = matches!(self, Self::Viewed(_));
        *self = Self::Shared(shared);
        if was_viewed {
            detach();
        }
        self.settle();
        Ok(())
    }

    /// Resize the block's memory after [`begin_resize`](Self::begin_resize): by `resize` where the block alone holds it, else by
    /// `copy`, and the other holders keep the old memory. If either fails, the block is as it was.
    pub fn resize<E>(
        &mut self,
        resize: impl FnOnce(M) -> Result<M, E>,
        copy: impl FnOnce(M) -> Result<M, E>,
    ) -> Option<Result<M, E>> {
        let resized = match self {
            Self::Empty | Self::Busy | Self::Viewed(_) => return None,
            &mut Self::Owned(memory) => resize(memory),
            Self::Shared(shared) => copy(shared.memory()).inspect(|_| shared.mark_freed()),
        };
        Some(resized.inspect(|&memory| *self = Self::Owned(memory)))
    }

    /// Make the memory the block's own again if nobody else holds it any more.
    fn settle(&mut self) {
        if let Self::Shared(shared) = std::mem::replace(self, Self::Empty) {
            *self = match SharedMemory::try_into_memory(shared) {
                Ok(memory) => Self::Owned(memory),
                Err(shared) => Self::Shared(shared),
            };
        }
    }
}
