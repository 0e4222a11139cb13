//! Memory of Python's heap: blocks, raw memory, their counts, and what is reported to V8 of them.

pub mod address_table;
pub mod block;
pub mod element;
pub mod external_memory;
pub mod raw;
pub mod stats;
pub mod storage;
pub mod tracking;
