//! Who holds a block's memory, and the records that JavaScript's buffers refer to. Nothing in here calls Python, so that cargo's
//! tests and Miri build these modules alone (`rust/oneheap-deno/tests/memory.rs`).

pub mod shared_memory;
pub mod slab;
pub mod slot;
