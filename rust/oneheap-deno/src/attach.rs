//! Attachment of threads to Python: for the length of a call ([`Scope`]) or until it is disposed ([`hold`]).
//!
//! A thread's first attachment makes its Python thread state; the thread keeps it until it ends, for making one costs
//! many times what restoring it does.

use std::cell::{Cell, RefCell};
use std::ptr::null_mut;

use oneheap::{PyMemAllocator, Standing};
use pyo3_ffi::{
    PyEval_RestoreThread, PyEval_SaveThread, PyGILState_Ensure, PyGILState_GetThisThreadState,
    PyGILState_Release, PyGILState_STATE, PyThreadState, PyThreadState_Get,
};

use crate::code::Code;
use crate::objects::object::release_waiting;
use crate::running::room::limit_recursion;
use crate::{python, system};

/// How a thread came to be attached, and so how it is detached again.
#[derive(Clone, Copy)]
enum Entry {
    /// It was attached already, by somebody else.
    Found,
    /// Its own kept thread state was restored.
    Restored,
    /// Somebody else owns the thread's state; it is borrowed as `PyGILState_Ensure` does.
    Ensured(PyGILState_STATE),
    /// The other way round: it was attached, and let go of Python for a while.
    LetGo(*mut PyThreadState),
}

/// One attachment that really changed the thread, made when `depth` others were held.
struct Level {
    depth: u32,
    entry: Entry,
}

/// What a thread remembers of its attachments.
struct Thread {
    /// The thread state that this library made for the thread, null until the first attachment.
    state: Cell<*mut PyThreadState>,
    /// How many attachments are held.
    depth: Cell<u32>,
    /// More than one only where Python code let the thread go and called back into JavaScript, which attached again.
    levels: RefCell<Vec<Level>>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread { state: Cell::new(null_mut()), depth: Cell::new(0), levels: RefCell::new(Vec::new()) }
    };
}

impl Thread {
    /// Deletes the Python thread state, if there is one, attached or not.
    fn give_up(&self) {
        let state = self.state.replace(null_mut());
        if state.is_null() || !python::running() {
            return;
        }
        if PyMemAllocator::standing() != Standing::Attached {
            // SAFETY: Python runs, the state is this thread's own and kept alive by the count that `enter` took.
            unsafe { PyEval_RestoreThread(state) };
        }
        // SAFETY: attached with the state whose count `enter` took; this gives the count back, which deletes the state.
        unsafe { PyGILState_Release(PyGILState_STATE::PyGILState_UNLOCKED) };
    }
}

impl Drop for Thread {
    /// A Worker may end attached, by `close()`, an error or `terminate()`: the GIL must not end with it.
    ///
    /// The process's main thread ends with the process, by `exit`, which comes here first. It must not wait for the GIL:
    /// the thread that holds it may never give it back. What there is left to do in Python, `python::end` does.
    fn drop(&mut self) {
        if !system::ends_with_process() {
            self.give_up();
        }
    }
}

/// Has the thread own none of the objects that it made and others have now. Without a GIL an object belongs to its maker, and who
/// else lets go of it leaves it to the maker, who may be idle; but a thread whose state is deleted owns nothing. Its next
/// attachment makes another, which takes a third of a millisecond there.
pub fn disown() {
    if python::is_free_threaded() {
        let _ = THREAD.try_with(Thread::give_up);
    }
}

/// Attaches the calling thread, whatever it is. The caller has seen how it stands: not attached to the main interpreter.
fn enter(thread: &Thread, standing: Standing) -> Result<Entry, Code> {
    if standing == Standing::Finalised || !python::started() {
        return Err(Code::NoPython);
    }
    if PyMemAllocator::attached_elsewhere() {
        return Err(Code::Subinterpreter);
    }
    let kept = thread.state.get();
    let entry = if !kept.is_null() {
        // SAFETY: Python runs, the thread is detached, and the state is its own.
        unsafe { PyEval_RestoreThread(kept) };
        Entry::Restored
    } else {
        // SAFETY: Python runs; the call reads a thread-local.
        let owned_elsewhere = !unsafe { PyGILState_GetThisThreadState() }.is_null();
        // SAFETY: Python runs and the thread is detached, so this attaches it.
        let gil = unsafe { PyGILState_Ensure() };
        if owned_elsewhere {
            Entry::Ensured(gil)
        } else {
            // The count that this `Ensure` took is given back when the thread ends.
            // SAFETY: the thread is attached, with a state made just now that it keeps.
            unsafe {
                thread.state.set(PyThreadState_Get());
                limit_recursion();
            }
            Entry::Restored
        }
    };
    if PyMemAllocator::waiting() {
        python::drain();
    }
    Ok(entry)
}

/// Undoes one [`enter`].
fn leave(entry: Entry) {
    match entry {
        Entry::Found => {}
        Entry::Restored => {
            // SAFETY: attached by the `enter` that this undoes; the state stays in `Thread::state`.
            unsafe { PyEval_SaveThread() };
        }
        // SAFETY: the pair of the `PyGILState_Ensure` in `enter`, on the same thread.
        Entry::Ensured(gil) => unsafe { PyGILState_Release(gil) },
        // SAFETY: the thread's own state, which was current until it let go; everything since then was undone before.
        Entry::LetGo(state) => unsafe { PyEval_RestoreThread(state) },
    }
}

/// The thread is attached to the main interpreter while this lives.
pub struct Scope(Entry);

impl Scope {
    /// Attaches the thread unless it is attached: then this costs only the look.
    #[inline]
    pub fn enter() -> Result<Self, Code> {
        match PyMemAllocator::standing() {
            Standing::Attached => Ok(Self(Entry::Found)),
            standing => Self::enter_from(standing),
        }
    }

    #[inline(never)]
    fn enter_from(standing: Standing) -> Result<Self, Code> {
        THREAD
            .try_with(|thread| enter(thread, standing))
            .unwrap_or(Err(Code::NoPython))
            .map(Self)
    }
}

/// Does some work that may run Python code. What other threads left to be let go of in Python goes first.
pub fn with_python<R>(work: impl FnOnce() -> R) -> Result<R, Code> {
    let _attached = Scope::enter()?;
    // SAFETY: attached; no exception is set between two calls of JavaScript's, and nothing is held here.
    unsafe { release_waiting() };
    Ok(work())
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        leave(self.0);
    }
}

/// Attaches the thread until as many [`release`] calls came. Attachments nest, in any order of disposal.
pub fn hold() -> Result<(), Code> {
    THREAD
        .try_with(|thread| {
            let depth = thread.depth.get();
            let standing = PyMemAllocator::standing();
            if depth == 0 || standing != Standing::Attached {
                let entry = match standing {
                    Standing::Attached => Entry::Found,
                    _ => enter(thread, standing)?,
                };
                thread.levels.borrow_mut().push(Level { depth, entry });
            }
            thread.depth.set(depth + 1);
            Ok(())
        })
        .unwrap_or(Err(Code::NoPython))
}

/// Lets go of Python, if the thread is attached, until as many [`release`] calls came.
pub fn let_go() -> Result<(), Code> {
    THREAD
        .try_with(|thread| {
            let depth = thread.depth.get();
            if PyMemAllocator::standing() == Standing::Attached {
                // SAFETY: attached, with a state that stays the thread's own.
                let entry = Entry::LetGo(unsafe { PyEval_SaveThread() });
                thread.levels.borrow_mut().push(Level { depth, entry });
            }
            thread.depth.set(depth + 1);
            Ok(())
        })
        .unwrap_or(Err(Code::NoPython))
}

/// Does something for which the thread lets go of Python, if it is attached.
pub fn let_go_while<R>(work: impl FnOnce() -> R) -> R {
    if PyMemAllocator::standing() != Standing::Attached {
        return work();
    }
    // SAFETY: attached, with a state that stays the thread's own.
    let state = unsafe { PyEval_SaveThread() };
    let result = work();
    // SAFETY: the same thread, detached just now.
    unsafe { PyEval_RestoreThread(state) };
    result
}

/// Gives one [`hold`] or [`let_go`] back; the one that brings the depth to where the thread was attached or let go, undoes
/// that.
pub fn release() -> Result<(), Code> {
    THREAD
        .try_with(|thread| {
            let depth = thread.depth.get().checked_sub(1).ok_or(Code::Invalid)?;
            thread.depth.set(depth);
            let level = thread
                .levels
                .borrow_mut()
                .pop_if(|level| level.depth == depth);
            if let Some(level) = level {
                leave(level.entry);
            }
            Ok(())
        })
        .unwrap_or(Err(Code::NoPython))
}
