//! Building Python's objects of a tape.
//!
//! What can't be built says where it is; nothing is left of the rest. Lists are filled before anybody can see them. Python's
//! collector is off meanwhile: it would look through everything that was built so far again and again.

use std::ptr::null_mut;

use pyo3_ffi::{
    Py_False, Py_None, Py_True, PyDict_Copy, PyDict_New, PyDict_SetItem, PyDict_Size, PyErr_Clear,
    PyErr_ExceptionMatches, PyExc_TypeError, PyFloat_FromDouble, PyGC_Disable, PyGC_Enable,
    PyList_New, PyList_SetItem, PyLong_FromLongLong, PyLong_FromString, PyObject,
    PyObject_CallFunctionObjArgs, PySet_Add, PySet_New, PySet_Size, PyTuple_New, PyTuple_SetItem,
    PyUnicode_AsUTF8String,
};

use crate::boundary::status::{MAX_SAFE_INTEGER, Status};
use crate::limits::{MAX_CONTAINERS, MAX_DEPTH};
use crate::values::bytes::bytes;
use crate::values::failure::{Conversion, ConversionReason, Failure};
use crate::values::fallible;
use crate::values::handle::Bound;
use crate::values::path::{Step, path_text};
use crate::values::shapes::Shapes;
use crate::values::strings::{KeptStrings, latin1, string};
use crate::values::support::conversions;
use crate::values::tape::MadeClass;
use crate::values::tape::reader::{Event, Malformed, Reader};
use crate::values::value::{IntoPython, python_bytes};

/// What a thread keeps between tapes.
pub struct Cache {
    pub shapes: Shapes,
    pub strings: KeptStrings,
}

thread_local! {
    /// What this thread keeps.
    pub static CACHE: Cache = const {
        Cache {
            shapes: Shapes::new(),
            strings: KeptStrings::new(),
        }
    };
}

/// Why a value isn't built; the rest is in the builder.
struct Failed;

/// What an unhashable key, or one that is there already, is called.
const KEY_ADVICE: &str = "Give keys that are hashable in Python, and differ there";

/// Builds the values of a tape, one after the other.
pub struct Builder<'a> {
    reader: Reader<'a>,
    /// The objects that the tape refers to, each once.
    objects: &'a mut [IntoPython],
    cache: &'a Cache,
    /// What is built, and has no place yet.
    values: Vec<Bound>,
    containers: usize,
    /// Whether arrays are tuples and sets are frozen: within a key, and a member of a set.
    is_in_key: bool,
    failure: Option<Failure>,
    /// Where the failure is, from the inside.
    path: Vec<Step>,
}

impl<'a> Builder<'a> {
    /// Build of that tape.
    pub fn new(reader: Reader<'a>, objects: &'a mut [IntoPython], cache: &'a Cache) -> Self {
        Self {
            reader,
            objects,
            cache,
            values: Vec::new(),
            containers: 0,
            is_in_key: false,
            failure: None,
            path: Vec::new(),
        }
    }

    /// Build the next value.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    pub unsafe fn build(&mut self) -> Result<Bound, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            let was_enabled = PyGC_Disable() != 0;
            let built = self.value(0);
            if was_enabled {
                PyGC_Enable();
            }
            built.map_err(|Failed| self.take_failure())
        }
    }

    /// Why the value isn't built, with its path where that is of interest.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    #[cold]
    unsafe fn take_failure(&mut self) -> Failure {
        self.values.clear();
        let path = std::mem::take(&mut self.path);
        let failure = self.failure.take();
        match failure.unwrap_or(Failure::Status(Status::Invalid)) {
            Failure::Conversion(mut conversion) => {
                // SAFETY: as the caller vouches.
                conversion.path = unsafe { path_text(path.iter().rev()) };
                Failure::Conversion(conversion)
            }
            other => other,
        }
    }

    /// Fail.
    #[cold]
    fn fail<T>(&mut self, failure: Failure) -> Result<T, Failed> {
        self.failure = Some(failure);
        Err(Failed)
    }

    /// Fail with the exception that is set, where so many bytes were asked for.
    ///
    /// # Safety
    /// The thread is attached.
    #[cold]
    unsafe fn raise<T>(&mut self, requested: usize) -> Result<T, Failed> {
        // SAFETY: as the caller vouches.
        let failure = unsafe { fallible::fetch(requested) };
        self.fail(failure)
    }

    /// A new object; null is an exception.
    ///
    /// # Safety
    /// The thread is attached, and the caller owns the reference.
    #[inline]
    unsafe fn owned(&mut self, object: *mut PyObject, bytes: usize) -> Result<Bound, Failed> {
        // SAFETY: as the caller vouches.
        match unsafe { Bound::from_owned(object) } {
            Some(object) => Ok(object),
            // SAFETY: as the caller vouches.
            None => unsafe { self.raise(bytes) },
        }
    }

    #[inline]
    fn result<T>(&mut self, result: Result<T, Failure>) -> Result<T, Failed> {
        result.or_else(|failure| self.fail(failure))
    }

    /// Note where a failure is.
    #[cold]
    fn step(&mut self, step: Step) -> Failed {
        if self.path.try_reserve(1).is_ok() {
            self.path.push(step);
        }
        Failed
    }

    /// Take what comes next.
    #[inline(always)]
    fn next(&mut self) -> Result<Event<'a>, Failed> {
        match self.reader.next() {
            Ok(event) => Ok(event),
            Err(Malformed) => self.fail(Status::Invalid.into()),
        }
    }

    /// Build a value.
    ///
    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn value(&mut self, depth: u32) -> Result<Bound, Failed> {
        let event = self.next()?;
        // SAFETY: as the caller vouches.
        unsafe { self.value_of(event, depth) }
    }

    /// Build the value that begins so.
    ///
    /// # Safety
    /// As for [`build`](Self::build).
    #[inline(always)]
    unsafe fn value_of(&mut self, event: Event<'a>, depth: u32) -> Result<Bound, Failed> {
        // SAFETY: as the caller vouches; results are owned and checked.
        unsafe {
            match event {
                Event::None => Ok(Bound::from_borrowed(Py_None()).unwrap_unchecked()),
                Event::Bool(true) => Ok(Bound::from_borrowed(Py_True()).unwrap_unchecked()),
                Event::Bool(false) => Ok(Bound::from_borrowed(Py_False()).unwrap_unchecked()),
                Event::Integer(integer) => self.owned(PyLong_FromLongLong(integer), 8),
                Event::Number(number) => self.number(number),
                Event::Float(number) => self.owned(PyFloat_FromDouble(number), 8),
                Event::Short(characters) => {
                    let string = self.cache.strings.value(characters);
                    self.result(string)
                }
                Event::Text(characters) => {
                    let string = string(characters);
                    self.result(string)
                }
                Event::Bytes(contents) => {
                    let object = python_bytes(contents);
                    self.result(object)
                }
                Event::Object(index) => self.object(index),
                Event::Numbers(numbers) => self.numbers(numbers),
                Event::Integers(integers) => self.integers(integers),
                Event::End => self.fail(Status::Invalid.into()),
                nested => {
                    self.containers += 1;
                    if depth >= MAX_DEPTH || self.containers > MAX_CONTAINERS {
                        return self.fail(Status::Invalid.into());
                    }
                    self.nested(nested, depth + 1)
                }
            }
        }
    }

    /// Build what has other values in it.
    ///
    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn nested(&mut self, event: Event<'a>, depth: u32) -> Result<Bound, Failed> {
        // SAFETY: as the caller vouches.
        unsafe {
            match event {
                Event::Shaped(node) => self.shaped(node, depth),
                Event::Open(node) => {
                    let dictionary = self.shaped(node, depth)?;
                    self.further_keys(&dictionary, depth)?;
                    Ok(dictionary)
                }
                Event::List(count) if !self.is_in_key => self.list(count, depth),
                Event::List(count) | Event::Tuple(count) => self.tuple(count, depth),
                Event::Map(count) => self.map(count, depth),
                Event::Set(count) => self.set(count, depth),
                Event::Made(class) => self.made(class, depth),
                Event::Big => self.big(depth),
                _ => self.fail(Status::Invalid.into()),
            }
        }
    }

    /// An `int` where the number is a safe integer, and not -0; else a `float`.
    ///
    /// # Safety
    /// As for [`build`](Self::build).
    #[inline]
    unsafe fn number(&mut self, number: f64) -> Result<Bound, Failed> {
        // SAFETY: as the caller vouches; a number in range fits.
        unsafe {
            if number.abs() <= MAX_SAFE_INTEGER {
                let integer: i64 = number.to_int_unchecked();
                // The same bits: neither a fraction nor -0.
                if (integer as f64).to_bits() == number.to_bits() {
                    return self.owned(PyLong_FromLongLong(integer), 8);
                }
            }
            self.owned(PyFloat_FromDouble(number), 8)
        }
    }

    /// Keep a value until it has its place.
    #[inline]
    fn keep(&mut self, value: Bound) -> Result<(), Failed> {
        if self.values.len() == self.values.capacity() && self.values.try_reserve(1).is_err() {
            let bytes = self.values.len() * size_of::<Bound>();
            return self.fail(Failure::OutOfMemory(bytes));
        }
        self.values.push(value);
        Ok(())
    }

    /// A list of the values that are kept from `start` on.
    ///
    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn list_of_kept(&mut self, start: usize) -> Result<Bound, Failed> {
        let count = self.values.len() - start;
        // SAFETY: as the caller vouches; each place of the new list is filled with a reference that is given up.
        unsafe {
            let list = self.owned(PyList_New(count as isize), count * size_of::<usize>())?;
            for (index, value) in self.values.drain(start..).enumerate() {
                PyList_SetItem(list.as_ptr(), index as isize, value.into_ptr());
            }
            Ok(list)
        }
    }

    /// Keep so many values.
    ///
    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn keep_values(&mut self, count: usize, depth: u32) -> Result<(), Failed> {
        for index in 0..count {
            // SAFETY: as the caller vouches.
            let value = unsafe { self.value(depth) };
            let value = value.map_err(|Failed| self.step(Step::Index(index)))?;
            self.keep(value)?;
        }
        Ok(())
    }

    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn list(&mut self, count: usize, depth: u32) -> Result<Bound, Failed> {
        let start = self.values.len();
        // SAFETY: as the caller vouches.
        unsafe {
            self.keep_values(count, depth)?;
            self.list_of_kept(start)
        }
    }

    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn tuple(&mut self, count: usize, depth: u32) -> Result<Bound, Failed> {
        let start = self.values.len();
        // SAFETY: as the caller vouches; each place of the new tuple is filled with a reference that is given up.
        unsafe {
            self.keep_values(count, depth)?;
            let tuple = self.owned(PyTuple_New(count as isize), count * size_of::<usize>())?;
            for (index, value) in self.values.drain(start..).enumerate() {
                PyTuple_SetItem(tuple.as_ptr(), index as isize, value.into_ptr());
            }
            Ok(tuple)
        }
    }

    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn numbers(&mut self, numbers: &[f64]) -> Result<Bound, Failed> {
        let start = self.values.len();
        for &number in numbers {
            // SAFETY: as the caller vouches.
            let value = unsafe { self.number(number) }?;
            self.keep(value)?;
        }
        // SAFETY: as the caller vouches.
        unsafe { self.finish_numbers(start) }
    }

    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn integers(&mut self, integers: &[i32]) -> Result<Bound, Failed> {
        let start = self.values.len();
        for &integer in integers {
            // SAFETY: as the caller vouches.
            let value = unsafe { self.owned(PyLong_FromLongLong(integer.into()), 4) }?;
            self.keep(value)?;
        }
        // SAFETY: as the caller vouches.
        unsafe { self.finish_numbers(start) }
    }

    /// A list, or within a key a tuple, of the numbers that are kept.
    ///
    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn finish_numbers(&mut self, start: usize) -> Result<Bound, Failed> {
        self.containers += 1;
        if !self.is_in_key {
            // SAFETY: as the caller vouches.
            return unsafe { self.list_of_kept(start) };
        }
        let count = self.values.len() - start;
        // SAFETY: as the caller vouches; each place is filled with a reference that is given up.
        unsafe {
            let tuple = self.owned(PyTuple_New(count as isize), count * size_of::<usize>())?;
            for (index, value) in self.values.drain(start..).enumerate() {
                PyTuple_SetItem(tuple.as_ptr(), index as isize, value.into_ptr());
            }
            Ok(tuple)
        }
    }

    /// A dictionary with the keys of a shape.
    ///
    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn shaped(&mut self, node: u32, depth: u32) -> Result<Bound, Failed> {
        // SAFETY: as the caller vouches; keys are plain strings, which run no code.
        unsafe {
            let shape = self.cache.shapes.get(node);
            let Some(shape) = self.result(shape)? else {
                return self.owned(PyDict_New(), 64);
            };
            let keys = shape.keys();
            let bytes = keys.len() * 3 * size_of::<usize>();
            let dictionary = self.owned(PyDict_Copy(shape.template()), bytes)?;
            for key in keys {
                let value = self.value(depth);
                let value = value.map_err(|Failed| {
                    let key = Bound::from_borrowed(key.as_ptr());
                    key.map_or(Failed, |key| self.step(Step::Key(key)))
                })?;
                if PyDict_SetItem(dictionary.as_ptr(), key.as_ptr(), value.as_ptr()) != 0 {
                    return self.raise(bytes);
                }
            }
            Ok(dictionary)
        }
    }

    /// Add keys, as strings, and their values, up to the end of the dictionary.
    ///
    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn further_keys(&mut self, dictionary: &Bound, depth: u32) -> Result<(), Failed> {
        // SAFETY: as the caller vouches; keys are plain strings, which run no code.
        unsafe {
            loop {
                let key = match self.next()? {
                    Event::End => return Ok(()),
                    Event::Short(characters) => {
                        let key = self.cache.strings.key(characters);
                        self.result(key)?
                    }
                    Event::Text(characters) => {
                        let key = string(characters);
                        self.result(key)?
                    }
                    _ => return self.fail(Status::Invalid.into()),
                };
                let value = match self.value(depth) {
                    Ok(value) => value,
                    Err(Failed) => return Err(self.step(Step::Key(key))),
                };
                if PyDict_SetItem(dictionary.as_ptr(), key.as_ptr(), value.as_ptr()) != 0 {
                    return self.raise(3 * size_of::<usize>());
                }
            }
        }
    }

    /// Build a value that has to be hashable: arrays are tuples in it.
    ///
    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn key(&mut self, depth: u32) -> Result<Bound, Failed> {
        let outer = std::mem::replace(&mut self.is_in_key, true);
        // SAFETY: as the caller vouches.
        let key = unsafe { self.value(depth) };
        self.is_in_key = outer;
        key
    }

    /// Fail because of a key: one that is unhashable, which is a `TypeError`, or there already.
    ///
    /// # Safety
    /// The thread is attached; an exception is set, or the key is there already.
    #[cold]
    unsafe fn refuse_key(&mut self, is_there: bool) -> Result<(), Failed> {
        if is_there {
            return self.fail(conversion(
                ConversionReason::Key,
                "another key is equal to this one in Python",
                KEY_ADVICE,
            ));
        }
        // SAFETY: as the caller vouches.
        unsafe {
            if PyErr_ExceptionMatches(PyExc_TypeError) == 0 {
                return self.raise(3 * size_of::<usize>());
            }
            PyErr_Clear();
        }
        self.fail(conversion(
            ConversionReason::Key,
            "this key can't be hashed in Python",
            KEY_ADVICE,
        ))
    }

    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn map(&mut self, count: usize, depth: u32) -> Result<Bound, Failed> {
        // SAFETY: as the caller vouches.
        unsafe {
            let dictionary = self.owned(PyDict_New(), 64)?;
            for index in 0..count {
                let key = match self.key(depth) {
                    Ok(key) => key,
                    Err(Failed) => return Err(self.step(Step::MapKey(index))),
                };
                let value = match self.value(depth) {
                    Ok(value) => value,
                    Err(Failed) => return Err(self.step(Step::MapValue(index))),
                };
                let before = PyDict_Size(dictionary.as_ptr());
                let status = PyDict_SetItem(dictionary.as_ptr(), key.as_ptr(), value.as_ptr());
                let is_there = status == 0 && PyDict_Size(dictionary.as_ptr()) == before;
                if status != 0 || is_there {
                    let refused = self.refuse_key(is_there);
                    return refused
                        .and(Err(Failed))
                        .map_err(|Failed| self.step(Step::MapKey(index)));
                }
            }
            Ok(dictionary)
        }
    }

    /// A set, or within a key a frozen one.
    ///
    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn set(&mut self, count: usize, depth: u32) -> Result<Bound, Failed> {
        // SAFETY: as the caller vouches.
        unsafe {
            let set = self.owned(PySet_New(null_mut()), 64)?;
            for index in 0..count {
                let member = match self.key(depth) {
                    Ok(member) => member,
                    Err(Failed) => return Err(self.step(Step::Member(index))),
                };
                let before = PySet_Size(set.as_ptr());
                let status = PySet_Add(set.as_ptr(), member.as_ptr());
                let is_there = status == 0 && PySet_Size(set.as_ptr()) == before;
                if status != 0 || is_there {
                    let refused = self.refuse_key(is_there);
                    return refused
                        .and(Err(Failed))
                        .map_err(|Failed| self.step(Step::Member(index)));
                }
            }
            if self.is_in_key {
                return self.owned(pyo3_ffi::PyFrozenSet_New(set.as_ptr()), 64);
            }
            Ok(set)
        }
    }

    /// An object that the tape refers to.
    ///
    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn object(&mut self, index: usize) -> Result<Bound, Failed> {
        let object = match self.objects.get_mut(index) {
            Some(object) => std::mem::replace(object, IntoPython::None),
            None => return self.fail(Status::Invalid.into()),
        };
        // SAFETY: as the caller vouches.
        let object = unsafe { object.into_python() };
        self.result(object)
    }

    /// An `int` of its hexadecimal digits.
    ///
    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn big(&mut self, depth: u32) -> Result<Bound, Failed> {
        // SAFETY: as the caller vouches. The `bytes` ends with a NUL.
        unsafe {
            let digits = match self.next()? {
                Event::Short(characters) => latin1(characters),
                Event::Text(characters) => string(characters),
                _ => return self.fail(Status::Invalid.into()),
            };
            let _ = depth;
            let digits = self.result(digits)?;
            let encoded = self.owned(PyUnicode_AsUTF8String(digits.as_ptr()), 0)?;
            let digits = bytes(encoded.as_ptr());
            let integer = PyLong_FromString(digits.as_ptr().cast(), null_mut(), 16);
            self.owned(integer, digits.len() / 2)
        }
    }

    /// An object that Python code makes of a value.
    ///
    /// # Safety
    /// As for [`build`](Self::build).
    unsafe fn made(&mut self, class: MadeClass, depth: u32) -> Result<Bound, Failed> {
        // SAFETY: as the caller vouches; arguments are live, and the result is owned.
        unsafe {
            let value = self.value(depth)?;
            let conversions = match conversions() {
                Ok(conversions) => conversions,
                Err(status) => return self.fail(status.into()),
            };
            let number = self.owned(PyLong_FromLongLong(class as i64), 8)?;
            let made = Bound::from_owned(PyObject_CallFunctionObjArgs(
                conversions.make,
                number.as_ptr(),
                value.as_ptr(),
                null_mut::<PyObject>(),
            ));
            match made {
                Some(made) => Ok(made),
                None => {
                    let failure = Failure::fetch();
                    self.fail(match failure {
                        Failure::Raised(exception) => conversion(
                            ConversionReason::Range,
                            &format!("Python has no such value: {}", exception.message),
                            "Give one that its `datetime` module or `pathlib` has",
                        ),
                        other => other,
                    })
                }
            }
        }
    }
}

/// A conversion that fails; the path is filled in later.
fn conversion(reason: ConversionReason, what: &str, advice: &str) -> Failure {
    Failure::Conversion(Box::new(Conversion {
        reason,
        path: String::new(),
        message: format!("{what}. {advice}"),
    }))
}
