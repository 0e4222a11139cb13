//! Python's objects: references to them, and memory that both languages use.

pub mod borrow;
pub mod exporter;
pub mod reference;
