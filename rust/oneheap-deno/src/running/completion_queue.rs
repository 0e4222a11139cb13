//! What has come of Python code that JavaScript doesn't wait for, until JavaScript's thread takes it.
//!
//! A `nonblocking` call of Deno's FFI waits for the queue while there is something to come: one of Deno's threads at most, and
//! none that runs Python code. (A thread-safe function of Node-API can miss being called, in Deno 2.9, and then the promise
//! would never settle.)
//!
//! Each run has one entry, allocated before it begins, which moves from list to list: nothing is allocated or dropped while the
//! lock is held, and no table grows with the number of runs.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::limits::COMPLETION_LISTS;
use crate::running::interruptible_run::InterruptibleRun;
use crate::values::failure::Failure;
use crate::values::value::FromPython;

/// The outcome of a run.
pub type RunResult = Result<FromPython, Failure>;

/// One for each JavaScript thread that runs Python code so.
#[derive(Default)]
pub struct CompletionQueue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// The runs that have not ended, each in the list that its number gives.
    running: [List; COMPLETION_LISTS],
    /// The runs that have ended since `ready` was filled, the last one first.
    ended: List,
    /// The runs to be taken next, the first one first.
    ready: List,
    /// A wait_handle was issued, and nobody has waited with it.
    wait_handle: bool,
    /// JavaScript's thread ends.
    closed: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            running: [const { List::EMPTY }; COMPLETION_LISTS],
            ended: List::EMPTY,
            ready: List::EMPTY,
            wait_handle: false,
            closed: false,
        }
    }
}

/// A run, and its outcome once it has ended.
pub struct Entry {
    run: u32,
    run_to_interrupt: Arc<InterruptibleRun>,
    result: Option<RunResult>,
    next: Option<Box<Self>>,
}

impl Entry {
    /// Make the entry of a run that is about to begin.
    pub fn new(run: u32, run_to_interrupt: Arc<InterruptibleRun>) -> Box<Self> {
        Box::new(Self {
            run,
            run_to_interrupt,
            result: None,
            next: None,
        })
    }
}

/// A linked list of entries, which owns them.
struct List(Option<Box<Entry>>);

impl List {
    const EMPTY: Self = Self(None);

    fn push(&mut self, mut entry: Box<Entry>) {
        entry.next = self.0.take();
        self.0 = Some(entry);
    }

    fn pop(&mut self) -> Option<Box<Entry>> {
        let mut entry = self.0.take()?;
        self.0 = entry.next.take();
        Some(entry)
    }

    fn find(&self, run: u32) -> Option<&Entry> {
        let mut entry = self.0.as_deref();
        while let Some(found) = entry.filter(|entry| entry.run != run) {
            entry = found.next.as_deref();
        }
        entry
    }

    fn remove(&mut self, run: u32) -> Option<Box<Entry>> {
        let mut link = &mut self.0;
        while link.as_ref()?.run != run {
            link = &mut link.as_mut()?.next;
        }
        let mut removed = link.take()?;
        *link = removed.next.take();
        Some(removed)
    }

    fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Drop for List {
    /// One entry after the other: a long list that drops its entries within each other would run out of stack.
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

impl State {
    fn list(&mut self, run: u32) -> &mut List {
        &mut self.running[run as usize % COMPLETION_LISTS]
    }

    /// Move what has ended to `ready`, in the order in which it ended, if that is empty.
    fn refill(&mut self) {
        if !self.ready.is_empty() {
            return;
        }
        while let Some(entry) = self.ended.pop() {
            self.ready.push(entry);
        }
    }
}

impl CompletionQueue {
    /// The lock is held by JavaScript's thread and by threads that are detached, none of which waits for anything meanwhile.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run begins.
    pub fn expect(&self, entry: Box<Entry>) {
        self.lock().list(entry.run).push(entry);
    }

    /// A run came to nothing before it began.
    pub fn remove_run(&self, run: u32) {
        let forgotten = self.lock().list(run).remove(run);
        // Here, where the lock isn't held any more.
        drop(forgotten);
    }

    /// Have a run raise `KeyboardInterrupt`, if there is one of that number.
    pub fn interrupt(&self, run: u32) {
        let run_to_interrupt = self
            .lock()
            .list(run)
            .find(run)
            .map(|entry| entry.run_to_interrupt.clone());
        if let Some(run_to_interrupt) = run_to_interrupt {
            run_to_interrupt.interrupt();
        }
    }

    /// A run has ended. The thread is detached. The outcome of a run that nobody expects any more is dropped.
    pub fn put(&self, run: u32, result: RunResult) {
        // Dropped after the lock, if there is no entry for it.
        let mut result = Some(result);
        let mut state = self.lock();
        if let Some(mut entry) = state.list(run).remove(run) {
            entry.result = result.take();
            state.ended.push(entry);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Issues the wait_handle for one [`wait`](Self::wait); no if there is one that was not used, which is still good.
    pub fn wait_handle(&self) -> bool {
        !std::mem::replace(&mut self.lock().wait_handle, true)
    }

    /// Wait until there is something to take, or the queue is closed. This uses the wait handle.
    pub fn wait(&self) {
        let mut state = self.lock();
        state.wait_handle = false;
        while state.ended.is_empty() && state.ready.is_empty() && !state.closed {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The number of the run that is to be taken next; none if none has ended.
    pub fn next(&self) -> Option<u32> {
        let mut state = self.lock();
        state.refill();
        state.ready.0.as_deref().map(|entry| entry.run)
    }

    /// Take the result of the run that [`next`](Self::next) returns.
    pub fn take(&self) -> Option<RunResult> {
        let mut state = self.lock();
        state.refill();
        let taken = state.ready.pop();
        drop(state);
        taken.and_then(|entry| entry.result)
    }

    /// JavaScript's thread ends: nobody will hear of what is still to come, so what runs is interrupted.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let running = std::mem::replace(
            &mut state.running,
            [const { List::EMPTY }; COMPLETION_LISTS],
        );
        let ended = std::mem::replace(&mut state.ended, List::EMPTY);
        let ready = std::mem::replace(&mut state.ready, List::EMPTY);
        drop(state);
        self.changed.notify_all();
        drop((ended, ready));
        for mut list in running {
            while let Some(entry) = list.pop() {
                entry.run_to_interrupt.interrupt();
            }
        }
    }
}
