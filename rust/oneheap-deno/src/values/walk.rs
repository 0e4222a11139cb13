//! Writing a tape of Python's objects, for JavaScript to read.
//!
//! Objects of the very built-in types are looked into here; what others are lowered to, `conversions.py` says. That may run any
//! code, so whatever is walked through is kept alive meanwhile, and a container that changes is an error.

use std::cell::RefCell;
use std::ffi::CStr;
use std::ptr::null_mut;

use pyo3_ffi::{
    Py_False, Py_None, Py_True, Py_buffer, PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBuffer_Release,
    PyBytes_Type, PyDict_Copy, PyDict_Next, PyDict_Size, PyDict_Type, PyErr_Occurred,
    PyFloat_AsDouble, PyFloat_Type, PyFrozenSet_Type, PyIter_Next, PyList_GetItem, PyList_GetSlice,
    PyList_Size, PyList_Type, PyLong_AsLong, PyLong_AsLongLongAndOverflow, PyLong_Type,
    PyNumber_ToBase, PyObject, PyObject_CallFunctionObjArgs, PyObject_GetBuffer, PyObject_GetIter,
    PyObject_Str, PySet_Size, PySet_Type, PyTuple_GetItem, PyTuple_Size, PyTuple_Type,
    PyType_GetName, PyTypeObject, PyUnicode_AsUCS4, PyUnicode_GetLength, PyUnicode_Type,
};

use crate::boundary::status::{MAX_SAFE_INTEGER, Status};
use crate::limits::{MAX_BIGINT_BITS, MAX_CONTAINERS, MAX_STRING_UNITS};
use crate::memory::element::Element;
use crate::runtime::state::is_free_threaded;
use crate::values::bytes::{bytes, utf8};
use crate::values::converted::{Converted, Referred};
use crate::values::exporter;
use crate::values::failure::{Conversion, ConversionReason, Failure};
use crate::values::fallible;
use crate::values::handle::Bound;
use crate::values::key_tree::KeyTree;
use crate::values::layout::{Characters, Layout, layout};
use crate::values::numpy;
use crate::values::path::{Step, path_text};
use crate::values::support::conversions;
use crate::values::tape::writer::{WriteError, Writer};
use crate::values::tape::{MadeClass, Tag};
use crate::values::value::bit_length;

/// What an `int` becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Integers {
    /// A number, or beyond 2^53 a bigint.
    Auto,
    /// A number; beyond 2^53 an error.
    Number,
    BigInt,
}

/// What an object without counterpart becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Other {
    Throw,
    Reference,
    Text,
    /// Whatever a function of JavaScript's makes of it.
    Function,
}

/// How to convert: the options of `toJs`.
#[derive(Clone, Copy)]
pub struct Options {
    is_map: bool,
    integers: Integers,
    is_array: bool,
    is_temporal: bool,
    other: Other,
    depth: u32,
}

impl Options {
    /// The options as they cross, in one number; `ffi/values/read.ts` says how.
    pub fn from_number(number: u32) -> Self {
        Self {
            is_map: number & 1 != 0,
            is_array: number & 2 != 0,
            is_temporal: number & 4 != 0,
            integers: match number >> 3 & 3 {
                0 => Integers::Auto,
                1 => Integers::Number,
                _ => Integers::BigInt,
            },
            other: match number >> 5 & 3 {
                0 => Other::Throw,
                1 => Other::Reference,
                2 => Other::Text,
                _ => Other::Function,
            },
            depth: number >> 7,
        }
    }
}

/// What `conversions.lower` says of an object: the first of the pair that it returns. `conversions.py` has the same numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
enum Lowered {
    /// Another object in its place.
    Value = 0,
    /// A number or text, of which JavaScript makes an object of a class: the second of three says which.
    Made = 1,
    /// The elements of a buffer.
    Array = 2,
    /// It has no counterpart.
    Nothing = 3,
}

/// Why a value isn't written; the rest is in the walker.
struct Failed;

/// A dictionary's key that is no string.
struct NoString;

/// Writes a value.
pub struct Walker<'a> {
    tape: Writer,
    keys: &'a RefCell<KeyTree>,
    options: Options,
    layout: Layout,
    is_free_threaded: bool,
    objects: Vec<Referred>,
    containers: usize,
    /// UTF-16 of a string that isn't kept so.
    units: Vec<u16>,
    failure: Option<Failure>,
    /// Where the failure is, from the inside, and the containers on the way.
    path: Vec<Step>,
    ancestors: Vec<*mut PyObject>,
    /// The way to where the walker is, where a function has to be told.
    way: Vec<Step>,
}

/// The types whose objects are looked into.
macro_rules! is_type {
    ($kind:expr, $name:ident) => {
        $kind == &raw mut $name
    };
}

impl<'a> Walker<'a> {
    /// Write on that tape, which is empty.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    pub unsafe fn new(tape: Writer, keys: &'a RefCell<KeyTree>, options: Options) -> Self {
        keys.borrow_mut().begin();
        Self {
            tape,
            keys,
            options,
            // SAFETY: as the caller vouches.
            layout: unsafe { layout() },
            is_free_threaded: is_free_threaded(),
            objects: Vec::new(),
            containers: 0,
            units: Vec::new(),
            failure: None,
            path: Vec::new(),
            ancestors: Vec::new(),
            way: Vec::new(),
        }
    }

    /// Write the object.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    pub unsafe fn walk(mut self, object: &Bound) -> Result<Converted, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            match self.value(object.as_ptr(), 0, 0) {
                Ok(()) => Ok(Converted {
                    tape: self.tape,
                    objects: self.objects,
                    keys: None,
                }),
                Err(Failed) => Err(self.take_failure()),
            }
        }
    }

    /// Why the value isn't written, with its path.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    #[cold]
    unsafe fn take_failure(&mut self) -> Failure {
        let path = std::mem::take(&mut self.path);
        match self.failure.take().unwrap_or(Status::Invalid.into()) {
            Failure::Conversion(mut conversion) => {
                let ancestors = std::mem::take(&mut self.ancestors);
                let mut path = path;
                if conversion.reason == ConversionReason::Depth {
                    let outermost = ancestors.iter().rev().enumerate();
                    let repeated = outermost.clone().find_map(|(at, it)| {
                        let rest = outermost.clone().skip(at + 1);
                        rest.into_iter()
                            .find(|(_, other)| *other == it)
                            .map(|(at, _)| at)
                    });
                    if let Some(at) = repeated {
                        conversion.reason = ConversionReason::Cycle;
                        conversion.message =
                            "the object contains itself. Break the cycle, or give `other`".into();
                        let keep = path.len().saturating_sub(at);
                        path.drain(..keep.min(path.len()));
                    } else {
                        let shown = path.len().saturating_sub(SHOWN_STEPS);
                        path.drain(..shown);
                    }
                }
                // SAFETY: as the caller vouches.
                conversion.path = unsafe { path_text(path.iter().rev()) };
                Failure::Conversion(conversion)
            }
            other => other,
        }
    }

    #[cold]
    fn fail<T>(&mut self, failure: Failure) -> Result<T, Failed> {
        self.failure = Some(failure);
        Err(Failed)
    }

    /// Fail for a value that has no counterpart.
    #[cold]
    fn refuse<T>(&mut self, reason: ConversionReason, message: String) -> Result<T, Failed> {
        self.fail(Failure::Conversion(Box::new(Conversion {
            reason,
            path: String::new(),
            message,
        })))
    }

    /// Fail with the exception that is set.
    ///
    /// # Safety
    /// The thread is attached.
    #[cold]
    unsafe fn raise<T>(&mut self) -> Result<T, Failed> {
        // SAFETY: as the caller vouches.
        let failure = unsafe { Failure::fetch() };
        self.fail(failure)
    }

    #[inline]
    fn written<T>(&mut self, written: Result<T, WriteError>) -> Result<T, Failed> {
        written.or_else(|error| self.not_written(error))
    }

    #[cold]
    fn not_written<T>(&mut self, error: WriteError) -> Result<T, Failed> {
        match error {
            WriteError::OutOfMemory(bytes) => self.fail(Failure::OutOfMemory(bytes)),
            WriteError::TooLarge => self.refuse(
                ConversionReason::Range,
                "the value is too large to be converted at once. Convert its parts, or share arrays with `borrow`".into(),
            ),
        }
    }

    /// Note where a failure is.
    #[cold]
    fn step(&mut self, container: *mut PyObject, step: Step) -> Failed {
        if self.path.try_reserve(1).is_ok() && self.ancestors.try_reserve(1).is_ok() {
            self.path.push(step);
            self.ancestors.push(container);
        }
        Failed
    }

    /// Write a value. `place` is the node of the key that it is behind.
    ///
    /// # Safety
    /// As for [`walk`](Self::walk); the object is live, and somebody keeps it alive.
    unsafe fn value(
        &mut self,
        object: *mut PyObject,
        place: u32,
        depth: u32,
    ) -> Result<(), Failed> {
        // SAFETY: as the caller vouches; of types only the addresses are compared.
        unsafe {
            let kind = self.layout.type_of(object);
            if is_type!(kind, PyUnicode_Type) {
                return self.text(object);
            }
            if is_type!(kind, PyLong_Type) {
                return self.integer(object);
            }
            if is_type!(kind, PyFloat_Type) {
                let written = self
                    .tape
                    .tag_with_double(Tag::Number, PyFloat_AsDouble(object));
                return self.written(written);
            }
            if object == Py_None() {
                let written = self.tape.tag(Tag::None);
                return self.written(written);
            }
            if object == Py_True() || object == Py_False() {
                let tag = if object == Py_True() {
                    Tag::True
                } else {
                    Tag::False
                };
                let written = self.tape.tag(tag);
                return self.written(written);
            }
            self.nested(object, kind, place, depth)
        }
    }

    /// Write what may have other values in it.
    ///
    /// # Safety
    /// As for [`value`](Self::value).
    unsafe fn nested(
        &mut self,
        object: *mut PyObject,
        kind: *mut PyTypeObject,
        place: u32,
        depth: u32,
    ) -> Result<(), Failed> {
        self.containers += 1;
        if depth >= self.options.depth || self.containers > MAX_CONTAINERS {
            return self.too_deep(depth);
        }
        // SAFETY: as the caller vouches. It is kept alive, for code may run in between.
        unsafe {
            let Some(held) = Bound::from_borrowed(object) else {
                return self.fail(Status::Invalid.into());
            };
            if is_type!(kind, PyDict_Type) {
                self.dictionary(&held, place, depth + 1)
            } else if is_type!(kind, PyList_Type) {
                self.list(&held, place, depth + 1)
            } else if is_type!(kind, PyTuple_Type) {
                self.tuple(&held, place, depth + 1)
            } else if is_type!(kind, PySet_Type) || is_type!(kind, PyFrozenSet_Type) {
                self.set(&held, place, depth + 1)
            } else if is_type!(kind, PyBytes_Type) {
                let written = self.tape.contents(Tag::Bytes, bytes(object));
                self.written(written)
            } else {
                self.other(&held, kind, place, depth + 1)
            }
        }
    }

    #[cold]
    fn too_deep(&mut self, depth: u32) -> Result<(), Failed> {
        if depth < self.options.depth {
            return self.refuse(
                ConversionReason::Range,
                format!("the value has more than {MAX_CONTAINERS} containers. Convert its parts"),
            );
        }
        self.refuse(
            ConversionReason::Depth,
            format!(
                "the value is nested deeper than {} levels. Give `depth`, or convert its parts",
                self.options.depth
            ),
        )
    }

    /// # Safety
    /// As for [`value`](Self::value), and the object is a `str`, or of a subclass.
    #[inline]
    unsafe fn text(&mut self, string: *mut PyObject) -> Result<(), Failed> {
        // SAFETY: as the caller vouches; the characters live as long as the string, which nobody changes.
        unsafe {
            let written = match self.layout.characters(string) {
                Some(Characters::Ascii(start, length) | Characters::Latin1(start, length)) => {
                    self.tape.latin1(std::slice::from_raw_parts(start, length))
                }
                Some(Characters::Ucs2(start, length)) if length <= MAX_STRING_UNITS => {
                    self.tape.utf16(std::slice::from_raw_parts(start, length))
                }
                Some(Characters::Ucs4(start, length)) => {
                    return self.ucs4(std::slice::from_raw_parts(start, length));
                }
                _ => return self.text_by_calls(string),
            };
            self.written(written)
        }
    }

    /// Write a string, of which the stable ABI gives a copy.
    ///
    /// # Safety
    /// As for [`text`](Self::text).
    #[cold]
    unsafe fn text_by_calls(&mut self, string: *mut PyObject) -> Result<(), Failed> {
        // SAFETY: as the caller vouches; there is space for all characters and the NUL that is asked for.
        unsafe {
            let length = PyUnicode_GetLength(string);
            let mut characters = match fallible::vec_with_capacity::<u32>(length as usize + 1) {
                Ok(characters) => characters,
                Err(failure) => return self.fail(failure),
            };
            if PyUnicode_AsUCS4(string, characters.as_mut_ptr(), length + 1, 1).is_null() {
                return self.raise();
            }
            characters.set_len(length as usize);
            let widest = characters.iter().fold(0, |all, it| all | it);
            if widest < 0x100 {
                let narrow: Vec<u8> = characters.iter().map(|&it| it as u8).collect();
                let written = self.tape.latin1(&narrow);
                return self.written(written);
            }
            self.ucs4(&characters)
        }
    }

    /// Write characters beyond Latin-1.
    fn ucs4(&mut self, characters: &[u32]) -> Result<(), Failed> {
        let mut units = std::mem::take(&mut self.units);
        units.clear();
        if units.try_reserve(2 * characters.len()).is_err() {
            return self.fail(Failure::OutOfMemory(4 * characters.len()));
        }
        for &character in characters {
            match character.checked_sub(0x1_0000) {
                // A lone surrogate stays one.
                None => units.push(character as u16),
                Some(rest) => {
                    units.push(0xd800 | (rest >> 10) as u16);
                    units.push(0xdc00 | (rest & 0x3ff) as u16);
                }
            }
        }
        if units.len() > MAX_STRING_UNITS {
            return self.fail(Status::TooLarge.into());
        }
        let written = self.tape.utf16(&units);
        self.units = units;
        self.written(written)
    }

    /// # Safety
    /// As for [`value`](Self::value), and the object is an `int`.
    #[inline]
    unsafe fn integer(&mut self, object: *mut PyObject) -> Result<(), Failed> {
        let mut overflow = 0;
        // SAFETY: as the caller vouches.
        let integer = unsafe { PyLong_AsLongLongAndOverflow(object, &mut overflow) };
        if overflow != 0 {
            // SAFETY: as the caller vouches.
            return unsafe { self.big(object) };
        }
        if self.options.integers != Integers::BigInt {
            if let Ok(small) = i32::try_from(integer) {
                let written = self.tape.tag_with_integer(Tag::Integer, small);
                return self.written(written);
            }
            if integer.unsigned_abs() <= MAX_SAFE_INTEGER as u64 {
                let written = self.tape.tag_with_double(Tag::Number, integer as f64);
                return self.written(written);
            }
            if self.options.integers == Integers::Number {
                return self.beyond_number();
            }
        }
        let written = self
            .tape
            .tag_with_double(Tag::Int64, f64::from_bits(integer as u64));
        self.written(written)
    }

    #[cold]
    fn beyond_number(&mut self) -> Result<(), Failed> {
        self.refuse(
            ConversionReason::Range,
            "the int is beyond 2^53, which no number has exactly. Give `int: \"auto\"` or `\"bigint\"`".into(),
        )
    }

    /// An `int` beyond 64 bits.
    ///
    /// # Safety
    /// As for [`integer`](Self::integer).
    #[cold]
    unsafe fn big(&mut self, object: *mut PyObject) -> Result<(), Failed> {
        if self.options.integers == Integers::Number {
            return self.beyond_number();
        }
        // SAFETY: as the caller vouches.
        unsafe {
            match bit_length(object) {
                Ok(bits) if bits <= MAX_BIGINT_BITS => {}
                Ok(_) => return self.fail(Status::TooLarge.into()),
                Err(failure) => return self.fail(failure),
            }
            let Some(digits) = Bound::from_owned(PyNumber_ToBase(object, 16)) else {
                return self.raise();
            };
            let written = self.tape.tag(Tag::Big);
            self.written(written)?;
            self.text(digits.as_ptr())
        }
    }

    /// Go on to a value within a container.
    ///
    /// # Safety
    /// As for [`value`](Self::value).
    #[inline]
    unsafe fn inner(
        &mut self,
        container: &Bound,
        object: *mut PyObject,
        place: u32,
        depth: u32,
        step: impl Fn() -> Step,
    ) -> Result<(), Failed> {
        let is_told = self.options.other == Other::Function;
        if is_told && self.way.try_reserve(1).is_ok() {
            self.way.push(step());
        }
        // SAFETY: as the caller vouches.
        let written = unsafe { self.value(object, place, depth) };
        if is_told {
            self.way.pop();
        }
        written.map_err(|Failed| self.step(container.as_ptr(), step()))
    }

    /// # Safety
    /// As for [`value`](Self::value).
    unsafe fn list(&mut self, list: &Bound, place: u32, depth: u32) -> Result<(), Failed> {
        // SAFETY: as the caller vouches. Without a GIL another thread may change the list, so a copy is walked through.
        unsafe {
            let copy = self
                .is_free_threaded
                .then(|| PyList_GetSlice(list.as_ptr(), 0, isize::MAX));
            let copy = match copy {
                Some(copy) => match Bound::from_owned(copy) {
                    Some(copy) => Some(copy),
                    None => return self.raise(),
                },
                None => None,
            };
            let elements = copy.as_ref().unwrap_or(list).as_ptr();
            let count = PyList_Size(elements);
            if count > 1 && self.numbers(elements, count)? {
                return Ok(());
            }
            let written = self.tape.tag_with_count(Tag::List, count as usize);
            self.written(written)?;
            for index in 0..count {
                if PyList_Size(elements) != count {
                    return self.changed();
                }
                let element = PyList_GetItem(elements, index);
                self.inner(list, element, place, depth, || Step::Index(index as usize))?;
            }
            if PyList_Size(elements) != count {
                return self.changed();
            }
            Ok(())
        }
    }

    /// Write a list as its numbers, if it has nothing but floats, or small integers. Return whether it is written.
    ///
    /// # Safety
    /// As for [`value`](Self::value), and the object is a list of `count` elements.
    unsafe fn numbers(&mut self, elements: *mut PyObject, count: isize) -> Result<bool, Failed> {
        let mark = self.tape.mark();
        // SAFETY: as the caller vouches; no code runs in here.
        unsafe {
            let first = self.layout.type_of(PyList_GetItem(elements, 0));
            let is_float = is_type!(first, PyFloat_Type);
            let is_integer =
                is_type!(first, PyLong_Type) && self.options.integers != Integers::BigInt;
            if is_float {
                let written = self.tape.tag_with_count(Tag::Numbers, count as usize);
                self.written(written)?;
                let layout = self.layout;
                let lane = match self.tape.reserve_doubles(count as usize) {
                    Ok(lane) => lane,
                    Err(error) => return self.not_written(error),
                };
                for index in 0..count {
                    let element = PyList_GetItem(elements, index);
                    if !is_type!(layout.type_of(element), PyFloat_Type) {
                        self.tape.cut(mark);
                        return Ok(false);
                    }
                    lane.push(PyFloat_AsDouble(element));
                }
                return Ok(true);
            }
            if is_integer {
                let written = self.tape.tag_with_count(Tag::Integers, count as usize);
                self.written(written)?;
                let layout = self.layout;
                let lane = match self.tape.reserve_integers(count as usize) {
                    Ok(lane) => lane,
                    Err(error) => return self.not_written(error),
                };
                for index in 0..count {
                    let element = PyList_GetItem(elements, index);
                    let mut overflow = 0;
                    let small = is_type!(layout.type_of(element), PyLong_Type)
                        .then(|| PyLong_AsLongLongAndOverflow(element, &mut overflow))
                        .and_then(|integer| i32::try_from(integer).ok());
                    let Some(small) = small.filter(|_| overflow == 0) else {
                        self.tape.cut(mark);
                        return Ok(false);
                    };
                    lane.push(small);
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[cold]
    fn changed(&mut self) -> Result<(), Failed> {
        self.refuse(
            ConversionReason::Changed,
            "the container changed while it was read. Convert it where nothing else changes it"
                .into(),
        )
    }

    /// # Safety
    /// As for [`value`](Self::value).
    unsafe fn tuple(&mut self, tuple: &Bound, place: u32, depth: u32) -> Result<(), Failed> {
        // SAFETY: as the caller vouches; tuples don't change.
        unsafe {
            let count = PyTuple_Size(tuple.as_ptr());
            let written = self.tape.tag_with_count(Tag::List, count as usize);
            self.written(written)?;
            for index in 0..count {
                let element = PyTuple_GetItem(tuple.as_ptr(), index);
                self.inner(tuple, element, place, depth, || Step::Index(index as usize))?;
            }
        }
        Ok(())
    }

    /// # Safety
    /// As for [`value`](Self::value).
    unsafe fn set(&mut self, set: &Bound, place: u32, depth: u32) -> Result<(), Failed> {
        let tag = if self.options.is_array {
            Tag::List
        } else {
            Tag::Set
        };
        // SAFETY: as the caller vouches; results are owned.
        unsafe {
            let at = self.tape.open(tag);
            let at = self.written(at)?;
            let Some(iterator) = Bound::from_owned(PyObject_GetIter(set.as_ptr())) else {
                return self.raise();
            };
            let count = PySet_Size(set.as_ptr());
            let mut index = 0;
            while let Some(member) = Bound::from_owned(PyIter_Next(iterator.as_ptr())) {
                self.inner(set, member.as_ptr(), place, depth, || Step::Member(index))?;
                index += 1;
            }
            if !PyErr_Occurred().is_null() {
                return self.raise();
            }
            if index as isize != count {
                return self.changed();
            }
            self.tape.close(at, tag, index as i32);
        }
        Ok(())
    }

    /// # Safety
    /// As for [`value`](Self::value).
    unsafe fn dictionary(
        &mut self,
        dictionary: &Bound,
        place: u32,
        depth: u32,
    ) -> Result<(), Failed> {
        // SAFETY: as the caller vouches. Without a GIL another thread may change the dictionary, so a copy is walked through.
        unsafe {
            let copy = match self.is_free_threaded {
                true => match Bound::from_owned(PyDict_Copy(dictionary.as_ptr())) {
                    Some(copy) => Some(copy),
                    None => return self.raise(),
                },
                false => None,
            };
            let entries = copy.as_ref().unwrap_or(dictionary);
            if self.options.is_map {
                return self.map(entries, depth);
            }
            match self.object(entries, place, depth)? {
                Ok(()) => Ok(()),
                Err(NoString) => self.refuse(
                    ConversionReason::Key,
                    "a key of the dict is no str, and properties have strings. Give `dict: \"map\"`".into(),
                ),
            }
        }
    }

    /// Write a dictionary with strings for keys.
    ///
    /// # Safety
    /// As for [`value`](Self::value).
    unsafe fn object(
        &mut self,
        dictionary: &Bound,
        place: u32,
        depth: u32,
    ) -> Result<Result<(), NoString>, Failed> {
        let (mut position, mut key, mut value) = (0, null_mut(), null_mut());
        let mut node = 0;
        let mut guess = self.keys.borrow().first_guess(place);
        let mut is_open = false;
        // SAFETY: as the caller vouches. Values are live until code runs; what may run code takes a reference first.
        unsafe {
            let at = self.tape.open(Tag::Shaped);
            let at = self.written(at)?;
            let count = PyDict_Size(dictionary.as_ptr());
            let mut seen = 0;
            while PyDict_Next(dictionary.as_ptr(), &mut position, &mut key, &mut value) != 0 {
                seen += 1;
                if !is_open && !self.keys.borrow().is_key(guess, key) {
                    let kind = self.layout.type_of(key);
                    guess = match is_type!(kind, PyUnicode_Type) {
                        true => self.keys.borrow_mut().find(node, key, place),
                        false if is_string(kind) => 0,
                        false => return Ok(Err(NoString)),
                    };
                    is_open = guess == 0;
                    if is_open {
                        self.tape.close(at, Tag::Open, node as i32);
                    }
                }
                if is_open {
                    if !is_string(self.layout.type_of(key)) {
                        return Ok(Err(NoString));
                    }
                    self.text(key)?;
                } else {
                    node = guess;
                }
                let inner = if is_open { 0 } else { node };
                let written = self.value_of_key(dictionary, key, value, inner, depth);
                written?;
                if PyDict_Size(dictionary.as_ptr()) != count {
                    return self.changed().map(Ok);
                }
                if !is_open {
                    guess = self.keys.borrow().next_guess(node);
                }
            }
            if seen != count {
                return self.changed().map(Ok);
            }
            if is_open {
                let written = self.tape.tag(Tag::End);
                self.written(written)?;
            } else {
                self.tape.close(at, Tag::Shaped, node as i32);
            }
        }
        Ok(Ok(()))
    }

    /// Write the value of a key. The key is kept alive, where code may run, for the error that names it.
    ///
    /// # Safety
    /// As for [`value`](Self::value).
    #[inline]
    unsafe fn value_of_key(
        &mut self,
        dictionary: &Bound,
        key: *mut PyObject,
        value: *mut PyObject,
        place: u32,
        depth: u32,
    ) -> Result<(), Failed> {
        // SAFETY: as the caller vouches. Plain values run no code.
        unsafe {
            let kind = self.layout.type_of(value);
            if is_type!(kind, PyUnicode_Type) {
                return self.text(value);
            }
            if is_type!(kind, PyFloat_Type) {
                let written = self
                    .tape
                    .tag_with_double(Tag::Number, PyFloat_AsDouble(value));
                return self.written(written);
            }
            let Some(held) = Bound::from_borrowed(key) else {
                return self.fail(Status::Invalid.into());
            };
            let step = || match Bound::from_borrowed(held.as_ptr()) {
                Some(key) => Step::Key(key),
                None => Step::Index(0),
            };
            self.inner(dictionary, value, place, depth, step)
        }
    }

    /// Write a dictionary with any keys.
    ///
    /// # Safety
    /// As for [`value`](Self::value).
    unsafe fn map(&mut self, dictionary: &Bound, depth: u32) -> Result<(), Failed> {
        let (mut position, mut key, mut value) = (0, null_mut(), null_mut());
        // SAFETY: as the caller vouches. Key and value are kept alive, for code may run in between.
        unsafe {
            let count = PyDict_Size(dictionary.as_ptr());
            let written = self.tape.tag_with_count(Tag::Map, count as usize);
            self.written(written)?;
            let mut index = 0;
            while PyDict_Next(dictionary.as_ptr(), &mut position, &mut key, &mut value) != 0 {
                let (Some(key), Some(value)) =
                    (Bound::from_borrowed(key), Bound::from_borrowed(value))
                else {
                    return self.fail(Status::Invalid.into());
                };
                self.inner(dictionary, key.as_ptr(), 0, depth, || Step::MapKey(index))?;
                self.inner(dictionary, value.as_ptr(), 0, depth, || {
                    Step::MapValue(index)
                })?;
                index += 1;
                if PyDict_Size(dictionary.as_ptr()) != count {
                    return self.changed();
                }
            }
            if index as isize != count {
                return self.changed();
            }
        }
        Ok(())
    }

    /// Write an object of any other type.
    ///
    /// # Safety
    /// As for [`value`](Self::value).
    #[cold]
    unsafe fn other(
        &mut self,
        object: &Bound,
        kind: *mut PyTypeObject,
        place: u32,
        depth: u32,
    ) -> Result<(), Failed> {
        // SAFETY: as the caller vouches; arguments are live, and results are owned.
        unsafe {
            if let Some(identity) = exporter::identity(object) {
                let Some(held) = Bound::from_borrowed(object.as_ptr()) else {
                    return self.fail(Status::Invalid.into());
                };
                return self.refer(Referred::Block(identity, held.into()));
            }
            match numpy::value_of_scalar(object, kind) {
                Ok(Some(value)) => return self.value(value.as_ptr(), place, depth),
                Ok(None) => {}
                Err(failure) => return self.fail(failure),
            }
            let conversions = match conversions() {
                Ok(conversions) => conversions,
                Err(status) => return self.fail(status.into()),
            };
            let flag = if self.options.is_temporal {
                Py_True()
            } else {
                Py_False()
            };
            let lowered = Bound::from_owned(PyObject_CallFunctionObjArgs(
                conversions.lower,
                object.as_ptr(),
                flag,
                null_mut::<PyObject>(),
            ));
            let Some(lowered) = lowered else {
                return self.raise();
            };
            let part = |index| PyTuple_GetItem(lowered.as_ptr(), index);
            let code = PyLong_AsLong(part(0));
            if code == Lowered::Value as i64 {
                return self.value(part(1), place, depth);
            }
            if code == Lowered::Made as i64 {
                let class = PyLong_AsLong(part(2)) as i32;
                let class = MadeClass::from_number(class).unwrap_or(MadeClass::Path);
                let written = self.tape.tag_with_integer(Tag::Made, class as i32);
                self.written(written)?;
                return self.value(part(1), place, depth);
            }
            if code == Lowered::Array as i64 {
                return self.array(part(1));
            }
            debug_assert_eq!(code, Lowered::Nothing as i64);
            self.without_counterpart(object, kind)
        }
    }

    /// Write a reference to an object.
    fn refer(&mut self, referred: Referred) -> Result<(), Failed> {
        if self.objects.try_reserve(1).is_err() {
            return self.fail(Failure::OutOfMemory(size_of::<Referred>()));
        }
        let written = self.tape.tag_with_count(Tag::Object, self.objects.len());
        self.written(written)?;
        self.objects.push(referred);
        Ok(())
    }

    /// Write the elements of a buffer in C order.
    ///
    /// # Safety
    /// As for [`value`](Self::value).
    unsafe fn array(&mut self, exporter: *mut PyObject) -> Result<(), Failed> {
        let mut buffer = Py_buffer::new();
        // SAFETY: as the caller vouches; the buffer is released once, and its memory lives until then.
        unsafe {
            let flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT;
            if PyObject_GetBuffer(exporter, &mut buffer, flags) != 0 {
                return self.raise();
            }
            let format = match buffer.format.is_null() {
                true => c"B",
                false => CStr::from_ptr(buffer.format),
            };
            let element = Element::of_format(format.to_bytes(), buffer.itemsize as usize);
            let written = match element {
                Some(element) if buffer.len > 0 => {
                    let contents =
                        std::slice::from_raw_parts(buffer.buf.cast(), buffer.len as usize);
                    self.tape.array(element as i32, contents)
                }
                Some(element) => self.tape.array(element as i32, &[]),
                None => Ok(()),
            };
            PyBuffer_Release(&mut buffer);
            if element.is_none() {
                return self.fail(Status::Invalid.into());
            }
            self.written(written)
        }
    }

    /// Do what the options say of an object without counterpart.
    ///
    /// # Safety
    /// As for [`value`](Self::value).
    unsafe fn without_counterpart(
        &mut self,
        object: &Bound,
        kind: *mut PyTypeObject,
    ) -> Result<(), Failed> {
        // SAFETY: as the caller vouches; results are owned.
        unsafe {
            let held = Bound::from_borrowed(object.as_ptr());
            match (self.options.other, held) {
                (Other::Text, _) => {
                    let Some(text) = Bound::from_owned(PyObject_Str(object.as_ptr())) else {
                        return self.raise();
                    };
                    self.text(text.as_ptr())
                }
                (Other::Reference, Some(held)) => self.refer(Referred::Object(held.into())),
                (Other::Function, Some(held)) => {
                    let path = path_text(self.way.iter());
                    self.refer(Referred::Converted(held.into(), path))
                }
                _ => {
                    let name = Bound::from_owned(PyType_GetName(kind));
                    let name = name.and_then(|name| utf8(name.as_ptr()));
                    let name = name.unwrap_or_else(|| "<unknown>".into());
                    self.refuse(
                        ConversionReason::Type,
                        format!("an object of the type {name} has no counterpart in JavaScript. Give `other`: \"ref\", \"string\" or a function"),
                    )
                }
            }
        }
    }
}

/// The steps that the path of a value nested too deep shows.
const SHOWN_STEPS: usize = 20;

/// Return whether a type is `str` or a subclass.
///
/// # Safety
/// The thread is attached, and the type is live.
#[inline]
unsafe fn is_string(kind: *mut PyTypeObject) -> bool {
    // SAFETY: as the caller vouches.
    is_type!(kind, PyUnicode_Type)
        || unsafe { pyo3_ffi::PyType_IsSubtype(kind, &raw mut PyUnicode_Type) != 0 }
}
