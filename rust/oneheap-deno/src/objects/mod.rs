//! Python's objects: references to them, values that have a counterpart in JavaScript, and memory that both languages use.

pub mod borrow;
pub mod element;
pub mod exporter;
pub mod failure;
pub mod memory;
pub mod numpy;
pub mod object;
pub mod published;
pub mod reference;
pub mod retained;
pub mod support;
pub mod text;
pub mod value;
