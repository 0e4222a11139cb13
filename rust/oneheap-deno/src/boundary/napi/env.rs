//! The environment of a call by Node-API, and JavaScript's values in it.

use std::ffi::c_void;
use std::ptr::null_mut;

use napi_sys::{
    PropertyAttributes, Status as NapiStatus, napi_callback_info, napi_create_array_with_length,
    napi_create_double, napi_create_external_arraybuffer, napi_create_string_latin1,
    napi_create_string_utf8, napi_create_string_utf16, napi_define_properties, napi_env,
    napi_get_array_length, napi_get_arraybuffer_info, napi_get_boolean, napi_get_cb_info,
    napi_get_element, napi_get_null, napi_get_typedarray_info, napi_get_value_double,
    napi_get_value_string_utf16, napi_property_descriptor, napi_typeof, napi_value, napi_valuetype,
};

use crate::boundary::status::Status;
use crate::limits::{USUAL_ARGUMENTS, USUAL_STRING_UNITS};
use crate::values::failure::Failure;
use crate::values::fallible;
use crate::values::text::{EncodedText, Units};

/// What runs when V8 has collected an external buffer.
pub type Finalizer = unsafe extern "C" fn(napi_env, *mut c_void, *mut c_void);

/// The environment of a call under way. A function of Node-API that fails leaves its result as it was: null, which is
/// `undefined` where it is returned.
#[derive(Clone, Copy)]
pub struct Env(pub napi_env);

impl Env {
    /// The first arguments of the call; null, which stands for `undefined`, for those that were not given.
    ///
    /// # Safety
    /// The environment and `info` are those of the call under way.
    pub unsafe fn arguments<const N: usize>(self, info: napi_callback_info) -> [napi_value; N] {
        let (mut count, mut arguments) = (N, [null_mut(); N]);
        // SAFETY: as the caller vouches; there is space for as many.
        unsafe {
            napi_get_cb_info(
                self.0,
                info,
                &mut count,
                arguments.as_mut_ptr(),
                null_mut(),
                null_mut(),
            );
        }
        // Those that weren't passed are undefined to Node-API, and each question about one takes some nanoseconds.
        if let Some(missing) = arguments.get_mut(count..) {
            missing.fill(null_mut());
        }
        arguments
    }

    /// The receiver and all arguments of the call.
    ///
    /// # Safety
    /// The environment and `info` are those of the call under way.
    pub unsafe fn all_arguments(
        self,
        info: napi_callback_info,
    ) -> Result<(napi_value, Vec<napi_value>), Failure> {
        let mut receiver = null_mut();
        let (mut count, mut arguments) = (
            USUAL_ARGUMENTS,
            fallible::vec_with_capacity(USUAL_ARGUMENTS)?,
        );
        // SAFETY: as the caller vouches; there is space for as many, of which all are written: those that were not given are
        // `undefined`.
        let mut get = |count: &mut usize, arguments: &mut Vec<napi_value>| unsafe {
            let place = arguments.as_mut_ptr();
            napi_get_cb_info(self.0, info, count, place, &mut receiver, null_mut());
        };
        get(&mut count, &mut arguments);
        if count > USUAL_ARGUMENTS {
            fallible::reserve_exact(&mut arguments, count)?;
            get(&mut count, &mut arguments);
        }
        // SAFETY: as above.
        unsafe { arguments.set_len(count) };
        Ok((receiver, arguments))
    }

    /// The buffer of a typed array; null for other values.
    ///
    /// # Safety
    /// The environment and the value are live.
    pub unsafe fn buffer_of(self, view: napi_value) -> napi_value {
        let mut buffer = null_mut();
        // SAFETY: as the caller vouches; the buffer is written, or stays null.
        unsafe {
            let (kind, length, data, offset) = (null_mut(), null_mut(), null_mut(), null_mut());
            napi_get_typedarray_info(self.0, view, kind, length, data, &mut buffer, offset);
        }
        buffer
    }

    /// What kind of value it is.
    ///
    /// # Safety
    /// The environment and the value are live.
    pub unsafe fn kind(self, value: napi_value) -> napi_valuetype {
        let mut kind = napi_sys::ValueType::napi_undefined;
        if !value.is_null() {
            // SAFETY: as the caller vouches.
            unsafe { napi_typeof(self.0, value, &mut kind) };
        }
        kind
    }

    /// The number that a value is.
    ///
    /// # Safety
    /// The environment and the value are live.
    pub unsafe fn number(self, value: napi_value) -> Option<f64> {
        if value.is_null() {
            return None;
        }
        let mut number = f64::NAN;
        // SAFETY: as the caller vouches.
        let status = unsafe { napi_get_value_double(self.0, value, &mut number) };
        (status == NapiStatus::napi_ok).then_some(number)
    }

    /// The UTF-16 of a string, exactly.
    ///
    /// # Safety
    /// The environment and the value are live.
    pub unsafe fn utf16(self, value: napi_value) -> Result<Vec<u16>, Failure> {
        let read = |units: *mut u16, capacity: usize| {
            let mut length = 0;
            // SAFETY: as the caller vouches; there is that much space.
            let status =
                unsafe { napi_get_value_string_utf16(self.0, value, units, capacity, &mut length) };
            if status == NapiStatus::napi_ok {
                Ok(length)
            } else {
                Err(Status::Invalid)
            }
        };
        let mut units: Vec<u16> = fallible::vec_with_capacity(USUAL_STRING_UNITS)?;
        let mut length = read(units.as_mut_ptr(), USUAL_STRING_UNITS)?;
        if length == USUAL_STRING_UNITS - 1 {
            let capacity = read(null_mut(), 0)? + 1;
            fallible::reserve_exact(&mut units, capacity)?;
            // V8 puts a string together that is kept in parts, before it is read.
            fallible::probe(capacity * size_of::<u16>())?;
            length = read(units.as_mut_ptr(), capacity)?;
        }
        // SAFETY: so many were written.
        unsafe { units.set_len(length) };
        Ok(units)
    }

    /// Where an `ArrayBuffer` has its memory, and how many bytes; none for other values.
    ///
    /// # Safety
    /// The environment and the value are live.
    pub unsafe fn array_buffer(self, value: napi_value) -> Option<(*mut c_void, usize)> {
        let (mut data, mut bytes) = (null_mut(), 0);
        // SAFETY: as the caller vouches.
        let status = unsafe { napi_get_arraybuffer_info(self.0, value, &mut data, &mut bytes) };
        (status == NapiStatus::napi_ok).then_some((data, bytes))
    }

    /// `null`.
    ///
    /// # Safety
    /// The environment is live.
    pub unsafe fn null(self) -> napi_value {
        let mut value = null_mut();
        // SAFETY: as the caller vouches.
        unsafe { napi_get_null(self.0, &mut value) };
        value
    }

    /// A boolean.
    ///
    /// # Safety
    /// The environment is live.
    pub unsafe fn boolean(self, truth: bool) -> napi_value {
        let mut value = null_mut();
        // SAFETY: as the caller vouches.
        unsafe { napi_get_boolean(self.0, truth, &mut value) };
        value
    }

    /// A number.
    ///
    /// # Safety
    /// The environment is live.
    pub unsafe fn double(self, number: f64) -> napi_value {
        let mut value = null_mut();
        // SAFETY: as the caller vouches.
        unsafe { napi_create_double(self.0, number, &mut value) };
        value
    }

    /// A string; null if V8 has none of that length.
    ///
    /// # Safety
    /// The environment is live.
    pub unsafe fn string(self, text: &str) -> napi_value {
        let mut value = null_mut();
        // SAFETY: as the caller vouches; the text is readable for its length.
        unsafe {
            napi_create_string_utf8(
                self.0,
                text.as_ptr().cast(),
                text.len() as isize,
                &mut value,
            );
        }
        value
    }

    /// A long string of Python's; null if V8 has none of that length.
    ///
    /// # Safety
    /// The environment is live.
    pub unsafe fn encoded(self, text: &EncodedText) -> Result<napi_value, Failure> {
        let mut value = null_mut();
        // SAFETY: as the caller vouches; the units are readable as long as the text lives.
        unsafe {
            match text.units {
                Units::Latin1(units, length) => {
                    fallible::probe(length)?;
                    let units = units.cast();
                    napi_create_string_latin1(self.0, units, length as isize, &mut value);
                }
                Units::Utf16(units, length) => {
                    fallible::probe(length * size_of::<u16>())?;
                    napi_create_string_utf16(self.0, units, length as isize, &mut value);
                }
            }
        }
        Ok(value)
    }

    /// An array of `length` elements.
    ///
    /// # Safety
    /// The environment and the elements are live.
    pub unsafe fn array_of(
        self,
        length: usize,
        elements: impl Iterator<Item = napi_value>,
    ) -> napi_value {
        let mut array = null_mut();
        // SAFETY: as the caller vouches.
        unsafe {
            napi_create_array_with_length(self.0, length, &mut array);
            for (index, element) in elements.enumerate() {
                // Defined, not set: a setter of a program's on `Array.prototype` must not get it.
                let name = decimal(index);
                let property = napi_property_descriptor {
                    utf8name: name.as_ptr().cast(),
                    name: null_mut(),
                    method: None,
                    getter: None,
                    setter: None,
                    value: element,
                    attributes: PropertyAttributes::writable
                        | PropertyAttributes::enumerable
                        | PropertyAttributes::configurable,
                    data: null_mut(),
                };
                napi_define_properties(self.0, array, 1, &property);
            }
        }
        array
    }

    /// An `ArrayBuffer` over memory that isn't V8's, with its finaliser, which runs on any thread.
    ///
    /// # Safety
    /// The environment is live, and the memory lives until the finaliser runs.
    pub unsafe fn external(
        self,
        data: *mut c_void,
        bytes: usize,
        finalizer: Finalizer,
        hint: *mut c_void,
    ) -> napi_value {
        // SAFETY: as the caller vouches. Where there is no buffer, nobody else runs the finaliser.
        unsafe {
            self.try_external(data, bytes, finalizer, hint)
                .unwrap_or_else(|| {
                    finalizer(self.0, data, hint);
                    null_mut()
                })
        }
    }

    /// The same; none if there is no buffer, and then the finaliser doesn't run.
    ///
    /// # Safety
    /// As for [`external`](Self::external).
    pub unsafe fn try_external(
        self,
        data: *mut c_void,
        bytes: usize,
        finalizer: Finalizer,
        hint: *mut c_void,
    ) -> Option<napi_value> {
        let mut buffer = null_mut();
        // SAFETY: as the caller vouches.
        let status = unsafe {
            napi_create_external_arraybuffer(
                self.0,
                data,
                bytes,
                Some(finalizer),
                hint,
                &mut buffer,
            )
        };
        (status == NapiStatus::napi_ok).then_some(buffer)
    }

    /// Return how many elements an array has; 0 for what isn't one.
    ///
    /// # Safety
    /// The environment and the value are live.
    pub unsafe fn array_length(self, array: napi_value) -> u32 {
        let mut length = 0;
        // SAFETY: as the caller vouches; the result is written, or stays as it is.
        unsafe {
            if self.kind(array) == napi_sys::ValueType::napi_object {
                napi_get_array_length(self.0, array, &mut length);
            }
        }
        length
    }

    /// Return an element of an array.
    ///
    /// # Safety
    /// The environment and the value are live.
    pub unsafe fn element(self, array: napi_value, index: u32) -> napi_value {
        let mut element = null_mut();
        // SAFETY: as the caller vouches; the result is written, or stays null.
        unsafe { napi_get_element(self.0, array, index, &mut element) };
        element
    }
}

/// A number in decimal, as a C string.
fn decimal(number: usize) -> [u8; 24] {
    let mut digits = [0; 24];
    let (mut rest, mut count) = (number, 0);
    while count == 0 || rest > 0 {
        digits[count] = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
    }
    digits[..count].reverse();
    digits
}

/// Free what an external buffer owns in a box, when V8 has collected the buffer.
///
/// # Safety
/// The hint is a `Box<T>` that was turned into a pointer; this runs once, on any thread.
pub unsafe extern "C" fn drop_boxed<T: Send>(
    _env: napi_env,
    _data: *mut c_void,
    hint: *mut c_void,
) {
    // SAFETY: as the caller vouches.
    drop(unsafe { Box::from_raw(hint.cast::<T>()) });
}
