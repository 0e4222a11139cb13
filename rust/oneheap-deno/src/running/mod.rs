//! Running Python code: compiled once, on a thread with enough stack, and interrupted where that is requested.

pub mod async_exception;
pub mod compiled;
pub mod completion_queue;
pub mod fresh_scope;
pub mod interruptible_run;
pub mod own_functions;
pub mod pool;
pub mod run;
pub mod scope;
