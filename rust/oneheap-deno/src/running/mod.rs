//! Running Python code: compiled once, on a thread with enough stack, and interrupted where that is asked for.

pub mod async_exception;
pub mod compiled;
pub mod fresh_scope;
pub mod inbox;
pub mod pool;
pub mod room;
pub mod run;
pub mod turn;
