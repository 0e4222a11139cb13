//! Arguments: values of JavaScript on their way to Python.

use std::ptr::null_mut;

use napi_sys::{
    Status as NapiStatus, TypedarrayType, ValueType, napi_get_typedarray_info,
    napi_get_value_bigint_words, napi_get_value_bool, napi_value,
};

use crate::boundary::napi::env::Env;
use crate::boundary::napi::reference_buffers::REFERENCES;
use crate::boundary::status::{MAX_SAFE_INTEGER, Status};
use crate::limits::MIN_DIRECT_BYTES;
use crate::memory::block::TOKENS;
use crate::runtime::attach::AttachGuard;
use crate::values::exporter::Export;
use crate::values::failure::Failure;
use crate::values::fallible;
use crate::values::value::{IntoPython, python_bytes};

/// What converting an argument may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// Wait for Python, as the call that the argument is for does.
    Waits,
    /// Wait for nothing: the argument is for another thread.
    Detached,
}

impl Env {
    /// Return an argument for Python. TypeScript has checked that it is of a kind that has a counterpart.
    ///
    /// # Safety
    /// The environment and the value are live, and no other thread uses a token's block meanwhile.
    pub unsafe fn argument(
        self,
        value: napi_value,
        conversion: Conversion,
    ) -> Result<IntoPython, Failure> {
        // SAFETY: as the caller vouches.
        let argument = unsafe {
            match self.kind(value) {
                ValueType::napi_null => Some(IntoPython::None),
                ValueType::napi_undefined => Some(IntoPython::Nested),
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
        // SAFETY: as the caller vouches. Without a place for the words, this returns how many there are.
        let counted = unsafe {
            napi_get_value_bigint_words(self.0, value, null_mut(), &mut count, null_mut())
        };
        let mut words: Vec<u64> = fallible::vec_with_capacity(count)?;
        // SAFETY: as the caller vouches, and there is space for all.
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
        // SAFETY: so many were written, of no more than there is space for.
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
