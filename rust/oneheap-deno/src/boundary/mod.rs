//! What crosses between JavaScript and Rust: the functions that Deno's FFI binds, those that come by Node-API, and their status.

pub mod exports;
pub mod napi;
pub mod status;
