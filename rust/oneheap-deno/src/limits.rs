//! Every threshold, size, count and timeout of the library that could be another number, with its unit and its reason.
//!
//! `ffi/limits.ts` has those of TypeScript; a test compares what stands in both.

// Runtime

// Memory

// Values

// Objects

// Running

// Boundary
