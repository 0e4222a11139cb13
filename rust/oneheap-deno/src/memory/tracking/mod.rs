//! What memory is allocated where, while somebody records call sites, and what Python's debug hooks need.

pub mod amounts;
pub mod call_stack;
pub mod debug_bytes;
pub mod debug_hooks;
pub mod flags;
pub mod ledger;
pub mod observer;
pub mod quarantine;
pub mod timeline;
