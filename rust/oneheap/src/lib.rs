#![doc = include_str!("../README.md")]

#[cfg(not(unix))]
compile_error!("oneheap finds Python's functions with dlsym, so it needs a Unix");

mod allocator;
mod cpython;
mod deferred;
mod heap;
mod interpreter;
mod placement;
mod standing;

#[cfg(test)]
mod tests;

pub use allocator::PyMemAllocator;
pub use heap::Counters;
pub use standing::Standing;
