//! Seeing memory: call stacks of JavaScript as frames of Python.

pub mod call_stack;
pub mod memory_summary;
pub mod recording;
pub mod settings;
pub mod signal;
pub mod traced_memory;
