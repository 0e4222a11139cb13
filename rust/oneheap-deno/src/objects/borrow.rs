//! Buffers of Python objects, for views of JavaScript's: any memory that a Python object exports, where it is.

use std::ffi::{CStr, c_char};
use std::ptr::null_mut;

use pyo3_ffi::{
    Py_buffer, PyBUF_FORMAT, PyBUF_INDIRECT, PyBuffer_IsContiguous, PyBuffer_Release,
    PyBuffer_ToContiguous, PyDict_GetItemString, PyErr_Clear, PyErr_Fetch,
    PyErr_NormalizeException, PyErr_Restore, PyObject, PyObject_CallFunctionObjArgs,
    PyObject_GetBuffer,
};

use crate::memory::element::Element;
use crate::runtime::once_box::OnceBox;
use crate::runtime::own_code;
use crate::values::failure::Failure;
use crate::values::fallible;
use crate::values::handle::{Bound, BufferGuard};

/// What a view is made of.
pub enum Source {
    /// The exporter's own memory.
    BufferGuard(BufferGuard),
    /// A copy.
    Copy(Vec<u8>),
}

/// A buffer that a typed array can show.
pub struct Borrowing {
    pub source: Source,
    pub element: Element,
    pub description: Description,
}

/// What an exporter says of its buffer.
pub struct Description {
    /// In the syntax of Python's `struct`.
    pub format: String,
    /// How many elements there are in each dimension.
    pub shape: Vec<isize>,
}

/// Why a buffer can't be shown. `ffi/boundary/status.ts` has the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum BufferErrorReason {
    /// No typed array has such elements.
    Format = 1,
    /// Another typed array was requested.
    Element = 2,
    /// The elements don't lie one after the other in C order.
    Strides = 3,
    /// The memory must not be written to.
    ReadOnly = 4,
    /// The memory begins where elements of this size must not.
    Alignment = 5,
}

impl BufferErrorReason {
    /// Return whether a copy of the elements could be shown.
    fn allows_copy(self) -> bool {
        matches!(self, Self::Strides | Self::ReadOnly | Self::Alignment)
    }
}

/// The outcome of borrowing.
pub enum BorrowResult {
    Borrowed(Borrowing),
    Refused(BufferErrorReason, Description),
}

/// Borrow an object's buffer, as elements of the type that was requested or else the one that its format says. With `copy`,
/// a buffer that can't be shown in place, but whose elements could be, is copied.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn borrow(
    object: &Bound,
    wanted: Option<Element>,
    copy: bool,
) -> Result<BorrowResult, Failure> {
    let mut buffer = Box::new(Py_buffer::new());
    // All facts are requested, so that an error can report them; only an exporter without a buffer refuses.
    // SAFETY: attached; the buffer is this function's own, and stays where it is.
    let got =
        unsafe { PyObject_GetBuffer(object.as_ptr(), &mut *buffer, PyBUF_INDIRECT | PyBUF_FORMAT) };
    if got != 0 {
        // SAFETY: attached, and the call set an exception.
        return Err(unsafe {
            add_hint(object);
            Failure::fetch()
        });
    }
    // SAFETY: filled in by Python just now.
    let (description, element) = unsafe { (description_of(&buffer), element(&buffer)) };
    let refusal = judge(&buffer, element, wanted);
    let result = match (description, refusal, element) {
        (Ok(description), None, Some(found)) => {
            return Ok(BorrowResult::Borrowed(Borrowing {
                source: Source::BufferGuard(BufferGuard::new(buffer)),
                element: wanted.unwrap_or(found),
                description,
            }));
        }
        (Ok(description), Some(refusal), Some(found)) if copy && refusal.allows_copy() => {
            // SAFETY: the buffer is filled in.
            unsafe { contiguous(&buffer) }.map(|bytes| {
                BorrowResult::Borrowed(Borrowing {
                    source: Source::Copy(bytes),
                    element: wanted.unwrap_or(found),
                    description,
                })
            })
        }
        (Ok(description), refusal, _) => Ok(BorrowResult::Refused(
            refusal.unwrap_or(BufferErrorReason::Format),
            description,
        )),
        (Err(failure), ..) => Err(failure),
    };
    // SAFETY: attached; released once, and nobody has it any more.
    unsafe { PyBuffer_Release(&mut *buffer) };
    result
}

/// What is said of objects without a buffer.
const HINT_SOURCE: &CStr =
    match CStr::from_bytes_with_nul(concat!(include_str!("borrow_hint.py"), "\0").as_bytes()) {
        Ok(source) => source,
        Err(_) => panic!("borrow_hint.py has a NUL"),
    };

/// `add_hint(value, exception)` of `borrow_hint.py`, kept for the lifetime of the process.
struct AddHint(*mut PyObject);

// SAFETY: the object is never freed, and only attached threads do something with it.
unsafe impl Send for AddHint {}
// SAFETY: as above.
unsafe impl Sync for AddHint {}

static ADD_HINT: OnceBox<AddHint> = OnceBox::new();

/// Have the exception that is set say what to borrow in the place of the object. What goes wrong leaves it as it is.
///
/// # Safety
/// The thread is attached, and an exception is set.
unsafe fn add_hint(object: &Bound) {
    let (mut kind, mut value, mut traceback) = (null_mut(), null_mut(), null_mut());
    // SAFETY: as the caller vouches; each result is checked, and the exception is set again.
    unsafe {
        PyErr_Fetch(&mut kind, &mut value, &mut traceback);
        PyErr_NormalizeException(&mut kind, &mut value, &mut traceback);
        let add = ADD_HINT.get_or_try_init(|| {
            let globals = Bound::from_owned(own_code::execute(HINT_SOURCE));
            let add = globals.and_then(|globals| {
                let function = PyDict_GetItemString(globals.as_ptr(), c"add_hint".as_ptr());
                Bound::from_borrowed(function)
            });
            add.map(|add| AddHint(add.into_ptr())).ok_or(())
        });
        if let (Ok(add), false) = (add, value.is_null()) {
            let (add, end) = (add.0, null_mut::<PyObject>());
            let added = PyObject_CallFunctionObjArgs(add, object.as_ptr(), value, end);
            drop(Bound::from_owned(added));
        }
        PyErr_Clear();
        PyErr_Restore(kind, value, traceback);
    }
}

/// Why the buffer can't be shown in place, if it can't.
fn judge(
    buffer: &Py_buffer,
    found: Option<Element>,
    wanted: Option<Element>,
) -> Option<BufferErrorReason> {
    let Some(found) = found else {
        return Some(BufferErrorReason::Format);
    };
    if wanted.is_some_and(|wanted| !wanted.shows(found)) {
        return Some(BufferErrorReason::Element);
    }
    // SAFETY: the buffer is filled in.
    if unsafe { PyBuffer_IsContiguous(buffer, b'C' as c_char) } == 0 {
        return Some(BufferErrorReason::Strides);
    }
    if buffer.readonly != 0 {
        return Some(BufferErrorReason::ReadOnly);
    }
    // Where an empty buffer begins is of no interest; an empty `array` points to a byte anywhere.
    if buffer.len > 0 && !buffer.buf.addr().is_multiple_of(found.bytes()) {
        return Some(BufferErrorReason::Alignment);
    }
    None
}

/// The element type that the buffer's format says.
///
/// # Safety
/// The buffer is filled in.
unsafe fn element(buffer: &Py_buffer) -> Option<Element> {
    // SAFETY: as the caller vouches.
    let format = unsafe { format(buffer) };
    Element::of_format(format.to_bytes(), buffer.itemsize as usize)
}

/// The buffer's format; `B`, unsigned bytes, where the exporter says none.
///
/// # Safety
/// The buffer is filled in.
unsafe fn format(buffer: &Py_buffer) -> &CStr {
    if buffer.format.is_null() {
        return c"B";
    }
    // SAFETY: a C string that lives as long as the buffer.
    unsafe { CStr::from_ptr(buffer.format) }
}

/// Format and shape, copied.
///
/// # Safety
/// The buffer is filled in.
unsafe fn description_of(buffer: &Py_buffer) -> Result<Description, Failure> {
    let dimensions = buffer.ndim as usize;
    // Without a shape it is one dimension, or none.
    let length = [buffer.len / buffer.itemsize.max(1)];
    let shape = if buffer.shape.is_null() {
        &length[..dimensions.min(1)]
    } else {
        // SAFETY: as many extents as dimensions.
        unsafe { std::slice::from_raw_parts(buffer.shape, dimensions) }
    };
    // SAFETY: as the caller vouches.
    let format = unsafe { format(buffer) };
    Ok(Description {
        format: lossy_utf8(format)?,
        shape: fallible::copied(shape)?,
    })
}

/// Text of C as UTF-8, which it is but for odd exporters.
fn lossy_utf8(text: &CStr) -> Result<String, Failure> {
    let bytes = text.to_bytes();
    let replaced = bytes.utf8_chunks().map(|chunk| {
        chunk.valid().len()
            + if chunk.invalid().is_empty() {
                0
            } else {
                char::REPLACEMENT_CHARACTER.len_utf8()
            }
    });
    let capacity: usize = replaced.sum();
    let mut copy = String::new();
    copy.try_reserve_exact(capacity)
        .map_err(|_| Failure::OutOfMemory(capacity))?;
    for chunk in bytes.utf8_chunks() {
        copy.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            copy.push(char::REPLACEMENT_CHARACTER);
        }
    }
    Ok(copy)
}

/// The elements one after the other, in C order.
///
/// # Safety
/// The thread is attached, no exception is set, and the buffer is filled in.
unsafe fn contiguous(buffer: &Py_buffer) -> Result<Vec<u8>, Failure> {
    let length = buffer.len as usize;
    // Zeroed, for an exporter may say more bytes than its shape has.
    let mut bytes = fallible::zeroed_bytes(length)?;
    // SAFETY: there is space for all of the buffer.
    let copied = unsafe {
        PyBuffer_ToContiguous(
            bytes.as_mut_ptr().cast(),
            buffer,
            buffer.len,
            b'C' as c_char,
        )
    };
    if copied == 0 {
        return Ok(bytes);
    }
    // SAFETY: attached, and the call set an exception.
    Err(unsafe { fallible::fetch(length) })
}
