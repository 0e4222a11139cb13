//! What has come of Python code that JavaScript doesn't wait for, until JavaScript's thread takes it.
//!
//! A `nonblocking` call of Deno's FFI waits for the inbox while there is something to come: one of Deno's threads at most, and
//! none that runs Python code. (A thread-safe function of Node-API can miss being called, in Deno 2.9, and then the promise
//! would never settle.)

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::objects::failure::Failure;
use crate::objects::value::Answer;
use crate::running::turn::Turn;

/// What became of a run.
pub type Outcome = Result<Answer, Failure>;

/// One for each JavaScript thread that runs Python code so.
#[derive(Default)]
pub struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    outcomes: Vec<(u32, Outcome)>,
    /// The runs that JavaScript has not heard of yet, by their numbers.
    turns: HashMap<u32, Arc<Turn>>,
    /// JavaScript's thread ends.
    closed: bool,
}

impl Inbox {
    /// The lock is held by JavaScript's thread and by threads that are detached, none of which waits for anything meanwhile.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run begins.
    pub fn expect(&self, run: u32, turn: Arc<Turn>) {
        self.lock().turns.insert(run, turn);
    }

    /// A run came to nothing before it began.
    pub fn forget(&self, run: u32) {
        self.lock().turns.remove(&run);
    }

    /// Has a run raise `KeyboardInterrupt`, if there is one of that number.
    pub fn interrupt(&self, run: u32) {
        let turn = self.lock().turns.get(&run).cloned();
        if let Some(turn) = turn {
            turn.interrupt();
        }
    }

    /// A run has ended. The thread is detached.
    pub fn put(&self, run: u32, outcome: Outcome) {
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return drop(outcome);
        }
        state.outcomes.push((run, outcome));
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until there is something to take, or the inbox is closed.
    pub fn wait(&self) {
        let mut state = self.lock();
        while state.outcomes.is_empty() && !state.closed {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes what has come.
    pub fn take(&self) -> Vec<(u32, Outcome)> {
        let mut state = self.lock();
        let outcomes = std::mem::take(&mut state.outcomes);
        for (run, _) in &outcomes {
            state.turns.remove(run);
        }
        outcomes
    }

    /// JavaScript's thread ends: nobody will hear of what is still to come, so what runs is interrupted.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let turns = std::mem::take(&mut state.turns);
        let outcomes = std::mem::take(&mut state.outcomes);
        drop(state);
        self.changed.notify_all();
        drop(outcomes);
        turns.into_values().for_each(Turn::interrupt);
    }
}
