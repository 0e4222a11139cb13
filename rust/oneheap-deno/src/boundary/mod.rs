//! What crosses between JavaScript and Rust.
//!
//! A function crosses in one of two ways:
//!
//! - by Deno's FFI (`exports.rs`), which takes a few nanoseconds: what is for memory alone, and runs neither JavaScript nor Python code.
//!   A fast FFI call that enters JavaScript again can abort the process (denoland/deno 31122);
//! - by Node-API (`napi/`), which takes some 65 ns: whatever may run Python code (a call, making objects, a decref, for a finaliser may
//!   enter JavaScript), and what makes `ArrayBuffer`s with finalizers or takes and returns any JavaScript value.
//!
//! Each function is declared once here and once in `ffi/boundary`; a test compares the two. `ABI` in `exports.rs` is raised by any
//! change to a function that crosses, its parameters, or what they mean: a library of another number is not used.

pub mod exports;
pub mod napi;
pub mod status;
