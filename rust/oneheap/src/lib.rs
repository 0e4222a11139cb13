#![doc = include_str!("../README.md")]

#[cfg(not(any(unix, windows)))]
compile_error!(
    "oneheap finds Python's functions with dlsym or GetProcAddress, so it needs a Unix or Windows"
);

mod allocator;
mod cpython;
mod deferred;
mod header;
mod heap;
mod interpreter;
mod limits;
mod pending_bytes;
mod registered_states;
mod runtime_state;
mod symbol;
mod thread_state;

#[cfg(test)]
mod tests;

pub use allocator::PyMemAllocator;
pub use heap::Counters;
pub use runtime_state::AttachState;
pub use symbol::python_symbol;
