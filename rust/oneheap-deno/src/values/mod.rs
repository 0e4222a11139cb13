//! Owning handles of Python objects, and conversions between them and values of JavaScript.

pub mod build;
pub mod bytes;
pub mod converted;
pub mod exporter;
pub mod failure;
pub mod fallible;
pub mod handle;
pub mod key_tree;
pub mod layout;
pub mod numpy;
pub mod path;
pub mod retained;
pub mod shapes;
pub mod strings;
pub mod support;
pub mod tape;
pub mod text;
pub mod value;
pub mod walk;
