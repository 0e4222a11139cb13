//! Where CPython keeps what the conversions read of every object and string: its type, and a string's length, kind and characters.
//!
//! The stable ABI tells these by calls, of which each value needs several. So the places are found at start by looking at
//! objects that are known, and checked with others of each kind; where that fails, the calls are made. The suite runs both.

use std::ptr::null_mut;

use pyo3_ffi::{
    Py_DecRef, Py_None, PyDict_New, PyFloat_FromDouble, PyList_New, PyLong_FromLong, PyObject,
    PyObject_Type, PyTypeObject, PyUnicode_FromStringAndSize,
};

use crate::runtime::once_box::OnceBox;
use crate::values::handle::Bound;

/// Where things are in an object, in bytes from its beginning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    /// The type.
    kind: Option<usize>,
    string: Option<StringLayout>,
}

/// Where things are in a compact `str`.
#[derive(Clone, Copy, Debug)]
struct StringLayout {
    length: usize,
    /// A word of 32 bits with the kind.
    state: usize,
    /// Where in it the kind of three bits is; a bit that says whether the string is compact, and one for ASCII, follow.
    shift: u32,
    /// The characters of an ASCII string, and those of others.
    ascii: usize,
    other: usize,
}

/// The characters of a string, as they are in it.
pub enum Characters {
    Ascii(*const u8, usize),
    Latin1(*const u8, usize),
    Ucs2(*const u16, usize),
    Ucs4(*const u32, usize),
}

static LAYOUT: OnceBox<Layout> = OnceBox::new();

/// The environment variable that has the stable ABI's calls used throughout.
const STABLE_ABI_ONLY: &str = "ONEHEAP_STABLE_ABI";

/// The layout. The first call finds it.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn layout() -> Layout {
    let found = LAYOUT.get_or_try_init(|| {
        if std::env::var_os(STABLE_ABI_ONLY).is_some() {
            return Ok(Layout::default());
        }
        // SAFETY: as the caller vouches.
        Ok::<_, ()>(unsafe { find() }.unwrap_or_default())
    });
    found.copied().unwrap_or_default()
}

impl Layout {
    /// Return the type of an object, which the object keeps alive.
    ///
    /// # Safety
    /// The thread is attached, and the object is live.
    #[inline]
    pub unsafe fn type_of(self, object: *mut PyObject) -> *mut PyTypeObject {
        // SAFETY: as the caller vouches. The place was found to have the type; else the call returns it.
        unsafe {
            if let Some(offset) = self.kind {
                return object.byte_add(offset).cast::<*mut PyTypeObject>().read();
            }
            let kind = PyObject_Type(object);
            Py_DecRef(kind);
            kind.cast()
        }
    }

    /// Return the characters of a string where they are; none if that isn't known.
    ///
    /// # Safety
    /// The thread is attached, and the object is a `str`, which lives as long as the characters are used.
    #[inline]
    pub unsafe fn characters(self, string: *mut PyObject) -> Option<Characters> {
        let layout = self.string?;
        // SAFETY: as the caller vouches; the places were found in strings of each kind. Only compact strings are looked into.
        unsafe {
            let at = |offset| string.byte_add(offset).cast::<u8>().cast_const();
            let state = at(layout.state).cast::<u32>().read() >> layout.shift;
            let length = usize::try_from(at(layout.length).cast::<isize>().read()).ok()?;
            match state & 0b11_111 {
                0b11_001 => Some(Characters::Ascii(at(layout.ascii), length)),
                0b01_001 => Some(Characters::Latin1(at(layout.other), length)),
                0b01_010 => Some(Characters::Ucs2(at(layout.other).cast(), length)),
                0b01_100 => Some(Characters::Ucs4(at(layout.other).cast(), length)),
                _ => None,
            }
        }
    }
}

/// The words of an object that are looked at.
const MAX_WORDS: usize = 12;

/// Find the layout.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn find() -> Option<Layout> {
    // SAFETY: as the caller vouches; results are owned.
    unsafe {
        let kind = find_type()?;
        let string = find_string();
        Some(Layout {
            kind: Some(kind),
            string,
        })
    }
}

/// Find where objects have their types: the one word that is the type in all of these.
///
/// # Safety
/// As for [`find`].
unsafe fn find_type() -> Option<usize> {
    // SAFETY: as the caller vouches. Each of these objects has four words at least.
    unsafe {
        let objects = [
            Bound::from_borrowed(Py_None())?,
            Bound::from_owned(PyLong_FromLong(1 << 20))?,
            Bound::from_owned(PyFloat_FromDouble(1.25))?,
            Bound::from_owned(PyList_New(0))?,
            Bound::from_owned(PyDict_New())?,
            string("abcdefgh")?,
        ];
        let word = size_of::<usize>();
        (1..3).map(|index| index * word).find(|&offset| {
            objects.iter().all(|object| {
                let kind = PyObject_Type(object.as_ptr());
                Py_DecRef(kind);
                object
                    .as_ptr()
                    .byte_add(offset)
                    .cast::<*mut PyObject>()
                    .read()
                    == kind
            })
        })
    }
}

/// A new string.
///
/// # Safety
/// As for [`find`].
unsafe fn string(text: &str) -> Option<Bound> {
    // SAFETY: as the caller vouches; the text is readable for its length.
    unsafe {
        Bound::from_owned(PyUnicode_FromStringAndSize(
            text.as_ptr().cast(),
            text.len() as isize,
        ))
    }
}

/// Strings of each kind, of a length that no other field of them has: the kind, whether they are ASCII, and their characters.
const KINDS: [(u32, bool, char); 4] = [
    (1, true, 'a'),
    (1, false, 'é'),
    (2, false, '日'),
    (4, false, '😀'),
];

/// The length of the strings that are looked at.
const LENGTH: usize = 203;

/// Find where strings have their length, kind and characters.
///
/// # Safety
/// As for [`find`].
unsafe fn find_string() -> Option<StringLayout> {
    let texts = KINDS.map(|(_, _, first)| {
        let rest = ('b'..='z').cycle().take(LENGTH - 1);
        std::iter::once(first).chain(rest).collect::<String>()
    });
    // SAFETY: as the caller vouches. A string of this length is longer than all words that are looked at.
    unsafe {
        let mut objects = [null_mut::<PyObject>(); 4];
        let owned: Vec<Bound> = texts.iter().map_while(|text| string(text)).collect();
        for (object, owned) in objects.iter_mut().zip(&owned) {
            *object = owned.as_ptr();
        }
        if owned.len() != objects.len() {
            return None;
        }
        let word = size_of::<usize>();
        let read = |object: *mut PyObject, offset: usize| object.byte_add(offset).cast::<u8>();
        let length = (2..MAX_WORDS).map(|index| index * word).find(|&offset| {
            objects
                .iter()
                .all(|&object| read(object, offset).cast::<usize>().read() == LENGTH)
        })?;
        let (state, shift) = (2 * word..MAX_WORDS * word).step_by(4).find_map(|offset| {
            let shift = (0..27).find(|shift| {
                objects
                    .iter()
                    .zip(KINDS)
                    .all(|(&object, (kind, is_ascii, _))| {
                        let state = read(object, offset).cast::<u32>().read() >> shift;
                        state & 7 == kind
                            && state >> 3 & 1 == 1
                            && (state >> 4 & 1 == 1) == is_ascii
                    })
            })?;
            Some((offset, shift))
        })?;
        let find_characters = |index: usize, characters: &[u8]| {
            (2..MAX_WORDS).map(|index| index * word).find(|&offset| {
                let found = std::slice::from_raw_parts(read(objects[index], offset), 64);
                found == &characters[..64]
            })
        };
        let ascii = find_characters(0, texts[0].as_bytes())?;
        let latin1: Vec<u8> = texts[1].chars().map(|it| it as u8).collect();
        let ucs2: Vec<u8> = texts[2].encode_utf16().flat_map(u16::to_ne_bytes).collect();
        let ucs4: Vec<u8> = texts[3]
            .chars()
            .flat_map(|it| (it as u32).to_ne_bytes())
            .collect();
        let others = [
            find_characters(1, &latin1)?,
            find_characters(2, &ucs2)?,
            find_characters(3, &ucs4)?,
        ];
        let other = others[0];
        others
            .iter()
            .all(|&it| it == other)
            .then_some(StringLayout {
                length,
                state,
                shift,
                ascii,
                other,
            })
    }
}
