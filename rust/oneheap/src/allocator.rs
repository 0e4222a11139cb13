//! The public type: the heap over the CPython of this process.

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;

use crate::cpython::CPython;
use crate::heap::{Counters, Heap};
use crate::registered_states;
use crate::runtime_state::AttachState;

/// One for each shared library that this crate is linked into: each has its own deferred list and its own exit callback.
static HEAP: Heap<CPython> = Heap::new(CPython::new(finalise));

extern "C" fn finalise() {
    HEAP.finalise();
}

/// A global allocator whose memory is Python's wherever the calling thread may ask Python for memory.
///
/// It takes no lock and no GIL, and may be called on every thread in every state of the interpreter; see the [crate's
/// documentation](crate) for what comes from where.
///
/// # Examples
///
/// ```
/// # mod no_python { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/no_python.rs")); }
/// #[global_allocator]
/// static GLOBAL: oneheap::PyMemAllocator = oneheap::PyMemAllocator;
///
/// // In a process where Python has not been started, the memory is the system's:
/// let before = oneheap::PyMemAllocator::counters().system;
/// let numbers = vec![1.0f64; 1000];
/// assert_eq!(oneheap::PyMemAllocator::counters().system, before + 1);
/// # drop(numbers);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct PyMemAllocator;

impl PyMemAllocator {
    /// Return the attach state of the calling thread, and so where its next allocation comes from.
    ///
    /// The result `Attached` holds until the thread detaches. The first call on an attached thread registers the
    /// callback that reports Python's end (`Py_AtExit`).
    ///
    /// # Examples
    ///
    /// ```
    /// # mod no_python { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/no_python.rs")); }
    /// use oneheap::{PyMemAllocator, AttachState};
    ///
    /// if PyMemAllocator::attach_state() == AttachState::Attached {
    ///     println!("a vector made here is Python's memory");
    /// }
    /// ```
    #[inline]
    pub fn attach_state() -> AttachState {
        HEAP.attach_state()
    }

    /// Return whether the calling thread is attached to a subinterpreter, which [`attach_state`](Self::attach_state) calls detached.
    ///
    /// Such a thread must not be attached to the main interpreter before it detaches: it would wait for itself. On CPython
    /// 3.11, whose current thread state is one for the whole process, this is known on Linux alone, and while another
    /// thread is attached it takes a system call.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod no_python { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/no_python.rs")); }
    /// // In a process where Python has not been started:
    /// assert!(!oneheap::PyMemAllocator::attached_to_other());
    /// ```
    pub fn attached_to_other() -> bool {
        HEAP.interpreter().attached_to_other()
    }

    /// Register a `PyThreadState`, so that finding its thread attached takes one call of Python's.
    ///
    /// This is for a state that lives as long as its thread, as a thread pool keeps one. It is only faster: without it,
    /// [`attach_state`](Self::attach_state) returns the same.
    ///
    /// # Safety
    ///
    /// `state` is the calling thread's, of the main interpreter, and lives until
    /// [`unregister_thread_state`](Self::unregister_thread_state) is called on this thread, or Python ends.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use oneheap::PyMemAllocator;
    /// use pyo3_ffi::{PyGILState_Ensure, PyThreadState_Get};
    ///
    /// // On a thread that keeps the state it makes here:
    /// unsafe {
    ///     PyGILState_Ensure();
    ///     PyMemAllocator::register_thread_state(PyThreadState_Get().cast());
    /// }
    /// ```
    pub unsafe fn register_thread_state(state: *mut c_void) {
        // SAFETY: the caller's promise.
        unsafe { registered_states::register(state.cast()) };
    }

    /// Unregister the calling thread's `PyThreadState`, before it is deleted.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod no_python { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/no_python.rs")); }
    /// // A state that isn't registered stays so:
    /// oneheap::PyMemAllocator::unregister_thread_state(std::ptr::null_mut());
    /// ```
    pub fn unregister_thread_state(state: *mut c_void) {
        registered_states::unregister(state.cast());
    }

    /// Free up to 256 blocks of the deferred list if the calling thread is attached, and return how many it freed.
    ///
    /// Allocating and freeing on an attached thread does so too; call this where a thread attaches and may not
    /// allocate for long. It returns 0 on a thread that is not attached.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod no_python { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/no_python.rs")); }
    /// use oneheap::PyMemAllocator;
    ///
    /// // To free all that is pending, on an attached thread:
    /// while PyMemAllocator::drain_deferred() > 0 {}
    /// ```
    pub fn drain_deferred() -> usize {
        HEAP.drain()
    }

    /// Free a block of Python's on any thread, by way of the deferred list. After finalisation the block leaks.
    ///
    /// This is for memory that was allocated by `PyMem_Malloc`, `PyMem_Calloc` or `PyMem_Realloc` directly. The list
    /// owns the block from now on. `bytes` is the block's size as far as the caller has it; it is only counted, for
    /// [`on_deferred`](Self::on_deferred).
    ///
    /// # Safety
    ///
    /// `pointer` is a live block of `PyMem`'s, of at least one word and aligned to a word, allocated in the main
    /// interpreter, and nobody uses it any more.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use oneheap::{PyMemAllocator, AttachState};
    /// use pyo3_ffi::PyMem_Free;
    ///
    /// /// # Safety
    /// /// `block` is a block of `bytes` bytes, 16 at least, from `PyMem_Malloc` that nobody uses any more.
    /// unsafe fn free_anywhere(block: *mut u8, bytes: usize) {
    ///     match PyMemAllocator::attach_state() {
    ///         AttachState::Attached => unsafe { PyMem_Free(block.cast()) },
    ///         _ => unsafe { PyMemAllocator::defer(block, bytes) },
    ///     }
    /// }
    /// ```
    pub unsafe fn defer(pointer: *mut u8, bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe { HEAP.defer(pointer, bytes) }
    }

    /// Have `notify` called after each block that is put on the deferred list, with how many bytes are pending there.
    ///
    /// A library that has a thread of its own can have it attach and [`drain_deferred`](Self::drain_deferred) when much is pending, or when
    /// something has waited for long: while no thread attaches, the list only grows. `notify` replaces the one that was
    /// set before.
    ///
    /// The number counts what was put on the list since it was last emptied, so a part that was freed already may be
    /// counted. It is exact on one thread; blocks that several threads drop at the same moment can be missing.
    ///
    /// `notify` runs within the deallocation, on any thread in any state: a thread that isn't attached, one that holds
    /// any lock, one of V8's or of the system's that frees memory. So it must not block, allocate, free, panic, or call
    /// Python. Setting an atomic flag is fine, and [`std::thread::Thread::unpark`] is.
    ///
    /// No block is missed between `notify` and a thread that stops looking: if that thread stores that it does, calls
    /// [`fence`](std::sync::atomic::fence) with `SeqCst`, and then finds [`has_deferred`](Self::has_deferred) false, a
    /// `notify` for a later block sees the store by a load with `SeqCst`.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod no_python { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/no_python.rs")); }
    /// use oneheap::PyMemAllocator;
    /// use std::sync::OnceLock;
    /// use std::thread::Thread;
    ///
    /// /// A thread that attaches to Python and drains the list whenever it is unparked.
    /// static MAINTENANCE_THREAD: OnceLock<Thread> = OnceLock::new();
    ///
    /// PyMemAllocator::on_deferred(|bytes| {
    ///     if bytes >= 16 << 20
    ///         && let Some(thread) = MAINTENANCE_THREAD.get()
    ///     {
    ///         thread.unpark();
    ///     }
    /// });
    /// ```
    pub fn on_deferred(notify: fn(usize)) {
        HEAP.on_deferred(notify);
    }

    /// Return how often the allocator went its slow ways since the library was loaded.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod no_python { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/no_python.rs")); }
    /// use oneheap::PyMemAllocator;
    ///
    /// let before = PyMemAllocator::counters();
    /// // … the work of a request …
    /// let after = PyMemAllocator::counters();
    /// println!("{} allocations were not Python's", after.system - before.system);
    /// ```
    pub fn counters() -> Counters {
        HEAP.counters()
    }

    /// Return whether blocks are pending on the deferred list. One relaxed load: what another thread pushes just now may be missed.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod no_python { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/no_python.rs")); }
    /// use oneheap::PyMemAllocator;
    ///
    /// if PyMemAllocator::has_deferred() {
    ///     PyMemAllocator::drain_deferred();
    /// }
    /// ```
    #[inline]
    pub fn has_deferred() -> bool {
        HEAP.has_deferred()
    }
}

// SAFETY: `Heap` keeps the contract: blocks are as long and as aligned as their layout asks, disjoint, and live until
// they are freed; nothing unwinds.
unsafe impl GlobalAlloc for PyMemAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { HEAP.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { HEAP.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { HEAP.realloc(pointer, layout, bytes) }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { HEAP.dealloc(pointer, layout) }
    }
}
