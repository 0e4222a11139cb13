//! The shared library that Deno opens.
//!
//! Its global allocator is [`oneheap::PyMemAllocator`], so each Rust allocation made here on a thread that is attached
//! to Python is Python's memory. The folders are the layers of the library, and have the names of
//! those in `ffi/`; `boundary/exports.rs` has the functions that TypeScript calls.

mod boundary;
mod debug;
mod limits;
mod memory;
mod objects;
mod running;
mod runtime;
mod values;

#[global_allocator]
static GLOBAL: oneheap::PyMemAllocator = oneheap::PyMemAllocator;
