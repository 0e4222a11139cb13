//! Python strings made of a tape's characters. Short ones, and keys, are kept to be used again.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};

use pyo3_ffi::{PyObject, PyUnicode_DecodeLatin1, PyUnicode_InternInPlace};

use crate::limits::{KEPT_KEYS, KEPT_STRINGS};
use crate::runtime::once_box::OnceBox;
use crate::values::failure::Failure;
use crate::values::fallible;
use crate::values::handle::{Bound, Py};
use crate::values::tape::reader::Characters;
use crate::values::tape::words::{place, words};
use crate::values::text::text;

/// The characters of the longest string that is kept: what fits into two words.
const MAX_KEPT_CHARACTERS: usize = 16;

/// A string that is kept, by its characters.
struct Kept {
    words: [u64; 2],
    length: usize,
    string: Py,
}

/// The strings that a thread keeps, each at the one place that its characters say.
pub struct KeptStrings {
    values: RefCell<Vec<Option<Kept>>>,
    keys: RefCell<Vec<Option<Kept>>>,
}

impl KeptStrings {
    /// None yet. The tables are allocated at the first use.
    pub const fn new() -> Self {
        Self {
            values: RefCell::new(Vec::new()),
            keys: RefCell::new(Vec::new()),
        }
    }

    /// A string of few Latin-1 characters, which may be in use elsewhere.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    #[inline]
    pub unsafe fn value(&self, characters: &[u8]) -> Result<Bound, Failure> {
        // SAFETY: as the caller vouches.
        unsafe { kept(&self.values, KEPT_STRINGS, characters, |it| it) }
    }

    /// A key of Latin-1 characters, interned if it is short.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    #[inline]
    pub unsafe fn key(&self, characters: &[u8]) -> Result<Bound, Failure> {
        // SAFETY: as the caller vouches.
        unsafe { kept(&self.keys, KEPT_KEYS, characters, interned) }
    }
}

/// The string in the table, or a new one, which takes its place there.
///
/// # Safety
/// The thread is attached, and no exception is set.
#[inline]
unsafe fn kept(
    table: &RefCell<Vec<Option<Kept>>>,
    capacity: usize,
    characters: &[u8],
    finish: unsafe fn(Bound) -> Bound,
) -> Result<Bound, Failure> {
    let length = characters.len();
    if length > MAX_KEPT_CHARACTERS {
        // SAFETY: as the caller vouches.
        return unsafe { latin1(characters) };
    }
    let words = words(characters);
    let place = place(words, length) % capacity;
    // Nothing is called while the table is borrowed that could come here again: counting a reference runs no code.
    if let Some(Some(found)) = table.borrow().get(place)
        && found.words == words
        && found.length == length
    {
        // SAFETY: attached; the table keeps the string alive.
        let string = unsafe { Bound::from_borrowed(found.string.as_ptr()) };
        return string.ok_or(Failure::Status(crate::boundary::status::Status::Invalid));
    }
    // SAFETY: as the caller vouches.
    let string = unsafe { finish(latin1(characters)?) };
    // SAFETY: attached, and the string is live.
    let Some(copy) = (unsafe { Bound::from_borrowed(string.as_ptr()) }) else {
        return Ok(string);
    };
    let mut entries = table.borrow_mut();
    if entries.is_empty() && entries.try_reserve_exact(capacity).is_ok() {
        entries.resize_with(capacity, || None);
    }
    let replaced = entries.get_mut(place).and_then(|entry| {
        entry.replace(Kept {
            words,
            length,
            string: copy.into(),
        })
    });
    drop(entries);
    // SAFETY: attached. What isn't kept any more is decref'ed here, not later: it is a plain string, which runs no code.
    drop(replaced.map(|it| unsafe { it.string.into_bound() }));
    Ok(string)
}

/// A string that is interned.
///
/// # Safety
/// The thread is attached.
unsafe fn interned(string: Bound) -> Bound {
    let mut pointer = string.into_ptr();
    // SAFETY: as the caller vouches; the call takes the reference and gives one.
    unsafe {
        PyUnicode_InternInPlace(&mut pointer);
        Bound::from_owned(pointer).unwrap_unchecked()
    }
}

/// A string of Latin-1 characters.
///
/// # Safety
/// The thread is attached, and no exception is set.
#[inline]
pub unsafe fn latin1(characters: &[u8]) -> Result<Bound, Failure> {
    // SAFETY: as the caller vouches; the characters are readable.
    unsafe {
        let length = characters.len() as isize;
        let string = PyUnicode_DecodeLatin1(characters.as_ptr().cast(), length, std::ptr::null());
        Bound::from_owned(string).ok_or_else(|| fallible::fetch(characters.len()))
    }
}

/// `PyUnicode_FromKindAndData`, which the stable ABI lacks.
type FromKindAndData = unsafe extern "C" fn(c_int, *const c_void, isize) -> *mut PyObject;

/// The function, if there is one.
struct Function(Option<FromKindAndData>);

/// A string of these characters, lone surrogates as they are.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn string(characters: Characters) -> Result<Bound, Failure> {
    static FROM_KIND_AND_DATA: OnceBox<Function> = OnceBox::new();
    let units = match characters {
        // SAFETY: as the caller vouches.
        Characters::Latin1(characters) => return unsafe { latin1(characters) },
        Characters::Utf16(units) => units,
    };
    let widest = units.iter().fold(0, |all, unit| all | unit);
    if widest < 0x100 && units.len() <= MAX_KEPT_CHARACTERS {
        let mut narrow = [0; MAX_KEPT_CHARACTERS];
        for (narrow, &unit) in narrow.iter_mut().zip(units) {
            *narrow = unit as u8;
        }
        // SAFETY: as the caller vouches.
        return unsafe { latin1(&narrow[..units.len()]) };
    }
    let has_surrogates = widest >= 0xd800 && units.iter().any(|unit| unit & 0xf800 == 0xd800);
    let function = FROM_KIND_AND_DATA.get_or_try_init(|| {
        let found = oneheap::python_symbol(c"PyUnicode_FromKindAndData");
        // SAFETY: the function of this name has this type in every CPython.
        let found = found
            .map(|it| unsafe { std::mem::transmute::<*mut c_void, FromKindAndData>(it.as_ptr()) });
        Ok::<_, ()>(Function(found))
    });
    // SAFETY: as the caller vouches; the units are readable.
    unsafe {
        if !has_surrogates && let Ok(Function(Some(from_kind_and_data))) = function {
            let string = from_kind_and_data(2, units.as_ptr().cast(), units.len() as isize);
            return Bound::from_owned(string).ok_or_else(|| fallible::fetch(size_of_val(units)));
        }
        text(units)
    }
}
