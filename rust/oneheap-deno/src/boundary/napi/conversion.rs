//! Values as they cross between JavaScript and this library.
//!
//! What is no value itself comes back as an array that begins with a [`Tag`]. Blocks and references cross as the tiny buffers
//! that own what this library knows of them; TypeScript puts them in the place of its own objects.

use std::ffi::c_void;
use std::iter::once;
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;

use napi_sys::{
    Status as NapiStatus, TypedarrayType, ValueType, napi_create_bigint_int64,
    napi_create_bigint_words, napi_create_string_utf16, napi_create_typedarray, napi_env,
    napi_get_typedarray_info, napi_get_value_bigint_words, napi_get_value_bool, napi_value,
};

use crate::boundary::napi::Env;
use crate::boundary::status::{MAX_SAFE_INTEGER, Status};
use crate::limits::{MIN_DIRECT_BYTES, MIN_REPORTED_BYTES};
use crate::memory::block::TOKENS;
use crate::memory::external_memory::ExternalMemory;
use crate::memory::storage::slab::Slab;
use crate::objects::borrow::{self, Borrowing, Description, Source};
use crate::objects::exporter::Export;
use crate::objects::reference::Reference;
use crate::runtime::attach::AttachGuard;
use crate::values::failure::{Exception, Failure};
use crate::values::fallible;
use crate::values::handle::{BufferGuard, Py};
use crate::values::text::Text;
use crate::values::value::{FromPython, IntoPython, python_bytes};

/// The size of a reference's buffer, which JavaScript never looks into.
const REFERENCE_BYTES: usize = 1;

/// All references of JavaScript's to Python objects.
static REFERENCES: Slab<Reference> = Slab::new();

/// What an array that comes back begins with. The numbers stand in `ffi/boundary/status.ts` too.
#[derive(Clone, Copy)]
#[repr(i32)]
enum Tag {
    /// An exception: its type, its message, and a reference to what formats its traceback, or null.
    Exception = 0,
    /// A code and, if memory is out, how many bytes were asked for.
    Status = 1,
    /// A block: its identity, and a reference to the object.
    Block = 2,
    /// A buffer: an `ArrayBuffer`, its element type, whether it is a copy, its format, and its shape.
    Buffer = 3,
    /// A buffer that can't be shown: why, its format, and its shape.
    BufferError = 4,
}

/// What converting an argument may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// Wait for Python, as the call that the argument is for does.
    Waits,
    /// Wait for nothing: the argument is for another thread.
    Detached,
}

impl Env {
    /// A value for Python. TypeScript has checked it, and let no other kinds through.
    ///
    /// # Safety
    /// The environment and the value are live, and a keeper's block is not used elsewhere meanwhile.
    pub unsafe fn argument(
        self,
        value: napi_value,
        conversion: Conversion,
    ) -> Result<IntoPython, Failure> {
        // SAFETY: as the caller vouches.
        let argument = unsafe {
            match self.kind(value) {
                ValueType::napi_null => Some(IntoPython::None),
                ValueType::napi_boolean => {
                    let mut truth = false;
                    let status = napi_get_value_bool(self.0, value, &mut truth);
                    (status == NapiStatus::napi_ok).then_some(IntoPython::Bool(truth))
                }
                ValueType::napi_number => self.number(value).map(number),
                ValueType::napi_bigint => return self.bigint(value),
                ValueType::napi_string => return self.utf16(value).map(IntoPython::Text),
                ValueType::napi_object => return self.object(value, conversion),
                _ => None,
            }
        };
        argument.ok_or_else(|| Status::Invalid.into())
    }

    /// A bigint, as a small integer where it is one.
    ///
    /// # Safety
    /// The environment and the value are live.
    unsafe fn bigint(self, value: napi_value) -> Result<IntoPython, Failure> {
        let (mut negative, mut count) = (0, 0);
        // SAFETY: as the caller vouches. Without a place for the words, this tells how many there are.
        let counted = unsafe {
            napi_get_value_bigint_words(self.0, value, null_mut(), &mut count, null_mut())
        };
        let mut words: Vec<u64> = fallible::vec_with_capacity(count)?;
        // SAFETY: as the caller vouches, and there is room for all.
        let read = unsafe {
            napi_get_value_bigint_words(
                self.0,
                value,
                &mut negative,
                &mut count,
                words.as_mut_ptr(),
            )
        };
        if counted != NapiStatus::napi_ok || read != NapiStatus::napi_ok {
            return Err(Status::Invalid.into());
        }
        // SAFETY: so many were written, of no more than there is room for.
        unsafe { words.set_len(count.min(words.capacity())) };
        let small = match words[..] {
            [] => Some(0),
            [word] => i64::try_from(word).ok(),
            _ => None,
        };
        Ok(match small {
            Some(small) if negative != 0 => IntoPython::Integer(-small),
            Some(small) => IntoPython::Integer(small),
            None => IntoPython::Big(negative != 0, words),
        })
    }

    /// A block or a reference; none for other objects.
    ///
    /// # Safety
    /// As for [`argument`](Self::argument).
    unsafe fn object(
        self,
        value: napi_value,
        conversion: Conversion,
    ) -> Result<IntoPython, Failure> {
        // SAFETY: as the caller vouches. JavaScript's thread alone uses the records.
        unsafe {
            if let Some((data, _)) = self.array_buffer(value) {
                if let Some(reference) = REFERENCES.get(data.cast()) {
                    let held = reference.as_ref().held.clone();
                    return held.map(IntoPython::Object).ok_or(Status::Freed.into());
                }
                let mut token = TOKENS.get(data.cast()).ok_or(Status::Invalid)?;
                return Export::new(&mut token.as_mut().slot, None, false).map(IntoPython::Block);
            }
            self.bytes_argument(value, conversion)
        }
    }

    /// The contents of a `Uint8Array` as an argument.
    ///
    /// # Safety
    /// As for [`argument`](Self::argument).
    unsafe fn bytes_argument(
        self,
        value: napi_value,
        conversion: Conversion,
    ) -> Result<IntoPython, Failure> {
        // SAFETY: as the caller vouches. Attaching and copying run neither JavaScript nor Python code, so the bytes stay where
        // they are; the new object is Python's.
        unsafe {
            let bytes = self.bytes(value).ok_or(Status::Invalid)?;
            if conversion == Conversion::Detached || bytes.len() < MIN_DIRECT_BYTES {
                return fallible::copied(bytes).map(IntoPython::Bytes);
            }
            let _attached = AttachGuard::enter()?;
            python_bytes(bytes).map(|object| IntoPython::Made(object.into()))
        }
    }

    /// The contents of a `Uint8Array`, valid until JavaScript goes on.
    ///
    /// # Safety
    /// The environment and the value are live.
    unsafe fn bytes<'a>(self, value: napi_value) -> Option<&'a [u8]> {
        let (mut kind, mut length, mut data) = (0, 0, null_mut());
        // SAFETY: as the caller vouches.
        let status = unsafe {
            napi_get_typedarray_info(
                self.0,
                value,
                &mut kind,
                &mut length,
                &mut data,
                null_mut(),
                null_mut(),
            )
        };
        if status != NapiStatus::napi_ok || kind != TypedarrayType::uint8_array {
            return None;
        }
        if data.is_null() {
            return Some(&[]);
        }
        // SAFETY: V8 keeps the memory while this thread is here.
        Some(unsafe { std::slice::from_raw_parts(data.cast(), length) })
    }

    /// What a reference refers to; none if it isn't one, or was let go.
    ///
    /// # Safety
    /// The environment and the value are live.
    pub unsafe fn held(self, value: napi_value) -> Option<Arc<Py>> {
        // SAFETY: as the caller vouches.
        unsafe {
            self.reference(value)
                .and_then(|reference| reference.held.clone())
        }
    }

    /// The record of a reference.
    ///
    /// # Safety
    /// The environment and the value are live; only JavaScript's thread uses the record, and this is the one use of it.
    pub unsafe fn reference<'a>(self, value: napi_value) -> Option<&'a mut Reference> {
        // SAFETY: as the caller vouches. What the slab has at the address is a record that lives as long as its buffer.
        unsafe {
            let (data, _) = self.array_buffer(value)?;
            REFERENCES.get(data.cast()).map(|mut it| it.as_mut())
        }
    }

    /// A buffer that owns a reference to an object, and lets go of it when it is lost. The object exports `bytes` of memory,
    /// of which V8 is told by TypeScript if they are many.
    ///
    /// # Safety
    /// The environment is live.
    pub unsafe fn new_reference(self, held: Py, bytes: usize) -> napi_value {
        let external = ExternalMemory::of_isolate();
        let retained = if bytes >= MIN_REPORTED_BYTES {
            bytes
        } else {
            0
        };
        if let Some(external) = &external {
            external.retain(retained as i64);
            external.sample_growth();
        }
        let record = Reference {
            held: Some(Arc::new(held)),
            retained,
            external,
        };
        let Ok(record) = REFERENCES.insert(record) else {
            // SAFETY: as the caller vouches.
            return unsafe { self.failure(Status::OutOfMemory.into()) };
        };
        let address: *mut c_void = record.as_ptr().cast();
        // SAFETY: as the caller vouches; the record is larger than the buffer, and lives until the finalizer takes it.
        unsafe { self.external(address, REFERENCE_BYTES, drop_reference, address) }
    }

    /// What came of some Python code.
    ///
    /// # Safety
    /// The environment is live.
    pub unsafe fn outcome(self, outcome: Result<FromPython, Failure>) -> napi_value {
        // SAFETY: as the caller vouches.
        unsafe {
            match outcome {
                Ok(answer) => self.answer(answer),
                Err(failure) => self.failure(failure),
            }
        }
    }

    /// A value of Python's.
    ///
    /// # Safety
    /// The environment is live.
    unsafe fn answer(self, answer: FromPython) -> napi_value {
        let mut value = null_mut();
        // SAFETY: as the caller vouches.
        unsafe {
            match answer {
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
                FromPython::Object(held, bytes) => return self.new_reference(held, bytes),
                FromPython::Block(identity, held) => {
                    return self.tagged(
                        Tag::Block,
                        &[self.double(identity), self.new_reference(held, 0)],
                    );
                }
            }
        }
        value
    }

    /// Why there is no value.
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
                    report,
                }) => {
                    let report =
                        report.map_or_else(|| self.null(), |held| self.new_reference(held, 0));
                    let parts = [self.string(&kind), self.message(&message), report];
                    self.tagged(Tag::Exception, &parts)
                }
                Failure::Status(code) => self.tagged(Tag::Status, &[self.double(code.as_f64())]),
                Failure::OutOfMemory(bytes) => {
                    let code = self.double(Status::OutOfMemory.as_f64());
                    self.tagged(Tag::Status, &[code, self.double(bytes as f64)])
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

    /// What came of borrowing a buffer.
    ///
    /// # Safety
    /// The environment is live.
    pub unsafe fn borrowed(self, outcome: borrow::Outcome) -> napi_value {
        // SAFETY: as the caller vouches.
        unsafe {
            match outcome {
                borrow::Outcome::Borrowed(Borrowing {
                    source,
                    element,
                    description,
                }) => {
                    let is_copy = matches!(source, Source::Copy(_));
                    let buffer = match source {
                        Source::Copy(bytes) => self.owned_bytes(bytes),
                        Source::BufferGuard(lease) => self.leased_bytes(lease),
                    };
                    let element = self.double(f64::from(element as u8));
                    let is_copy = self.boolean(is_copy);
                    self.described(Tag::Buffer, &[buffer, element, is_copy], &description)
                }
                borrow::Outcome::Refused(refusal, description) => {
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
    unsafe fn tagged(self, tag: Tag, elements: &[napi_value]) -> napi_value {
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
        retain_buffer(length);
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
    unsafe fn leased_bytes(self, lease: BufferGuard) -> napi_value {
        let buffer = lease.buffer();
        let length = buffer.len as usize;
        retain_buffer(length);
        // V8 doesn't call the finaliser of a buffer at null.
        let data = NonNull::new(buffer.buf).unwrap_or(NonNull::<u64>::dangling().cast());
        let owner = Box::into_raw(Box::new(lease));
        // SAFETY: as the caller vouches; the exporter keeps the memory until the lease is dropped.
        unsafe {
            self.external(
                data.as_ptr(),
                length,
                drop_boxed::<BufferGuard>,
                owner.cast(),
            )
        }
    }
}

/// A buffer is made over so many bytes: V8 knows of them, but wouldn't collect lost buffers for their sake.
fn retain_buffer(bytes: usize) {
    if let Some(external) = ExternalMemory::of_isolate() {
        external.retain_buffer(bytes as i64);
    }
}

/// A number is an integer to Python where it is a safe one. Zero with a sign is none.
fn number(number: f64) -> IntoPython {
    let is_integer = number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER;
    if is_integer && !(number == 0.0 && number.is_sign_negative()) {
        IntoPython::Integer(number as i64)
    } else {
        IntoPython::Float(number)
    }
}

/// Whether a double is this integer and no other.
fn is_safe(integer: i64) -> bool {
    integer.unsigned_abs() <= MAX_SAFE_INTEGER as u64
}

/// V8 drops the buffer of a reference.
///
/// # Safety
/// The hint is a record of [`REFERENCES`]; this runs once, on any thread.
unsafe extern "C" fn drop_reference(_env: napi_env, _data: *mut c_void, hint: *mut c_void) {
    if let Some(record) = NonNull::new(hint.cast::<Reference>()) {
        // SAFETY: as the caller vouches.
        drop(unsafe { REFERENCES.remove(record) });
    }
}

/// V8 lets go of a buffer whose owner was boxed.
///
/// # Safety
/// The hint is a `Box<T>` that was turned into a pointer; this runs once, on any thread.
unsafe extern "C" fn drop_boxed<T: Send>(_env: napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: as the caller vouches.
    drop(unsafe { Box::from_raw(hint.cast::<T>()) });
}
