//! Owning handles of Python objects, and conversions between them and values of JavaScript.

pub mod bytes;
pub mod exporter;
pub mod failure;
pub mod fallible;
pub mod handle;
pub mod numpy;
pub mod retained;
pub mod support;
pub mod text;
pub mod value;
