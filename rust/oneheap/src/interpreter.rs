//! What the heap asks of the process around it: an interpreter, its memory, and the system's memory.

use std::alloc::Layout;

/// The real implementation is [`CPython`](crate::cpython::CPython); the tests drive the heap with a simulated one.
///
/// Any of the calls into Python may run a hook that somebody installed, which may allocate through the heap again,
/// wait, or detach and attach the thread meanwhile. So the heap holds no state of its own across one.
pub trait Interpreter: Sync {
    /// Return whether an interpreter runs and [`attached`](Self::attached) may be called from now on, on every thread.
    ///
    /// Asked until it says yes and the exit callback is registered, never after.
    fn found(&self) -> bool;

    /// Return whether the calling thread is attached to the main interpreter. After the interpreter's end it says no.
    ///
    /// # Safety
    /// [`found`](Self::found) has said yes, on this thread or on one that synchronised with it.
    unsafe fn attached(&self) -> bool;

    /// Have the interpreter call [`Heap::finalise`](crate::heap::Heap::finalise) once, when it can't be used any more.
    /// Answers whether it will.
    ///
    /// # Safety
    /// The calling thread is attached to the main interpreter.
    unsafe fn register_exit(&self) -> bool;

    /// Allocate `bytes` bytes, uninitialised; null if memory is out.
    ///
    /// # Safety
    /// The calling thread is attached to the main interpreter.
    unsafe fn malloc(&self, bytes: usize) -> *mut u8;

    /// Allocate `bytes` bytes of zeroes; null if memory is out.
    ///
    /// # Safety
    /// The calling thread is attached to the main interpreter.
    unsafe fn calloc(&self, bytes: usize) -> *mut u8;

    /// Resize a block, in place or by moving it; null if memory is out, and then the block is as it was.
    ///
    /// # Safety
    /// The calling thread is attached to the main interpreter, and `block` is a live block of the three functions here
    /// that allocate, in this lifetime of the interpreter.
    unsafe fn realloc(&self, block: *mut u8, bytes: usize) -> *mut u8;

    /// Free a block.
    ///
    /// # Safety
    /// As for [`realloc`](Self::realloc); nobody uses the block any more.
    unsafe fn free(&self, block: *mut u8);

    /// Allocate from the system, uninitialised; null if memory is out.
    ///
    /// # Safety
    /// `layout` has a size that is not zero.
    unsafe fn system_alloc(&self, layout: Layout) -> *mut u8;

    /// Allocate zeroes from the system; null if memory is out.
    ///
    /// # Safety
    /// `layout` has a size that is not zero.
    unsafe fn system_alloc_zeroed(&self, layout: Layout) -> *mut u8;

    /// Resize a block of the system's, in place or by moving it; null if memory is out, and then the block is as it
    /// was.
    ///
    /// # Safety
    /// `block` is a live block of the system's, allocated with `layout`; `bytes` is not zero and a valid size for the
    /// alignment of `layout`.
    unsafe fn system_realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8;

    /// Free a block of the system's.
    ///
    /// # Safety
    /// `block` is a live block of the system's, allocated with `layout`, that nobody uses any more.
    unsafe fn system_free(&self, block: *mut u8, layout: Layout);

    /// End the process: the one way out of [a misaligned
    /// `realloc`](crate::heap::Heap::realloc) when all memory is out.
    fn abort(&self) -> !;
}
