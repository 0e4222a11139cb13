//! Results: values of Python, and failures, on their way to JavaScript.
//!
//! What is no value itself comes back as an array that begins with a [`Tag`]. Blocks and references cross as the tiny buffers that own
//! them; TypeScript puts objects of its own in their place.

use std::iter::once;
use std::ptr::{NonNull, null_mut};

use napi_sys::{
    TypedarrayType, napi_create_bigint_int64, napi_create_bigint_words, napi_create_string_utf16,
    napi_create_typedarray, napi_value,
};

use crate::boundary::napi::env::{Env, drop_boxed};
use crate::boundary::status::{MAX_SAFE_INTEGER, Status};
use crate::memory::external_memory::ExternalMemory;
use crate::memory::stats::Counted;
use crate::objects::borrow::{self, Borrowing, Description, Source};
use crate::values::failure::{Exception, Failure};
use crate::values::fallible;
use crate::values::handle::{BufferGuard, Py};
use crate::values::text::Text;
use crate::values::value::{FromPython, Opaque};

/// The first element of an array that comes back. `ffi/boundary/status.ts` has the same numbers.
#[derive(Clone, Copy)]
#[repr(i32)]
pub enum Tag {
    /// An exception, a `PythonError` in TypeScript: its type, its message, and a reference to what formats its traceback, or null.
    Exception = 0,
    /// A status and, if memory is out, how many bytes were requested.
    Status = 1,
    /// A block: its identity, and a reference to the object.
    Block = 2,
    /// A buffer: an `ArrayBuffer`, its element type, whether it is a copy, its format, and its shape.
    Buffer = 3,
    /// A buffer that can't be shown: why, its format, and its shape.
    BufferError = 4,
    /// A value that was converted as a whole: a tape, and what belongs to it.
    Converted = 5,
    /// A value that has no counterpart: why, where it is, and what to do.
    Conversion = 6,
}

impl Env {
    /// Return a result of Python: a value, or an array that says why there is none.
    ///
    /// # Safety
    /// The environment is live.
    pub unsafe fn result(self, result: Result<FromPython, Failure>) -> napi_value {
        // SAFETY: as the caller vouches.
        unsafe {
            match result {
                Ok(value) => self.value(value),
                Err(failure) => self.failure(failure),
            }
        }
    }

    /// Return a value of Python's.
    ///
    /// # Safety
    /// The environment is live.
    unsafe fn value(self, from_python: FromPython) -> napi_value {
        let mut value = null_mut();
        // SAFETY: as the caller vouches.
        unsafe {
            match from_python {
                FromPython::None => return self.null(),
                FromPython::Bool(truth) => return self.boolean(truth),
                FromPython::Float(number) => return self.double(number),
                FromPython::Integer(integer) if is_safe(integer) => {
                    return self.double(integer as f64);
                }
                FromPython::Integer(integer) => {
                    napi_create_bigint_int64(self.0, integer, &mut value);
                }
                FromPython::Big(negative, words) => {
                    if let Err(failure) = fallible::probe(size_of_val(&words[..])) {
                        return self.failure(failure);
                    }
                    let sign = negative.into();
                    napi_create_bigint_words(self.0, sign, words.len(), words.as_ptr(), &mut value);
                }
                FromPython::Text(Text::Short(text)) => return self.string(text.as_str()),
                FromPython::Text(Text::Copied(text)) => return self.string(&text),
                FromPython::Text(Text::Encoded(text)) => match self.encoded(&text) {
                    Ok(value) if value.is_null() => return self.failure(Status::TooLarge.into()),
                    Ok(value) => return value,
                    Err(failure) => return self.failure(failure),
                },
                FromPython::Bytes(bytes) => {
                    let length = bytes.len();
                    let buffer = self.owned_bytes(bytes);
                    let kind = TypedarrayType::uint8_array;
                    napi_create_typedarray(self.0, kind, length, buffer, 0, &mut value);
                }
                FromPython::Object(opaque) => return self.opaque_reference(opaque),
                FromPython::Converted(converted) => return self.converted(*converted),
                FromPython::Block(identity, held) => {
                    return self.tagged(
                        Tag::Block,
                        &[self.double(identity), self.owned_reference(held)],
                    );
                }
            }
        }
        value
    }

    /// Return why there is no value.
    ///
    /// # Safety
    /// The environment is live.
    pub unsafe fn failure(self, failure: Failure) -> napi_value {
        // SAFETY: as the caller vouches.
        unsafe {
            match failure {
                Failure::Raised(Exception {
                    kind,
                    message,
                    held,
                }) => {
                    let held =
                        held.map_or_else(|| self.null(), |held| self.internal_reference(held));
                    let parts = [self.string(&kind), self.message(&message), held];
                    self.tagged(Tag::Exception, &parts)
                }
                Failure::Conversion(conversion) => {
                    let reason = self.double(f64::from(conversion.reason as i32));
                    let (path, message) = (&conversion.path, &conversion.message);
                    let parts = [reason, self.string(path), self.string(message)];
                    self.tagged(Tag::Conversion, &parts)
                }
                Failure::Status(status) => {
                    self.tagged(Tag::Status, &[self.double(status.as_f64())])
                }
                Failure::OutOfMemory(bytes) => {
                    let status = self.double(Status::OutOfMemory.as_f64());
                    self.tagged(Tag::Status, &[status, self.double(bytes as f64)])
                }
            }
        }
    }

    /// The message of an exception; null where there is no memory for it. V8 makes no string of more bytes of UTF-8 than a string may
    /// have UTF-16 units.
    ///
    /// # Safety
    /// The environment is live.
    unsafe fn message(self, message: &str) -> napi_value {
        if fallible::probe(message.len()).is_err() {
            return null_mut();
        }
        // SAFETY: as the caller vouches.
        let value = unsafe { self.string(message) };
        if !value.is_null() {
            return value;
        }
        let mut units: Vec<u16> = Vec::new();
        let mut value = null_mut();
        if units
            .try_reserve_exact(message.encode_utf16().count())
            .is_ok()
        {
            units.extend(message.encode_utf16());
            let length = units.len() as isize;
            // SAFETY: as the caller vouches; the units are readable for their length.
            unsafe { napi_create_string_utf16(self.0, units.as_ptr(), length, &mut value) };
        }
        value
    }

    /// Return a borrowed buffer, or why it can't be shown.
    ///
    /// # Safety
    /// The environment is live.
    pub unsafe fn borrowed(self, result: borrow::BorrowResult) -> napi_value {
        // SAFETY: as the caller vouches.
        unsafe {
            match result {
                borrow::BorrowResult::Borrowed(Borrowing {
                    source,
                    element,
                    description,
                }) => {
                    let is_copy = matches!(source, Source::Copy(_));
                    let buffer = match source {
                        Source::Copy(bytes) => self.owned_bytes(bytes),
                        Source::BufferGuard(guard) => self.guarded_bytes(guard),
                    };
                    let element = self.double(f64::from(element as u8));
                    let is_copy = self.boolean(is_copy);
                    self.described(Tag::Buffer, &[buffer, element, is_copy], &description)
                }
                borrow::BorrowResult::Refused(refusal, description) => {
                    let why = self.double(f64::from(refusal as i32));
                    self.described(Tag::BufferError, &[why], &description)
                }
            }
        }
    }

    /// An array that ends with a buffer's format and shape.
    ///
    /// # Safety
    /// The environment and the elements are live.
    unsafe fn described(
        self,
        tag: Tag,
        elements: &[napi_value],
        Description { format, shape }: &Description,
    ) -> napi_value {
        // SAFETY: as the caller vouches.
        unsafe {
            let Ok(mut all) = fallible::vec_with_capacity(elements.len() + 1 + shape.len()) else {
                let bytes = size_of_val(&shape[..]);
                return self.failure(Failure::OutOfMemory(bytes));
            };
            all.extend_from_slice(elements);
            all.push(self.string(format));
            all.extend(shape.iter().map(|&extent| self.double(extent as f64)));
            self.tagged(tag, &all)
        }
    }

    /// An array that begins with a tag.
    ///
    /// # Safety
    /// The environment and the elements are live.
    pub unsafe fn tagged(self, tag: Tag, elements: &[napi_value]) -> napi_value {
        // SAFETY: as the caller vouches.
        unsafe {
            let tag = self.double(f64::from(tag as i32));
            self.array_of(
                elements.len() + 1,
                once(tag).chain(elements.iter().copied()),
            )
        }
    }

    /// An `ArrayBuffer` that owns bytes of this library's.
    ///
    /// # Safety
    /// The environment is live.
    unsafe fn owned_bytes(self, bytes: Vec<u8>) -> napi_value {
        let length = bytes.len();
        track_buffer(length);
        let owner = Box::into_raw(Box::new(bytes));
        // SAFETY: as the caller vouches; the bytes stay where they are until their owner is dropped.
        unsafe {
            let data = (*owner).as_mut_ptr().cast();
            self.external(data, length, drop_boxed::<Vec<u8>>, owner.cast())
        }
    }

    /// An `ArrayBuffer` over the memory of a Python object.
    ///
    /// # Safety
    /// The environment is live.
    unsafe fn guarded_bytes(self, guard: BufferGuard) -> napi_value {
        let buffer = guard.buffer();
        let length = buffer.len as usize;
        track_buffer(length);
        // V8 doesn't call the finaliser of a buffer at null.
        let data = NonNull::new(buffer.buf).unwrap_or(NonNull::<u64>::dangling().cast());
        let owner = Box::into_raw(Box::new((guard, Counted::borrow())));
        // SAFETY: as the caller vouches; the exporter keeps the memory until the guard is dropped.
        unsafe {
            self.external(
                data.as_ptr(),
                length,
                drop_boxed::<(BufferGuard, Counted)>,
                owner.cast(),
            )
        }
    }

    /// Return a reference to an object, as [`new_reference`](Self::new_reference) does; or that memory is out.
    ///
    /// # Safety
    /// The environment is live.
    unsafe fn opaque_reference(self, opaque: Opaque) -> napi_value {
        // SAFETY: as the caller vouches.
        unsafe {
            self.new_reference(opaque, Some(Counted::reference()))
                .unwrap_or_else(|| self.failure(Status::OutOfMemory.into()))
        }
    }

    /// Return a reference to an object of which nothing is known.
    ///
    /// # Safety
    /// The environment is live.
    pub unsafe fn owned_reference(self, object: Py) -> napi_value {
        // SAFETY: as the caller vouches.
        unsafe { self.opaque_reference(Opaque::internal(object)) }
    }

    /// Return a reference that is no `PyObjectRef` of JavaScript's.
    ///
    /// # Safety
    /// The environment is live.
    pub unsafe fn internal_reference(self, held: Py) -> napi_value {
        // SAFETY: as the caller vouches.
        unsafe {
            self.new_reference(Opaque::internal(held), None)
                .unwrap_or_else(|| self.failure(Status::OutOfMemory.into()))
        }
    }
}

/// Count a buffer over so many bytes. V8 knows its size, but collects no external buffers for the sake of it.
fn track_buffer(bytes: usize) {
    if let Some(external) = ExternalMemory::of_isolate() {
        external.track_buffer(bytes as i64);
    }
}

/// Return whether a double is this integer and no other.
fn is_safe(integer: i64) -> bool {
    integer.unsigned_abs() <= MAX_SAFE_INTEGER as u64
}
