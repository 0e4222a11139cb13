//! Python's objects: calls through references to them, and their buffers.

pub mod borrow;
pub mod framed;
pub mod operations;
pub mod reference;
