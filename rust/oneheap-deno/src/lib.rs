//! The shared library that Deno opens.
//!
//! Its global allocator is [`oneheap::PyMemAllocator`], so each Rust allocation made here on a thread that is attached
//! to Python is Python's memory. `symbols.rs` holds the functions that TypeScript calls, in the order of
//! `ffi/symbols.ts`; the other files hold what they do, a file for each file in `ffi/`.

mod address_table;
mod attach;
mod block;
mod code;
mod external_memory;
mod initialization;
mod memory;
mod node;
mod objects;
mod python;
mod raw;
mod running;
mod stack;
mod stats;
mod symbols;
mod system;
mod view;

#[global_allocator]
static GLOBAL: oneheap::PyMemAllocator = oneheap::PyMemAllocator;
