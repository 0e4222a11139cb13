//! Allocations whose size user data decides. They return the size as a [`Failure`] where Rust's own would end the process.

use std::alloc::{Layout, alloc, alloc_zeroed};
use std::fmt;
use std::ptr::NonNull;

use pyo3_ffi::{PyErr_Clear, PyErr_ExceptionMatches, PyExc_MemoryError};

use crate::limits::MIN_PROBED_BYTES;
use crate::values::failure::Failure;

/// An empty vector with space for exactly `capacity` elements. It asks the allocator itself, which takes half the time of
/// `try_reserve_exact` for a short one.
#[inline]
pub fn vec_with_capacity<T>(capacity: usize) -> Result<Vec<T>, Failure> {
    let out_of_memory = || Failure::OutOfMemory(capacity.saturating_mul(size_of::<T>()));
    let layout = Layout::array::<T>(capacity).map_err(|_| out_of_memory())?;
    if layout.size() == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the layout's size is not zero, and it is the one of a vector with that capacity.
    unsafe {
        let data = NonNull::new(alloc(layout)).ok_or_else(out_of_memory)?;
        Ok(Vec::from_raw_parts(data.cast().as_ptr(), 0, capacity))
    }
}

/// Reserves space for `additional` elements more.
pub fn reserve_exact<T>(vec: &mut Vec<T>, additional: usize) -> Result<(), Failure> {
    vec.try_reserve_exact(additional)
        .map_err(|_| Failure::OutOfMemory((vec.len() + additional).saturating_mul(size_of::<T>())))
}

/// A copy of a slice.
#[inline]
pub fn copied<T: Copy>(slice: &[T]) -> Result<Vec<T>, Failure> {
    let mut vec = vec_with_capacity(slice.len())?;
    vec.extend_from_slice(slice);
    Ok(vec)
}

/// So many zero bytes. Large ones cost nothing before they are used, for the system has them zeroed.
pub fn zeroed_bytes(length: usize) -> Result<Vec<u8>, Failure> {
    let layout = Layout::array::<u8>(length).map_err(|_| Failure::OutOfMemory(length))?;
    if length == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the layout's size is not zero; the memory is initialised, and its length and capacity are those of the layout.
    unsafe {
        let data = NonNull::new(alloc_zeroed(layout)).ok_or(Failure::OutOfMemory(length))?;
        Ok(Vec::from_raw_parts(data.as_ptr(), length, length))
    }
}

/// Text that `write!` adds to; it fails where memory is out.
#[derive(Default)]
pub struct FallibleText(Vec<u8>);

impl FallibleText {
    /// The text, in UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Write for FallibleText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.try_reserve(text.len()).map_err(|_| fmt::Error)?;
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Take the exception that is set by a function of Python's which converts a value and asked for `requested` bytes: a
/// `MemoryError` is this library's own failure then.
///
/// # Safety
/// The thread is attached.
pub unsafe fn fetch(requested: usize) -> Failure {
    // SAFETY: attached; without an exception nothing matches.
    unsafe {
        if PyErr_ExceptionMatches(PyExc_MemoryError) == 0 {
            return Failure::fetch();
        }
        PyErr_Clear();
    }
    Failure::OutOfMemory(requested)
}

/// Fail unless the system has `length` bytes more. V8 ends the process where it finds no memory for a value, so large values
/// are tried here first; another thread may still take the memory in between.
pub fn probe(length: usize) -> Result<(), Failure> {
    if length < MIN_PROBED_BYTES {
        return Ok(());
    }
    let probe = vec_with_capacity::<u8>(length)?;
    // Used, or the optimiser would leave out the allocation.
    std::hint::black_box(probe.as_ptr());
    Ok(())
}
