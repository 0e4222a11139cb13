//! Attachment of threads to Python: for the length of a call ([`AttachGuard`]), or until it is ended ([`attach`], [`detach`]).
//!
//! A thread's first attachment makes its Python thread state; the thread keeps it until it ends, for making one costs
//! many times what restoring it does.
//!
//! What JavaScript attaches or detaches is an entry of its own on the thread's list, known by its number. Each entry has what
//! undoes it, and the newest entry that hasn't ended decides whether the thread is attached. Ending the newest undoes it, and those
//! before it that have ended already; an older one that ends stays until then. So they end in any order.
//!
//! Python code that this library runs may call back into JavaScript, on the same thread, either attached or not, and has to be
//! returned to in the same state. So nothing changes the state for longer than a call there: an attachment that is made in a
//! callback is an entry without effect, which ends with the callback at the latest, and one of outside that is ended there ends
//! when the Python code has returned.

use std::cell::{Cell, RefCell};
use std::ptr::null_mut;
use std::sync::{Mutex, PoisonError};

use oneheap::{AttachState, PyMemAllocator};
use pyo3_ffi::{
    PyEval_RestoreThread, PyEval_SaveThread, PyGILState_Ensure, PyGILState_GetThisThreadState,
    PyGILState_Release, PyGILState_STATE, PyThreadState, PyThreadState_Get,
};

use crate::boundary::status::Status;
use crate::runtime::pending_decrefs::drain_pending_decrefs;
use crate::runtime::recursion_limit::limit_recursion;
use crate::runtime::{platform, stack, state};

/// How a thread came to be attached, and so how it is detached again.
#[derive(Clone, Copy)]
enum Entry {
    /// It was attached already, by somebody else.
    Found,
    /// Its own kept thread state was restored.
    Restored,
    /// Somebody else owns the thread's state; it is borrowed as `PyGILState_Ensure` does.
    Ensured(PyGILState_STATE),
    /// The other way round: it was attached, and was detached for a while.
    Detached(*mut PyThreadState),
}

/// What JavaScript attached or detached.
struct Attachment {
    /// Never 0, and never used again on this thread.
    number: u64,
    /// In how many calls of Python code it was made, one within the other.
    calls: u32,
    /// It was ended while there were newer ones, or in a callback.
    is_ended: bool,
    /// What undoes it, if it changed the thread.
    undo: Option<Entry>,
}

/// The calls of Python code on a thread.
struct Calls {
    /// How many are under way, one within the other.
    under_way: Cell<u32>,
    /// Whether the thread's list of attachments is to be looked at after a call.
    has_attachments: Cell<bool>,
}

/// What a thread remembers of its attachments.
struct Thread {
    /// The thread state that this library made for the thread, null until the first attachment.
    state: Cell<*mut PyThreadState>,
    /// The number of the last attachment.
    last: Cell<u64>,
    attachments: RefCell<Vec<Attachment>>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread {
            state: Cell::new(null_mut()),
            last: Cell::new(0),
            attachments: RefCell::new(Vec::new()),
        }
    };

    /// What each call of Python code looks at: apart from the rest, and without an end, for that is faster.
    static CALLS: Calls = const { Calls { under_way: Cell::new(0), has_attachments: Cell::new(false) } };
}

impl Thread {
    /// Delete the Python thread state, if there is one, attached or not.
    fn delete_state(&self) {
        let state = self.state.replace(null_mut());
        if state.is_null() || !state::is_running() {
            return;
        }
        PyMemAllocator::unregister_thread_state(state.cast());
        if PyMemAllocator::attach_state() != AttachState::Attached {
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
    /// the thread that holds it may never give it back. What there is left to do in Python, `shutdown::end` does.
    fn drop(&mut self) {
        if !platform::ends_with_process() {
            self.delete_state();
        }
    }
}

/// Have the thread own none of the objects that it made and others have now. Without a GIL an object belongs to its maker, and who
/// else decrefs it leaves it to the maker, who may be idle; but a thread whose state is deleted owns nothing. Its next
/// attachment makes another, which takes a third of a millisecond there.
pub fn delete_thread_state() {
    if state::is_free_threaded() {
        let _ = THREAD.try_with(Thread::delete_state);
    }
}

/// Return whether the calling thread, which isn't attached to the main interpreter, could be.
fn check_attachable(attach_state: AttachState) -> Result<(), Status> {
    if attach_state == AttachState::Finalised || !state::is_started() {
        return Err(Status::NoPython);
    }
    if PyMemAllocator::attached_to_other() {
        return Err(Status::Subinterpreter);
    }
    Ok(())
}

/// Attach the calling thread, whatever it is. The caller has seen its state: not attached to the main interpreter.
fn enter(thread: &Thread, attach_state: AttachState) -> Result<Entry, Status> {
    check_attachable(attach_state)?;
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
                let state = PyThreadState_Get();
                thread.state.set(state);
                PyMemAllocator::register_thread_state(state.cast());
                limit_recursion();
            }
            Entry::Restored
        }
    };
    if PyMemAllocator::has_deferred() {
        PyMemAllocator::drain_deferred();
    }
    Ok(entry)
}

/// Undo one [`enter`].
#[inline]
fn leave(entry: Entry) {
    match entry {
        Entry::Found | Entry::Detached(_) => {}
        Entry::Restored => {
            // SAFETY: attached by the `enter` that this undoes; the state stays in `Thread::state`.
            unsafe { PyEval_SaveThread() };
        }
        // SAFETY: the pair of the `PyGILState_Ensure` in `enter`, on the same thread.
        Entry::Ensured(gil) => unsafe { PyGILState_Release(gil) },
    }
}

/// Undo what an attachment of JavaScript's changed. Does nothing where somebody else has done so meanwhile.
fn undo(entry: Entry) {
    let is_attached = PyMemAllocator::attach_state() == AttachState::Attached;
    match entry {
        Entry::Restored | Entry::Ensured(_) if is_attached => leave(entry),
        // SAFETY: detached; the thread's own state, which was current until it was detached.
        Entry::Detached(state) if !is_attached && state::is_running() => unsafe {
            PyEval_RestoreThread(state)
        },
        _ => {}
    }
}

/// The thread is attached to the main interpreter while this lives.
pub struct AttachGuard(Entry);

impl AttachGuard {
    /// Attach the thread unless it is attached: then this costs only the look.
    #[inline]
    pub fn enter() -> Result<Self, Status> {
        match PyMemAllocator::attach_state() {
            AttachState::Attached => Ok(Self(Entry::Found)),
            attach_state => Self::enter_from(attach_state),
        }
    }

    /// Attach a thread of the pool, one of them at a time: CPython wakes each thread that waits for the GIL every 5 ms, and a
    /// thousand of them leave no time for the one that has it. No other thread waits for this lock, attached or not.
    pub fn enter_in_turn() -> Result<Self, Status> {
        static TURN: Mutex<()> = Mutex::new(());
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Self::enter()
    }

    #[inline(never)]
    fn enter_from(attach_state: AttachState) -> Result<Self, Status> {
        THREAD
            .try_with(|thread| enter(thread, attach_state))
            .unwrap_or(Err(Status::NoPython))
            .map(Self)
    }
}

/// Do some work that may run Python code, and so call back into JavaScript. Decrefs that other threads left go first.
pub fn with_python<R>(work: impl FnOnce() -> R) -> Result<R, Status> {
    CALLS.with(|calls| {
        let outer = calls.under_way.get();
        let attached = AttachGuard::enter()?;
        calls.under_way.set(outer + 1);
        // SAFETY: attached; no exception is set between two calls of JavaScript's, and nothing is held here.
        unsafe { drain_pending_decrefs() };
        let result = work();
        calls.under_way.set(outer);
        if calls.has_attachments.get() {
            end_attachments_of_callbacks(outer, attached);
        }
        Ok(result)
    })
}

/// End a call of Python code on a thread that has attachments: what its callbacks left is forgotten, which had no effect; and what
/// they ended from outside is undone, now that the thread is as it was before the call.
#[cold]
fn end_attachments_of_callbacks(calls: u32, attached: AttachGuard) {
    let _ = THREAD.try_with(|thread| {
        let mut attachments = thread.attachments.borrow_mut();
        attachments.retain(|attachment| attachment.calls <= calls);
    });
    drop(attached);
    let _ = THREAD.try_with(pop_ended_attachments);
}

impl Drop for AttachGuard {
    #[inline]
    fn drop(&mut self) {
        leave(self.0);
    }
}

/// Attach the thread until [`end_attachment`] is called with the number that this returns.
pub fn attach() -> Result<u64, Status> {
    push_attachment(|thread| match PyMemAllocator::attach_state() {
        AttachState::Attached => Ok(None),
        attach_state if calls_under_way() > 0 => check_attachable(attach_state).map(|()| None),
        attach_state => enter(thread, attach_state).map(Some),
    })
}

/// Detach the thread, if it is attached, until [`end_attachment`] is called with the number that this returns.
pub fn detach() -> Result<u64, Status> {
    push_attachment(|_| {
        if PyMemAllocator::attach_state() != AttachState::Attached {
            return Ok(None);
        }
        if calls_under_way() > 0 {
            return Err(Status::InCallback);
        }
        // SAFETY: attached, with a state that stays the thread's own.
        Ok(Some(Entry::Detached(unsafe { PyEval_SaveThread() })))
    })
}

/// Return how many calls of Python code are under way on this thread.
fn calls_under_way() -> u32 {
    CALLS.with(|calls| calls.under_way.get())
}

/// Make an attachment of what `change` does to the thread. `using` ends it in the same function, so that there is stack left for
/// that is made sure of first.
fn push_attachment(
    change: impl FnOnce(&Thread) -> Result<Option<Entry>, Status>,
) -> Result<u64, Status> {
    if !stack::has_room() {
        return Err(Status::StackEnd);
    }
    THREAD
        .try_with(|thread| {
            let reserved = thread.attachments.borrow_mut().try_reserve(1);
            reserved.map_err(|_| Status::OutOfMemory)?;
            // Nothing is borrowed here: attaching can call an allocator's hook, and that JavaScript.
            let undo = change(thread)?;
            let number = thread.last.get() + 1;
            thread.last.set(number);
            CALLS.with(|calls| calls.has_attachments.set(true));
            thread.attachments.borrow_mut().push(Attachment {
                number,
                calls: calls_under_way(),
                is_ended: false,
                undo,
            });
            Ok(number)
        })
        .unwrap_or(Err(Status::NoPython))
}

/// End an attachment of this thread. One that has ended already, as those of callbacks do, is ended no second time.
pub fn end_attachment(number: u64) -> Result<(), Status> {
    THREAD
        .try_with(|thread| {
            let mut attachments = thread.attachments.borrow_mut();
            let found = attachments
                .iter_mut()
                .rfind(|attachment| attachment.number == number);
            if let Some(attachment) = found {
                attachment.is_ended = true;
                drop(attachments);
                pop_ended_attachments(thread);
            }
        })
        .map_err(|_| Status::NoPython)
}

/// Undo the newest attachments as far as they have ended. Those from outside of a callback wait until it has returned.
fn pop_ended_attachments(thread: &Thread) {
    let calls = calls_under_way();
    let next = || {
        thread
            .attachments
            .borrow_mut()
            .pop_if(|attachment| attachment.is_ended && attachment.calls == calls)
    };
    // Nothing is borrowed while an entry is undone.
    while let Some(ended) = next() {
        if let Some(entry) = ended.undo {
            undo(entry);
        }
    }
    let has_attachments = !thread.attachments.borrow().is_empty();
    CALLS.with(|calls| calls.has_attachments.set(has_attachments));
}

/// Do something for which the thread is detached, if it is attached.
pub fn detach_for<R>(work: impl FnOnce() -> R) -> R {
    if PyMemAllocator::attach_state() != AttachState::Attached {
        return work();
    }
    // SAFETY: attached, with a state that stays the thread's own.
    let state = unsafe { PyEval_SaveThread() };
    let result = work();
    // SAFETY: the same thread, detached just now.
    unsafe { PyEval_RestoreThread(state) };
    result
}
