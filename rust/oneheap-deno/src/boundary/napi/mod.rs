//! What crosses by Node-API: `register.rs` has the table of functions, each other file what one capability needs.
//!
//! By Node-API go functions that Deno's FFI can't do or may not: those that make `ArrayBuffer`s with finalizers or take and return any
//! JavaScript value, and those that may run Python code. Each thread that opens the library gets functions of its own.

pub mod arguments;
pub mod backing_store;
pub mod buffers;
pub mod call_stacks;
pub mod completions;
pub mod env;
pub mod external_memory;
pub mod python;
pub mod reference_buffers;
pub mod references;
pub mod register;
pub mod results;
pub mod running;
pub mod scopes;
pub mod stack;
pub mod tapes;
pub mod watches;
