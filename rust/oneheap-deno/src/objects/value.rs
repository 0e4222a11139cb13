//! Values on their way between JavaScript and Python: neither a JavaScript value nor a Python object, so that each side can
//! be dealt with on its own. JavaScript's side never waits for the GIL, Python's never needs JavaScript's thread.

use std::ptr::null_mut;
use std::sync::Arc;

use pyo3_ffi::{
    Py_False, Py_None, Py_True, Py_buffer, PyBUF_INDIRECT, PyBool_FromLong, PyBuffer_Release,
    PyBytes_AsString, PyBytes_FromStringAndSize, PyBytes_Size, PyBytes_Type, PyErr_Clear,
    PyErr_ExceptionMatches, PyErr_NoMemory, PyExc_UnicodeEncodeError, PyFloat_AsDouble,
    PyFloat_FromDouble, PyFloat_Type, PyLong_AsLongLong, PyLong_AsLongLongAndOverflow,
    PyLong_FromLongLong, PyLong_FromString, PyLong_Type, PyNumber_ToBase, PyObject,
    PyObject_CallFunctionObjArgs, PyObject_CheckBuffer, PyObject_GetBuffer, PyObject_Type,
    PyTypeObject, PyUnicode_AsEncodedString, PyUnicode_AsLatin1String, PyUnicode_AsUTF8AndSize,
    PyUnicode_AsUTF8String, PyUnicode_DecodeUTF16, PyUnicode_GetLength, PyUnicode_Type,
};

use crate::code::Code;
use crate::objects::exporter::{self, Export};
use crate::objects::failure::Failure;
use crate::objects::memory;
use crate::objects::numpy;
use crate::objects::object::{Held, Object};
use crate::objects::support::support;

/// The most bits that V8 lets a bigint have, in whole words.
const MOST_BITS: i64 = (1 << 30) - 64;

/// The most units of UTF-16 that V8 lets a string have.
const MOST_UNITS: usize = (1 << 29) - 24;

/// Strings of up to so many characters are copied to this side, in UTF-8: dropping a reference to an encoded `bytes` costs as
/// much as copying some hundred kilobytes.
const MAX_COPIED_CHARACTERS: usize = 64 * 1024;

/// What JavaScript gives to Python.
pub enum Argument {
    None,
    Bool(bool),
    Integer(i64),
    Float(f64),
    /// An integer beyond 64 bits: whether it is negative, and its magnitude in words, the lowest first.
    Big(bool, Vec<u64>),
    /// As JavaScript has it; lone surrogates go as they are.
    Text(Vec<u16>),
    Bytes(Vec<u8>),
    /// An object that was made for this argument.
    Made(Held),
    Object(Arc<Held>),
    Block(Export),
}

/// What Python gives to JavaScript.
pub enum Answer {
    None,
    Bool(bool),
    Integer(i64),
    Float(f64),
    /// As in [`Argument`].
    Big(bool, Vec<u64>),
    Text(Text),
    Bytes(Vec<u8>),
    /// An object that has no counterpart, and the size of the memory that it exports, if it does.
    Object(Held, usize),
    /// A block that comes back: its identity, and the object.
    Block(f64, Held),
}

/// A string on its way to JavaScript.
pub enum Text {
    /// UTF-8, copied.
    Copied(String),
    /// A `bytes` of Python's, which V8 copies from.
    Encoded(EncodedText),
}

/// A string in an encoding that takes no more units than V8's own.
pub struct EncodedText {
    /// Where the units are, and how many.
    pub units: Units,
    /// Keeps them alive.
    _bytes: Held,
}

/// The units of an encoded string.
pub enum Units {
    Latin1(*const u8, usize),
    Utf16(*const u16, usize),
}

// SAFETY: the units never change, and live as long as the `bytes`, which is kept.
unsafe impl Send for EncodedText {}

impl Argument {
    /// The value as a Python object.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    pub unsafe fn into_python(self) -> Result<Object, Failure> {
        // SAFETY: attached; each call gives a new reference or sets an exception.
        unsafe {
            let (object, bytes) = match self {
                Self::None => return existing(Py_None()),
                Self::Made(held) => return Ok(held.into_object()),
                Self::Object(held) => return existing(held.as_ptr()),
                Self::Block(export) => return exporter::object(export),
                Self::Text(units) => return text(&units),
                Self::Bytes(bytes) => return python_bytes(&bytes),
                Self::Bool(truth) => (PyBool_FromLong(truth.into()), 0),
                Self::Integer(integer) => (PyLong_FromLongLong(integer), size_of::<i64>()),
                Self::Float(number) => (PyFloat_FromDouble(number), size_of::<f64>()),
                Self::Big(negative, words) => {
                    let digits = hexadecimal(negative, &words)?;
                    let object = PyLong_FromString(digits.as_ptr().cast(), null_mut(), 16);
                    (object, size_of_val(&words[..]))
                }
            };
            Object::owned(object).ok_or_else(|| memory::fetch(bytes))
        }
    }
}

impl Answer {
    /// A Python object as a value. Objects of the very types that have a counterpart become that; a NumPy scalar with a value
    /// of such a type becomes that value; all others stay objects.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    pub unsafe fn from_python(object: Object) -> Result<Self, Failure> {
        // SAFETY: attached; the object is live.
        unsafe {
            let Some(kind) = Object::owned(PyObject_Type(object.as_ptr())) else {
                return Err(Failure::fetch());
            };
            if let Some(answer) = simple(&object, kind.as_ptr().cast())? {
                return Ok(answer);
            }
            if let Some(identity) = exporter::identity(&object) {
                return Ok(Self::Block(identity, object.into()));
            }
            if let Some(item) = numpy::value_of_scalar(&object, kind.as_ptr().cast())?
                && let Some(kind) = Object::owned(PyObject_Type(item.as_ptr()))
                && let Some(answer) = simple(&item, kind.as_ptr().cast())?
            {
                return Ok(answer);
            }
            let bytes = exported_bytes(&object);
            Ok(Self::Object(object.into(), bytes))
        }
    }
}

/// A reference of its own to an object that lives.
///
/// # Safety
/// The thread is attached, and the object is live.
unsafe fn existing(object: *mut PyObject) -> Result<Object, Failure> {
    // SAFETY: as the caller vouches.
    unsafe { Object::borrowed(object).ok_or(Failure::Refused(crate::code::Code::Invalid)) }
}

/// A `bytes` with a copy of these.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn python_bytes(bytes: &[u8]) -> Result<Object, Failure> {
    // SAFETY: as the caller vouches; the slice is readable.
    unsafe {
        let object = PyBytes_FromStringAndSize(bytes.as_ptr().cast(), bytes.len() as isize);
        Object::owned(object).ok_or_else(|| memory::fetch(bytes.len()))
    }
}

/// UTF-16 as a Python string, lone surrogates as they are.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn text(units: &[u16]) -> Result<Object, Failure> {
    // Named, for otherwise a first U+FEFF would be taken for a mark and lost.
    let mut order = if cfg!(target_endian = "little") {
        -1
    } else {
        1
    };
    let bytes = size_of_val(units);
    // SAFETY: attached; the units are readable, the name is static.
    unsafe {
        Object::owned(PyUnicode_DecodeUTF16(
            units.as_ptr().cast(),
            bytes as isize,
            c"surrogatepass".as_ptr(),
            &mut order,
        ))
        .ok_or_else(|| memory::fetch(bytes))
    }
}

/// An object of one of the types that have a counterpart; none for others.
///
/// # Safety
/// The thread is attached, no exception is set, and `kind` is the type of the object.
unsafe fn simple(object: &Object, kind: *mut PyTypeObject) -> Result<Option<Answer>, Failure> {
    let pointer = object.as_ptr();
    // SAFETY: attached; the singletons and types are Python's own, and only their addresses are looked at.
    unsafe {
        if pointer == Py_None() {
            return Ok(Some(Answer::None));
        }
        if pointer == Py_True() || pointer == Py_False() {
            return Ok(Some(Answer::Bool(pointer == Py_True())));
        }
        if kind == &raw mut PyLong_Type {
            return integer(pointer).map(Some);
        }
        if kind == &raw mut PyFloat_Type {
            return Ok(Some(Answer::Float(PyFloat_AsDouble(pointer))));
        }
        if kind == &raw mut PyUnicode_Type {
            return Text::of(pointer).map(|text| Some(Answer::Text(text)));
        }
        if kind == &raw mut PyBytes_Type {
            return memory::copied(bytes(pointer)).map(|bytes| Some(Answer::Bytes(bytes)));
        }
    }
    Ok(None)
}

impl Text {
    /// The text of a Python string, exactly.
    ///
    /// # Safety
    /// The thread is attached, no exception is set, and the object is a `str`.
    pub unsafe fn of(object: *mut PyObject) -> Result<Self, Failure> {
        // SAFETY: as the caller vouches; results are owned.
        unsafe {
            let characters = PyUnicode_GetLength(object) as usize;
            if characters > MOST_UNITS {
                return Err(Code::TooLarge.into());
            }
            if characters <= MAX_COPIED_CHARACTERS {
                if let Some(encoded) = Object::owned(PyUnicode_AsUTF8String(object)) {
                    return copied_utf8(&encoded).map(Self::Copied);
                }
            } else if let Some(encoded) = Object::owned(PyUnicode_AsLatin1String(object)) {
                let latin1 = bytes(encoded.as_ptr());
                return Ok(Self::Encoded(EncodedText {
                    units: Units::Latin1(latin1.as_ptr(), latin1.len()),
                    _bytes: encoded.into(),
                }));
            }
            // Lone surrogates, or characters that aren't in Latin-1.
            if PyErr_ExceptionMatches(PyExc_UnicodeEncodeError) == 0 {
                return Err(memory::fetch(characters));
            }
            PyErr_Clear();
            Self::utf16(object, characters)
        }
    }

    /// The text as UTF-16, lone surrogates as they are.
    ///
    /// # Safety
    /// As for [`of`](Self::of).
    unsafe fn utf16(object: *mut PyObject, characters: usize) -> Result<Self, Failure> {
        // SAFETY: as the caller vouches. A `bytes` begins at a multiple of 16 and its contents at one of 8, or as the checks
        // below have it.
        unsafe {
            let (name, errors) = (c"utf-16".as_ptr(), c"surrogatepass".as_ptr());
            let encoded = Object::owned(PyUnicode_AsEncodedString(object, name, errors))
                .ok_or_else(|| memory::fetch(characters.saturating_mul(size_of::<u16>())))?;
            let (before, units, after) = bytes(encoded.as_ptr()).align_to::<u16>();
            // The encoding without an order is that of this machine, and begins with a mark.
            let [0xfeff, units @ ..] = units else {
                return Err(Code::Invalid.into());
            };
            if !before.is_empty() || !after.is_empty() {
                return Err(Code::Invalid.into());
            }
            if units.len() > MOST_UNITS {
                return Err(Code::TooLarge.into());
            }
            Ok(Self::Encoded(EncodedText {
                units: Units::Utf16(units.as_ptr(), units.len()),
                _bytes: encoded.into(),
            }))
        }
    }
}

/// The size of the memory that an object exports, 0 if it has no buffer: JavaScript's collector is told of it.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn exported_bytes(object: &Object) -> usize {
    let mut buffer = Py_buffer::new();
    // SAFETY: attached; the buffer is released at once, and an exception in here is of no interest.
    unsafe {
        if PyObject_CheckBuffer(object.as_ptr()) == 0 {
            return 0;
        }
        if PyObject_GetBuffer(object.as_ptr(), &mut buffer, PyBUF_INDIRECT) != 0 {
            PyErr_Clear();
            return 0;
        }
        let bytes = buffer.len as usize;
        PyBuffer_Release(&mut buffer);
        bytes
    }
}

/// An `int` of any size.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is an `int`.
unsafe fn integer(object: *mut PyObject) -> Result<Answer, Failure> {
    let mut overflow = 0;
    // SAFETY: as the caller vouches.
    let small = unsafe { PyLong_AsLongLongAndOverflow(object, &mut overflow) };
    if overflow == 0 {
        return Ok(Answer::Integer(small));
    }
    // SAFETY: as the caller vouches; the digits are ASCII, whose UTF-8 is the string itself, which lives until they are parsed.
    unsafe {
        // Looked at first, for the digits of what JavaScript can't have take seconds.
        let bits = bit_length(object)?;
        if bits > MOST_BITS {
            return Err(Code::TooLarge.into());
        }
        let out_of_memory = || memory::fetch(bits as usize / 4);
        let digits = Object::owned(PyNumber_ToBase(object, 16)).ok_or_else(out_of_memory)?;
        let mut length = 0;
        let data = PyUnicode_AsUTF8AndSize(digits.as_ptr(), &mut length);
        if data.is_null() {
            return Err(out_of_memory());
        }
        parse_hexadecimal(std::slice::from_raw_parts(data.cast(), length as usize))
    }
}

/// How many bits an `int` has.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is an `int`.
unsafe fn bit_length(object: *mut PyObject) -> Result<i64, Failure> {
    // SAFETY: as the caller vouches; the result is an `int` of less than 64 bits.
    unsafe {
        let bits = Object::owned(PyObject_CallFunctionObjArgs(
            support()?.bit_length,
            object,
            null_mut::<PyObject>(),
        ));
        Ok(PyLong_AsLongLong(
            bits.ok_or_else(|| Failure::fetch())?.as_ptr(),
        ))
    }
}

/// A Python string's text; none, with an exception set, if it has lone surrogates or memory is out.
///
/// # Safety
/// The thread is attached, and the object is a `str` or null.
pub unsafe fn utf8(object: *mut PyObject) -> Option<String> {
    if object.is_null() {
        return None;
    }
    // SAFETY: as the caller vouches.
    unsafe {
        // A `bytes` of its own, for `PyUnicode_AsUTF8` would leave a copy in the object for as long as that lives.
        let encoded = Object::owned(PyUnicode_AsUTF8String(object))?;
        copied_utf8(&encoded)
            .inspect_err(|_| {
                PyErr_NoMemory();
            })
            .ok()
    }
}

/// A copy of a `bytes` that has valid UTF-8.
///
/// # Safety
/// The thread is attached, and the object is what `PyUnicode_AsUTF8String` returned.
unsafe fn copied_utf8(encoded: &Object) -> Result<String, Failure> {
    // SAFETY: as the caller vouches. Checking the UTF-8 again costs more than the copy.
    unsafe { memory::copied(bytes(encoded.as_ptr())).map(|it| String::from_utf8_unchecked(it)) }
}

/// The contents of a `bytes`.
///
/// # Safety
/// The thread is attached, and the object is a `bytes` that outlives the result.
unsafe fn bytes<'a>(object: *mut PyObject) -> &'a [u8] {
    // SAFETY: as the caller vouches; neither call fails for a `bytes`, whose contents never change.
    unsafe {
        std::slice::from_raw_parts(
            PyBytes_AsString(object).cast(),
            PyBytes_Size(object) as usize,
        )
    }
}

/// Digits for `PyLong_FromString`, with a closing NUL. In base 16 both directions take time in proportion to the length, and
/// Python's limit of digits doesn't hold.
fn hexadecimal(negative: bool, words: &[u64]) -> Result<Vec<u8>, Failure> {
    const SIGN_ZERO_AND_NUL: usize = 3;
    let mut digits = memory::vec_with_capacity(words.len() * DIGITS + SIGN_ZERO_AND_NUL)?;
    if negative {
        digits.push(b'-');
    }
    digits.push(b'0');
    for word in words.iter().rev() {
        for digit in (0..DIGITS).rev() {
            digits.push(b"0123456789abcdef"[(word >> (4 * digit)) as usize & 0xf]);
        }
    }
    digits.push(b'\0');
    Ok(digits)
}

/// The hexadecimal digits of a word.
const DIGITS: usize = 16;

/// The inverse, for what `hex()` gives: `-0x1f`.
fn parse_hexadecimal(digits: &[u8]) -> Result<Answer, Failure> {
    let (negative, digits) = match digits.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, digits),
    };
    let magnitude = digits.strip_prefix(b"0x").unwrap_or(digits);
    let mut words = memory::vec_with_capacity(magnitude.len().div_ceil(DIGITS))?;
    for word in magnitude.rchunks(DIGITS) {
        words.push(word.iter().fold(0, |word, &digit| {
            word << 4 | u64::from((digit as char).to_digit(16).unwrap_or(0))
        }));
    }
    Ok(Answer::Big(negative, words))
}
