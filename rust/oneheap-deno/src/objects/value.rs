//! Values on their way between JavaScript and Python: neither a JavaScript value nor a Python object, so that each side can
//! be dealt with on its own. JavaScript's side never waits for the GIL, Python's never needs JavaScript's thread.

use std::ptr::null_mut;
use std::sync::Arc;

use pyo3_ffi::{
    Py_False, Py_None, Py_True, Py_buffer, PyBUF_INDIRECT, PyBool_FromLong, PyBuffer_Release,
    PyBytes_AsString, PyBytes_FromStringAndSize, PyBytes_Size, PyBytes_Type, PyErr_Clear,
    PyErr_Occurred, PyFloat_AsDouble, PyFloat_FromDouble, PyFloat_Type, PyImport_GetModule,
    PyLong_AsLongLong, PyLong_AsLongLongAndOverflow, PyLong_FromLongLong, PyLong_FromString,
    PyLong_Type, PyNumber_ToBase, PyObject, PyObject_CallFunctionObjArgs, PyObject_CallNoArgs,
    PyObject_CheckBuffer, PyObject_GetAttrString, PyObject_GetBuffer, PyObject_IsInstance,
    PyObject_Type, PyTypeObject, PyUnicode_AsUTF8String, PyUnicode_DecodeUTF16,
    PyUnicode_GetLength, PyUnicode_Type,
};

use crate::code::Code;
use crate::objects::exporter::{self, Export};
use crate::objects::failure::Failure;
use crate::objects::object::{Held, Object};
use crate::objects::support::support;

/// The most bits that V8 lets a bigint have, in whole words.
const MOST_BITS: i64 = (1 << 30) - 64;

/// The most characters that V8 lets a string have.
const MOST_CHARACTERS: isize = (1 << 29) - 24;

/// What JavaScript gives to Python.
pub enum Argument {
    None,
    Bool(bool),
    Integer(i64),
    Float(f64),
    /// An integer beyond 64 bits: whether it is negative, and its magnitude in words, the lowest first.
    Big(bool, Vec<u64>),
    /// As JavaScript has it; it may have lone surrogates, which Python refuses.
    Text(Vec<u16>),
    Bytes(Vec<u8>),
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
    Text(String),
    Bytes(Vec<u8>),
    /// An object that has no counterpart, and the size of the memory that it exports, if it does.
    Object(Held, usize),
    /// A block that comes back: its identity, and the object.
    Block(f64, Held),
}

impl Argument {
    /// The value as a Python object.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    pub unsafe fn into_python(self) -> Result<Object, Failure> {
        // SAFETY: attached; each call gives a new reference or sets an exception.
        unsafe {
            let object = match self {
                Self::None => return existing(Py_None()),
                Self::Object(held) => return existing(held.as_ptr()),
                Self::Block(export) => return exporter::object(export),
                Self::Text(units) => return text(&units),
                Self::Bool(truth) => PyBool_FromLong(truth.into()),
                Self::Integer(integer) => PyLong_FromLongLong(integer),
                Self::Float(number) => PyFloat_FromDouble(number),
                Self::Big(negative, words) => {
                    let digits = hexadecimal(negative, &words);
                    PyLong_FromString(digits.as_ptr().cast(), null_mut(), 16)
                }
                Self::Bytes(bytes) => {
                    PyBytes_FromStringAndSize(bytes.as_ptr().cast(), bytes.len() as isize)
                }
            };
            Object::owned(object).ok_or_else(|| Failure::fetch())
        }
    }
}

impl Answer {
    /// A Python object as a value. Objects of the very types that have a counterpart become that; a NumPy scalar becomes
    /// the number that it is; all others stay objects.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    pub unsafe fn from_python(object: Object) -> Result<Self, Failure> {
        // SAFETY: attached; the object is live.
        unsafe {
            if let Some(answer) = simple(&object)? {
                return Ok(answer);
            }
            if let Some(identity) = exporter::identity(&object) {
                return Ok(Self::Block(identity, object.into()));
            }
            if let Some(item) = scalar(&object)
                && let Some(answer) = simple(&item)?
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

/// UTF-16 as a Python string. Lone surrogates are refused in the words that Python has for them.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn text(units: &[u16]) -> Result<Object, Failure> {
    let decode = |errors: *const std::ffi::c_char| {
        // Named, for otherwise a first U+FEFF would be taken for a mark and lost.
        let mut order = if cfg!(target_endian = "little") {
            -1
        } else {
            1
        };
        // SAFETY: attached; the bytes are readable, the names static.
        unsafe {
            Object::owned(PyUnicode_DecodeUTF16(
                units.as_ptr().cast(),
                size_of_val(units) as isize,
                errors,
                &mut order,
            ))
        }
    };
    if let Some(text) = decode(c"strict".as_ptr()) {
        return Ok(text);
    }
    // SAFETY: attached. The second decoding fails for want of memory only; encoding then says which surrogate it is.
    unsafe {
        PyErr_Clear();
        if let Some(text) = decode(c"surrogatepass".as_ptr()) {
            drop(Object::owned(PyUnicode_AsUTF8String(text.as_ptr())));
        }
        Err(Failure::fetch())
    }
}

/// An object of one of the types that have a counterpart; none for others.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn simple(object: &Object) -> Result<Option<Answer>, Failure> {
    let pointer = object.as_ptr();
    // SAFETY: attached; the singletons and types are Python's own, and only their addresses are looked at. The type of the
    // object is asked for by a call, for its place in the object differs between builds.
    unsafe {
        if pointer == Py_None() {
            return Ok(Some(Answer::None));
        }
        if pointer == Py_True() || pointer == Py_False() {
            return Ok(Some(Answer::Bool(pointer == Py_True())));
        }
        let Some(kind) = Object::owned(PyObject_Type(pointer)) else {
            return Err(Failure::fetch());
        };
        let kind: *mut PyTypeObject = kind.as_ptr().cast();
        if kind == &raw mut PyLong_Type {
            return integer(pointer).map(Some);
        }
        if kind == &raw mut PyFloat_Type {
            return Ok(Some(Answer::Float(PyFloat_AsDouble(pointer))));
        }
        if kind == &raw mut PyUnicode_Type {
            if PyUnicode_GetLength(pointer) > MOST_CHARACTERS {
                return Err(Code::TooLarge.into());
            }
            return utf8(pointer)
                .map(|text| Some(Answer::Text(text)))
                .ok_or_else(|| Failure::fetch());
        }
        if kind == &raw mut PyBytes_Type {
            return Ok(Some(Answer::Bytes(bytes(pointer).to_vec())));
        }
    }
    Ok(None)
}

/// The size of the memory that an object exports, 0 if it has no buffer: JavaScript's collector is told of it.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn exported_bytes(object: &Object) -> usize {
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

/// A NumPy scalar as the Python object that it stands for.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn scalar(object: &Object) -> Option<Object> {
    // SAFETY: attached, and results are owned. NumPy is not imported for it, and exceptions are cleared.
    unsafe {
        let numpy = Object::owned(PyImport_GetModule(support().ok()?.numpy));
        let item = numpy.and_then(|numpy| {
            let generic = PyObject_GetAttrString(numpy.as_ptr(), c"generic".as_ptr());
            let generic = Object::owned(generic)?;
            if PyObject_IsInstance(object.as_ptr(), generic.as_ptr()) != 1 {
                return None;
            }
            let item = Object::owned(PyObject_GetAttrString(object.as_ptr(), c"item".as_ptr()))?;
            Object::owned(PyObject_CallNoArgs(item.as_ptr()))
        });
        if !PyErr_Occurred().is_null() {
            PyErr_Clear();
        }
        item
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
    // SAFETY: as the caller vouches; the result is a string of ASCII.
    unsafe {
        // Looked at first, for the digits of what JavaScript can't have take seconds.
        if bit_length(object)? > MOST_BITS {
            return Err(Code::TooLarge.into());
        }
        Object::owned(PyNumber_ToBase(object, 16))
            .and_then(|digits| utf8(digits.as_ptr()))
            .map(|digits| parse_hexadecimal(&digits))
            .ok_or_else(|| Failure::fetch())
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
    // A `bytes` of its own, for `PyUnicode_AsUTF8` would leave a copy in the object for as long as that lives.
    // SAFETY: as the caller vouches.
    unsafe {
        let encoded = Object::owned(PyUnicode_AsUTF8String(object))?;
        // Python gives valid UTF-8; checking it again costs more than the copy.
        Some(String::from_utf8_unchecked(
            bytes(encoded.as_ptr()).to_vec(),
        ))
    }
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
fn hexadecimal(negative: bool, words: &[u64]) -> Vec<u8> {
    let mut digits = String::with_capacity(words.len() * 16 + 3);
    if negative {
        digits.push('-');
    }
    digits.push('0');
    for word in words.iter().rev() {
        digits.push_str(&format!("{word:016x}"));
    }
    digits.push('\0');
    digits.into_bytes()
}

/// The inverse, for what `hex()` gives: `-0x1f`.
fn parse_hexadecimal(digits: &str) -> Answer {
    let negative = digits.starts_with('-');
    let magnitude = digits.trim_start_matches('-').trim_start_matches("0x");
    let words = magnitude
        .as_bytes()
        .rchunks(16)
        .map(|word| {
            word.iter().fold(0, |word, &digit| {
                word << 4 | u64::from((digit as char).to_digit(16).unwrap_or(0))
            })
        })
        .collect();
    Answer::Big(negative, words)
}
