//! Strings on their way between JavaScript and Python: both have lone surrogates, so these go as they are.

use std::mem::MaybeUninit;
use std::ptr::null_mut;

use pyo3_ffi::{
    PyErr_Clear, PyErr_ExceptionMatches, PyExc_UnicodeEncodeError, PyLong_AsSsize_t, PyObject,
    PyObject_CallFunctionObjArgs, PyObject_GetAttrString, PyUnicode_AsEncodedString,
    PyUnicode_AsLatin1String, PyUnicode_AsUTF8String, PyUnicode_DecodeUTF16, PyUnicode_GetLength,
    PyUnicode_Type,
};

use crate::boundary::status::Status;
use crate::limits::{MAX_COPIED_CHARACTERS, MAX_SHORT_TEXT_BYTES, MAX_STRING_UNITS};
use crate::runtime::once_box::OnceBox;
use crate::values::bytes::bytes;
use crate::values::failure::Failure;
use crate::values::fallible;
use crate::values::handle::{Bound, Py};

/// A string on its way to JavaScript.
pub enum Text {
    /// UTF-8, copied to where it needs no memory of its own.
    Short(ShortText),
    /// UTF-8, copied.
    Copied(String),
    /// A `bytes` of Python's, which V8 copies from.
    Encoded(EncodedText),
}

/// A string of some bytes.
pub struct ShortText {
    length: u8,
    bytes: [MaybeUninit<u8>; MAX_SHORT_TEXT_BYTES],
}

impl ShortText {
    /// A copy of the text; none if it is longer.
    #[inline]
    fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [MaybeUninit::<u8>::uninit(); MAX_SHORT_TEXT_BYTES];
        let place = bytes.get_mut(..text.len())?;
        // SAFETY: both have that length, and are apart.
        unsafe {
            let place = place.as_mut_ptr().cast::<u8>();
            place.copy_from_nonoverlapping(text.as_ptr(), text.len());
        }
        Some(Self {
            length: text.len() as u8,
            bytes,
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // SAFETY: `new` wrote so many bytes, of UTF-8.
        unsafe {
            let bytes = self.bytes.as_ptr().cast();
            std::str::from_utf8_unchecked(std::slice::from_raw_parts(bytes, self.length.into()))
        }
    }
}

/// A string in an encoding that takes no more units than V8's own.
pub struct EncodedText {
    /// Where the units are, and how many.
    pub units: Units,
    /// Keeps them alive.
    _bytes: Py,
}

/// The units of an encoded string.
pub enum Units {
    Latin1(*const u8, usize),
    Utf16(*const u16, usize),
}

// SAFETY: the units never change, and live as long as the `bytes`, which is kept.
unsafe impl Send for EncodedText {}

impl Text {
    /// The text of a Python string, exactly.
    ///
    /// # Safety
    /// The thread is attached, no exception is set, and the object is a `str`.
    #[inline]
    pub unsafe fn of(object: *mut PyObject) -> Result<Self, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            let characters = PyUnicode_GetLength(object) as usize;
            if characters <= MAX_COPIED_CHARACTERS
                && let Some(encoded) = Bound::from_owned(PyUnicode_AsUTF8String(object))
            {
                if let Some(text) = ShortText::new(bytes(encoded.as_ptr())) {
                    return Ok(Self::Short(text));
                }
                return copied_utf8(&encoded).map(Self::Copied);
            }
            Self::encoded(object, characters)
        }
    }

    /// A long text, in the encoding that V8 copies from fastest, or one that UTF-8 couldn't be made of.
    ///
    /// # Safety
    /// The thread is attached, and the object is a `str`; an exception is set if the text isn't long.
    #[cold]
    unsafe fn encoded(object: *mut PyObject, characters: usize) -> Result<Self, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            if characters <= MAX_COPIED_CHARACTERS {
                not_encodable(characters)?;
                return Self::utf16(object, characters);
            }
            if characters > MAX_STRING_UNITS {
                return Err(Status::TooLarge.into());
            }
            if fits_latin1(object, characters)
                && let Some(text) = Self::latin1(object, characters)?
            {
                return Ok(text);
            }
            Self::utf16(object, characters)
        }
    }

    /// The text as Latin-1; none if that doesn't have all of its characters.
    ///
    /// # Safety
    /// As for [`of`](Self::of).
    unsafe fn latin1(object: *mut PyObject, characters: usize) -> Result<Option<Self>, Failure> {
        // SAFETY: as the caller vouches; the result is owned.
        unsafe {
            let Some(encoded) = Bound::from_owned(PyUnicode_AsLatin1String(object)) else {
                return not_encodable(characters).map(|()| None);
            };
            let latin1 = bytes(encoded.as_ptr());
            Ok(Some(Self::Encoded(EncodedText {
                units: Units::Latin1(latin1.as_ptr(), latin1.len()),
                _bytes: encoded.into(),
            })))
        }
    }

    /// The text as UTF-16, lone surrogates as they are.
    ///
    /// # Safety
    /// As for [`of`](Self::of).
    unsafe fn utf16(object: *mut PyObject, characters: usize) -> Result<Self, Failure> {
        let (name, errors) = (c"utf-16".as_ptr(), c"surrogatepass".as_ptr());
        // SAFETY: as the caller vouches; the result is owned. Any two bytes are a unit, and their alignment is checked.
        unsafe {
            let encoded = Bound::from_owned(PyUnicode_AsEncodedString(object, name, errors))
                .ok_or_else(|| fallible::fetch(characters.saturating_mul(size_of::<u16>())))?;
            let (before, units, after) = bytes(encoded.as_ptr()).align_to::<u16>();
            // The encoding without an order is in that of this machine, and begins with a mark.
            let ([], [0xfeff, units @ ..], []) = (before, units, after) else {
                return Err(Status::Invalid.into());
            };
            if units.len() > MAX_STRING_UNITS {
                return Err(Status::TooLarge.into());
            }
            Ok(Self::Encoded(EncodedText {
                units: Units::Utf16(units.as_ptr(), units.len()),
                _bytes: encoded.into(),
            }))
        }
    }
}

/// The UTF-16 of a string, lone surrogates as they are.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is a `str`.
pub unsafe fn units_of(object: *mut PyObject) -> Result<Vec<u16>, Failure> {
    // SAFETY: as the caller vouches; the units live as long as the text.
    unsafe {
        match Text::utf16(object, 0)? {
            Text::Encoded(EncodedText {
                units: Units::Utf16(units, length),
                _bytes,
            }) => fallible::copied(std::slice::from_raw_parts(units, length)),
            _ => Err(Status::Invalid.into()),
        }
    }
}

/// Clear the exception that is set if it says that the encoding lacks a character; else fails with it.
///
/// # Safety
/// The thread is attached, and an encoder set an exception.
unsafe fn not_encodable(requested: usize) -> Result<(), Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        if PyErr_ExceptionMatches(PyExc_UnicodeEncodeError) == 0 {
            return Err(fallible::fetch(requested));
        }
        PyErr_Clear();
    }
    Ok(())
}

/// Return whether a long string seems to have Latin-1's characters only, as its size says: Python has one byte for each of those then.
/// It may have more where it keeps its UTF-8 too, so this is a guess, for which no character is looked at.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is a `str`.
unsafe fn fits_latin1(object: *mut PyObject, characters: usize) -> bool {
    /// `str.__sizeof__`, a reference that is kept.
    struct SizeOf(*mut PyObject);
    // SAFETY: never freed, and only attached threads call it.
    unsafe impl Sync for SizeOf {}
    static SIZE_OF: OnceBox<SizeOf> = OnceBox::new();
    // SAFETY: as the caller vouches; results are owned, and what fails is of no interest.
    unsafe {
        let size = SIZE_OF
            .get_or_try_init(|| {
                let kind = (&raw mut PyUnicode_Type).cast();
                let method = PyObject_GetAttrString(kind, c"__sizeof__".as_ptr());
                Bound::from_owned(method)
                    .map(|it| SizeOf(it.into_ptr()))
                    .ok_or(())
            })
            .ok()
            .and_then(|method| {
                let null = null_mut::<PyObject>();
                Bound::from_owned(PyObject_CallFunctionObjArgs(method.0, object, null))
            })
            .map(|size| PyLong_AsSsize_t(size.as_ptr()) as usize);
        if size.is_none() {
            PyErr_Clear();
        }
        size.is_none_or(|size| size < 2 * characters)
    }
}

/// UTF-16 as a Python string, lone surrogates as they are.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn text(units: &[u16]) -> Result<Bound, Failure> {
    // Named, for otherwise a first U+FEFF would be taken for a mark and lost.
    let mut order = if cfg!(target_endian = "little") {
        -1
    } else {
        1
    };
    let bytes = size_of_val(units);
    // SAFETY: attached; the units are readable, the name is static.
    unsafe {
        Bound::from_owned(PyUnicode_DecodeUTF16(
            units.as_ptr().cast(),
            bytes as isize,
            c"surrogatepass".as_ptr(),
            &mut order,
        ))
        .ok_or_else(|| fallible::fetch(bytes))
    }
}

/// A copy of a `bytes` that has valid UTF-8.
///
/// # Safety
/// The thread is attached, and the object is what `PyUnicode_AsUTF8String` returned.
#[inline]
unsafe fn copied_utf8(encoded: &Bound) -> Result<String, Failure> {
    // SAFETY: as the caller vouches. Checking the UTF-8 again costs more than the copy.
    unsafe { fallible::copied(bytes(encoded.as_ptr())).map(|it| String::from_utf8_unchecked(it)) }
}
