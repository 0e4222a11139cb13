//! Values on their way between JavaScript and Python: neither a JavaScript value nor a Python object, so that each side can
//! be dealt with on its own. JavaScript's side never waits for the GIL, Python's never needs JavaScript's thread.

use std::ptr::null_mut;
use std::sync::Arc;

use pyo3_ffi::{
    Py_False, Py_None, Py_True, PyBool_FromLong, PyBytes_FromStringAndSize, PyBytes_Type,
    PyCallable_Check, PyFloat_AsDouble, PyFloat_FromDouble, PyFloat_Type, PyLong_AsLongLong,
    PyLong_AsLongLongAndOverflow, PyLong_FromLongLong, PyLong_FromString, PyLong_Type,
    PyNumber_ToBase, PyObject, PyObject_CallFunctionObjArgs, PyObject_Type, PyTypeObject,
    PyUnicode_AsUTF8AndSize, PyUnicode_Type,
};

use crate::boundary::status::Status;
use crate::limits::MAX_BIGINT_BITS;
use crate::values::bytes::bytes;
use crate::values::converted::Converted;
use crate::values::exporter::{self, Export};
use crate::values::failure::Failure;
use crate::values::fallible;
use crate::values::handle::{Bound, Py};
use crate::values::numpy;
use crate::values::retained::retained_bytes;
use crate::values::support::support;
use crate::values::text::{Text, text};

/// An argument: what goes from JavaScript to Python.
pub enum IntoPython {
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
    Made(Py),
    Object(Arc<Py>),
    Block(Export),
    /// The next value of the tape that comes with it.
    Nested,
}

/// A result: what goes from Python to JavaScript.
pub enum FromPython {
    None,
    Bool(bool),
    Integer(i64),
    Float(f64),
    /// As in [`IntoPython`].
    Big(bool, Vec<u64>),
    Text(Text),
    Bytes(Vec<u8>),
    /// An object that has no counterpart.
    Object(Opaque),
    /// A block that comes back: its identity, and the object.
    Block(f64, Py),
    /// A value that was converted as a whole.
    Converted(Box<Converted>),
}

impl IntoPython {
    /// The value as a Python object.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    pub unsafe fn into_python(self) -> Result<Bound, Failure> {
        // SAFETY: attached; each call returns a new reference or sets an exception.
        unsafe {
            let (object, bytes) = match self {
                Self::None => return existing(Py_None()),
                Self::Made(held) => return Ok(held.into_bound()),
                Self::Object(held) => return existing(held.as_ptr()),
                Self::Block(export) => return exporter::object(export),
                Self::Nested => return Err(Status::Invalid.into()),
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
            Bound::from_owned(object).ok_or_else(|| fallible::fetch(bytes))
        }
    }
}

impl FromPython {
    /// A Python object as a value. Objects of the very types that have a counterpart become that; a NumPy scalar with a value
    /// of such a type becomes that value; all others stay objects.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    pub unsafe fn extract(object: Bound) -> Result<Self, Failure> {
        // SAFETY: attached; the object is live.
        unsafe {
            if let Some(value) = singleton(object.as_ptr()) {
                return Ok(value);
            }
            let kind = kind_of(&object)?;
            if let Some(value) = simple(&object, kind.as_ptr().cast())? {
                return Ok(value);
            }
            if let Some(identity) = exporter::identity(&object) {
                return Ok(Self::Block(identity, object.into()));
            }
            if let Some(item) = numpy::value_of_scalar(&object, kind.as_ptr().cast())? {
                if let Some(value) = singleton(item.as_ptr()) {
                    return Ok(value);
                }
                if let Some(value) = simple(&item, kind_of(&item)?.as_ptr().cast())? {
                    return Ok(value);
                }
            }
            Ok(Self::Object(Opaque::of(object)))
        }
    }
}

/// An object that has no counterpart, and what is known of it without running code of its own.
pub struct Opaque {
    pub object: Py,
    /// The size of the memory that it exports, if it does.
    pub bytes: usize,
    /// Whether it can be called.
    pub is_callable: bool,
}

impl Opaque {
    /// An object that JavaScript does nothing with but pass it back.
    pub fn internal(object: Py) -> Self {
        Self {
            object,
            bytes: 0,
            is_callable: false,
        }
    }

    /// Look at an object.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    pub unsafe fn of(object: Bound) -> Self {
        // SAFETY: as the caller vouches; the object is live.
        unsafe {
            Self {
                bytes: retained_bytes(&object),
                is_callable: PyCallable_Check(object.as_ptr()) != 0,
                object: object.into(),
            }
        }
    }
}

/// A reference of its own to an object that lives.
///
/// # Safety
/// The thread is attached, and the object is live.
unsafe fn existing(object: *mut PyObject) -> Result<Bound, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        Bound::from_borrowed(object)
            .ok_or(Failure::Status(crate::boundary::status::Status::Invalid))
    }
}

/// A `bytes` with a copy of these.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn python_bytes(bytes: &[u8]) -> Result<Bound, Failure> {
    // SAFETY: as the caller vouches; the slice is readable.
    unsafe {
        let object = PyBytes_FromStringAndSize(bytes.as_ptr().cast(), bytes.len() as isize);
        Bound::from_owned(object).ok_or_else(|| fallible::fetch(bytes.len()))
    }
}

/// The type of an object. It is asked for by a call, for its place in the object differs between builds.
///
/// # Safety
/// The thread is attached.
unsafe fn kind_of(object: &Bound) -> Result<Bound, Failure> {
    // SAFETY: as the caller vouches; the result is owned.
    unsafe { Bound::from_owned(PyObject_Type(object.as_ptr())).ok_or_else(|| Failure::fetch()) }
}

/// `None`, `True` or `False`; none for other objects.
///
/// # Safety
/// The thread is attached.
unsafe fn singleton(object: *mut PyObject) -> Option<FromPython> {
    // SAFETY: as the caller vouches; the singletons are Python's own, and only their addresses are looked at.
    unsafe {
        if object == Py_None() {
            return Some(FromPython::None);
        }
        (object == Py_True() || object == Py_False()).then(|| FromPython::Bool(object == Py_True()))
    }
}

/// An object of one of the other types that have a counterpart; none for others.
///
/// # Safety
/// The thread is attached, no exception is set, and `kind` is the type of the object.
unsafe fn simple(object: &Bound, kind: *mut PyTypeObject) -> Result<Option<FromPython>, Failure> {
    let pointer = object.as_ptr();
    // SAFETY: as the caller vouches; of the types only the addresses are looked at.
    unsafe {
        if kind == &raw mut PyLong_Type {
            return integer(pointer).map(Some);
        }
        if kind == &raw mut PyFloat_Type {
            return Ok(Some(FromPython::Float(PyFloat_AsDouble(pointer))));
        }
        if kind == &raw mut PyUnicode_Type {
            return Text::of(pointer).map(|text| Some(FromPython::Text(text)));
        }
        if kind == &raw mut PyBytes_Type {
            return fallible::copied(bytes(pointer)).map(|bytes| Some(FromPython::Bytes(bytes)));
        }
    }
    Ok(None)
}

/// An `int` of any size.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is an `int`.
unsafe fn integer(object: *mut PyObject) -> Result<FromPython, Failure> {
    let mut overflow = 0;
    // SAFETY: as the caller vouches.
    let small = unsafe { PyLong_AsLongLongAndOverflow(object, &mut overflow) };
    if overflow == 0 {
        return Ok(FromPython::Integer(small));
    }
    // SAFETY: as the caller vouches; the digits are ASCII, whose UTF-8 is the string itself, which lives until they are parsed.
    unsafe {
        // Looked at first, for the digits of what JavaScript can't have take seconds.
        let bits = bit_length(object)?;
        if bits > MAX_BIGINT_BITS {
            return Err(Status::TooLarge.into());
        }
        let out_of_memory = || fallible::fetch(bits as usize / 4);
        let digits = Bound::from_owned(PyNumber_ToBase(object, 16)).ok_or_else(out_of_memory)?;
        let mut length = 0;
        let data = PyUnicode_AsUTF8AndSize(digits.as_ptr(), &mut length);
        if data.is_null() {
            return Err(out_of_memory());
        }
        parse_hexadecimal(std::slice::from_raw_parts(data.cast(), length as usize))
    }
}

/// Return how many bits an `int` has.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is an `int`.
pub unsafe fn bit_length(object: *mut PyObject) -> Result<i64, Failure> {
    // SAFETY: as the caller vouches; the result is an `int` of less than 64 bits.
    unsafe {
        let bits = Bound::from_owned(PyObject_CallFunctionObjArgs(
            support()?.bit_length,
            object,
            null_mut::<PyObject>(),
        ));
        Ok(PyLong_AsLongLong(
            bits.ok_or_else(|| Failure::fetch())?.as_ptr(),
        ))
    }
}

/// Digits for `PyLong_FromString`, with a closing NUL. In base 16 both directions take time in proportion to the length, and
/// Python's limit of digits doesn't hold.
fn hexadecimal(negative: bool, words: &[u64]) -> Result<Vec<u8>, Failure> {
    const SIGN_ZERO_AND_NUL: usize = 3;
    let mut digits = fallible::vec_with_capacity(words.len() * DIGITS + SIGN_ZERO_AND_NUL)?;
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

/// The inverse, for what `hex()` returns: `-0x1f`.
fn parse_hexadecimal(digits: &[u8]) -> Result<FromPython, Failure> {
    let (negative, digits) = match digits.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, digits),
    };
    let magnitude = digits.strip_prefix(b"0x").unwrap_or(digits);
    let mut words = fallible::vec_with_capacity(magnitude.len().div_ceil(DIGITS))?;
    for word in magnitude.rchunks(DIGITS) {
        words.push(word.iter().fold(0, |word, &digit| {
            word << 4 | u64::from((digit as char).to_digit(16).unwrap_or(0))
        }));
    }
    Ok(FromPython::Big(negative, words))
}
