//! How much of JavaScript's stack is left.
//!
//! JavaScript can throw a `RangeError` at every call, at the end of its stack. An operation that needs JavaScript after it has
//! changed something here could be left half-way. So such an operation first makes sure that there is more stack left than
//! JavaScript needs afterwards; else it throws that `RangeError` itself, and nothing has changed.
//!
//! V8 doesn't say where its stack ends. That is found out: JavaScript calls itself until it is deep enough, or throws. What was reached
//! once is reached again, for the limit stays where it is.

use std::cell::Cell;

use crate::limits::RESERVED_STACK_BYTES;

struct Stack {
    /// The lowest address at which JavaScript is known to run.
    proven: Cell<usize>,
    /// How low the trial under way is to reach.
    target: Cell<usize>,
    /// A trial has met the end of the stack.
    is_end_known: Cell<bool>,
}

thread_local! {
    static STACK: Stack = const {
        Stack { proven: Cell::new(usize::MAX), target: Cell::new(0), is_end_known: Cell::new(false) }
    };
}

/// A new isolate begins on this thread, whose stack may end elsewhere.
pub fn begin_isolate() {
    let _ = STACK.try_with(|stack| {
        stack.proven.set(usize::MAX);
        stack.is_end_known.set(false);
    });
}

/// Roughly where the calling thread's stack is now.
#[inline]
fn stack_pointer() -> usize {
    let here = 0u8;
    std::hint::black_box(&raw const here).addr()
}

/// Return whether JavaScript is known to have enough of its stack left for what follows one call.
#[inline]
pub fn has_room() -> bool {
    has_room_for(RESERVED_STACK_BYTES)
}

/// The same for several calls, each of which makes sure of its own some frames deeper.
pub fn has_room_for_several() -> bool {
    has_room_for(RESERVED_STACK_BYTES + RESERVED_STACK_BYTES / 4)
}

#[inline]
fn has_room_for(bytes: usize) -> bool {
    let wanted = stack_pointer().saturating_sub(bytes);
    STACK
        .try_with(|stack| wanted >= stack.proven.get())
        .unwrap_or(true)
}

/// Begin a trial from here on; no if the end of the stack is known already.
pub fn begin_trial() -> bool {
    STACK.with(|stack| {
        let here = stack_pointer();
        // JavaScript has called this, so it runs as deep as this, also where the trial can't begin for want of stack.
        stack.proven.set(stack.proven.get().min(here));
        // Twice as deep as needed, so that going deeper step by step takes few trials.
        let target = here.saturating_sub(2 * RESERVED_STACK_BYTES);
        stack.target.set(target);
        !stack.is_end_known.get()
    })
}

/// JavaScript runs as deep as this. Whether it is to go on.
pub fn descend() -> bool {
    let here = stack_pointer();
    STACK.with(|stack| {
        stack.proven.set(stack.proven.get().min(here));
        here > stack.target.get()
    })
}

/// The trial has ended.
pub fn end_trial() {
    STACK.with(|stack| {
        let is_deep = stack.proven.get() <= stack.target.get();
        stack.is_end_known.set(!is_deep);
    });
}
