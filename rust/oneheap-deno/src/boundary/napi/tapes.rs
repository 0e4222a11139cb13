//! Tapes: what JavaScript has written for Python, and what is written for JavaScript.

use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr::null_mut;

use napi_sys::{
    Status as NapiStatus, napi_callback_info, napi_create_string_latin1, napi_create_string_utf16,
    napi_env, napi_get_typedarray_info, napi_get_value_string_latin1, napi_get_value_string_utf8,
    napi_get_value_string_utf16, napi_value,
};

use crate::boundary::napi::arguments::Conversion;
use crate::boundary::napi::env::{Env, drop_boxed};
use crate::boundary::napi::python::python;
use crate::boundary::napi::results::Tag as ResultTag;
use crate::boundary::status::Status;
use crate::limits::MAX_KEPT_LANE_BYTES;
use crate::running::run::Nested;
use crate::values::build::{Builder, CACHE, Cache};
use crate::values::converted::{Converted, Referred};
use crate::values::failure::Failure;
use crate::values::fallible;
use crate::values::handle::Bound;
use crate::values::key_tree::KeyTree;
use crate::values::tape::reader::{Characters, Reader};
use crate::values::tape::writer::{WriteError, Writer};
use crate::values::text::text;
use crate::values::value::{FromPython, IntoPython};
use crate::values::walk::{Options, Walker};

/// The integers that a tape of JavaScript's begins with: how much is in each lane, and what it is for.
pub const HEADER: usize = 8;

/// The tapes that a thread may have: as many messages can be within one another.
const MAX_TAPES: usize = 1 << 16;

/// Where a tape has its lanes, and how long they are.
#[derive(Clone, Copy)]
struct Lanes {
    bytes: (*const u8, usize),
    integers: (*const i32, usize),
    doubles: (*const f64, usize),
}

/// The lanes to which tapes for JavaScript are copied if they fit.
#[derive(Clone, Copy)]
struct Output {
    bytes: (*mut u8, usize),
    integers: (*mut i32, usize),
    doubles: (*mut f64, usize),
}

thread_local! {
    /// The tapes of this thread's JavaScript, by their numbers. JavaScript keeps them, and writes on none while it is in use.
    static TAPES: RefCell<Vec<Option<Lanes>>> = const { RefCell::new(Vec::new()) };
    static OUTPUT: RefCell<Option<Output>> = const { RefCell::new(None) };
    /// The tape that is written for JavaScript next. A nested one is written on another.
    static WRITER: RefCell<Option<Writer>> = const { RefCell::new(None) };
    /// The keys that this thread's JavaScript knows.
    static KEYS: RefCell<KeyTree> = RefCell::default();
}

/// Forget what JavaScript of another isolate has told this thread.
pub fn begin_isolate() {
    TAPES.with_borrow_mut(Vec::clear);
    OUTPUT.with_borrow_mut(|output| *output = None);
    KEYS.with_borrow_mut(|keys| *keys = KeyTree::default());
    CACHE.with(|cache| cache.shapes.clear());
}

/// The contents of a typed array, of which TypeScript knows the type.
///
/// # Safety
/// The environment and the value are live.
unsafe fn lane<T>(env: Env, view: napi_value) -> Option<(*mut T, usize)> {
    let (mut length, mut data) = (0, null_mut());
    // SAFETY: as the caller vouches.
    let status = unsafe {
        let (kind, buffer, offset) = (null_mut(), null_mut(), null_mut());
        napi_get_typedarray_info(env.0, view, kind, &mut length, &mut data, buffer, offset)
    };
    let is_fit = status == NapiStatus::napi_ok && !data.is_null() && data.cast::<T>().is_aligned();
    is_fit.then_some((data.cast(), length))
}

/// `registerTape(tape, bytes, integers, doubles)`: have the tape of that number in these lanes from now on. JavaScript keeps them.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn register_tape(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        let [number, bytes, integers, doubles] = env.arguments::<4>(info);
        let (Some(number), Some(bytes), Some(integers), Some(doubles)) = (
            env.number(number),
            lane::<u8>(env, bytes),
            lane::<i32>(env, integers),
            lane::<f64>(env, doubles),
        ) else {
            return null_mut();
        };
        let lanes = Lanes {
            bytes: (bytes.0, bytes.1),
            integers: (integers.0, integers.1),
            doubles: (doubles.0, doubles.1),
        };
        // A nested tape may be registered before the one around it.
        let number = number as usize;
        TAPES.with_borrow_mut(|tapes| {
            if tapes.len() <= number && number < MAX_TAPES {
                tapes.resize(number + 1, None);
            }
            if let Some(place) = tapes.get_mut(number) {
                *place = Some(lanes);
            }
        });
    }
    null_mut()
}

/// `registerOutput(bytes, integers, doubles)`: copy tapes for JavaScript to these lanes, if they fit.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn register_output(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        let [bytes, integers, doubles] = env.arguments::<3>(info);
        let output = (|| {
            Some(Output {
                bytes: lane(env, bytes)?,
                integers: lane(env, integers)?,
                doubles: lane(env, doubles)?,
            })
        })();
        OUTPUT.with_borrow_mut(|place| *place = output);
    }
    null_mut()
}

/// `addKeys(nodes)`: add keys to the tree of shapes: alternating the number of a node, and the key behind it. Undefined, or why that is
/// not possible.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn add_keys(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        let [nodes] = env.arguments::<1>(info);
        let count = env.array_length(nodes) / 2;
        let read = || {
            let mut keys = fallible::vec_with_capacity(count as usize)?;
            for index in 0..count {
                let parent = env
                    .number(env.element(nodes, 2 * index))
                    .ok_or(Status::Invalid)?;
                keys.push((parent as u32, env.utf16(env.element(nodes, 2 * index + 1))?));
            }
            Ok(keys)
        };
        let added = read().and_then(|keys: Vec<(u32, Vec<u16>)>| {
            python(|| {
                CACHE.with(|cache| {
                    for (parent, key) in &keys {
                        let mut key = text(key)?.into_ptr();
                        pyo3_ffi::PyUnicode_InternInPlace(&mut key);
                        let key = Bound::from_owned(key).ok_or(Status::Invalid)?;
                        cache
                            .shapes
                            .add(*parent, key)
                            .map_err(|_| Status::Invalid)?;
                    }
                    Ok(())
                })
            })
        });
        match added {
            Ok(()) => null_mut(),
            Err(failure) => env.failure(failure),
        }
    }
}

/// `clearKeys()`: forget the tree of shapes.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn clear_keys(_env: napi_env, _info: napi_callback_info) -> napi_value {
    CACHE.with(|cache| cache.shapes.clear());
    null_mut()
}

/// The characters of a tape's text.
enum OwnedText {
    Latin1(Vec<u8>),
    Utf16(Vec<u16>),
}

/// A tape of JavaScript's, with what it refers to.
pub struct Input {
    lanes: Lanes,
    /// Copies of the lanes, where the tape is for another thread.
    owned: Option<(Vec<u8>, Vec<i32>, Vec<f64>)>,
    text: OwnedText,
    objects: Vec<IntoPython>,
}

// SAFETY: the lanes that aren't owned are used on their own thread only, as `Env::tape` says.
unsafe impl Send for Input {}

impl Input {
    /// The integers of the header that say what the tape is for.
    pub fn purpose(&self) -> [i32; 3] {
        let (start, length) = self.lanes.integers;
        if length < HEADER {
            return [0; 3];
        }
        // SAFETY: the lane is as long.
        unsafe { [*start.add(3), *start.add(4), *start.add(5)] }
    }
}

impl Nested for Input {
    /// What builds the values of the tape.
    fn builder<'a>(&'a mut self, cache: &'a Cache) -> Builder<'a> {
        let (bytes, integers, doubles) = match &self.owned {
            Some((bytes, integers, doubles)) => (&bytes[..], &integers[..], &doubles[..]),
            // SAFETY: `Env::tape` has checked the lengths; JavaScript changes nothing while the tape is in use.
            None => unsafe { self.lanes.slices() },
        };
        let text = match &self.text {
            OwnedText::Latin1(text) => Characters::Latin1(text),
            OwnedText::Utf16(text) => Characters::Utf16(text),
        };
        let reader = Reader::new(bytes, integers, doubles, text, self.objects.len());
        Builder::new(reader, &mut self.objects, cache)
    }
}

impl Lanes {
    /// What is written in each lane, as the header says, which is not part of it; none if it says more than there is.
    fn lengths(&self) -> Option<[usize; 3]> {
        if self.integers.1 < HEADER {
            return None;
        }
        // SAFETY: the lane is as long.
        let header = unsafe { std::slice::from_raw_parts(self.integers.0, HEADER) };
        let length = |index: usize, most: usize| {
            usize::try_from(header[index])
                .ok()
                .filter(|&length| length <= most)
        };
        Some([
            length(0, self.bytes.1)?,
            length(1, self.integers.1)?.checked_sub(HEADER)?,
            length(2, self.doubles.1)?,
        ])
    }

    /// Return whether the tape has a text, and objects: asking JavaScript's values costs more.
    fn has_more(&self) -> [bool; 2] {
        if self.integers.1 < HEADER {
            return [false; 2];
        }
        // SAFETY: the lane is as long.
        unsafe { [*self.integers.0.add(6) != 0, *self.integers.0.add(7) != 0] }
    }

    /// What is written in each lane.
    ///
    /// # Safety
    /// The lengths are checked, and nobody changes the lanes meanwhile.
    unsafe fn slices<'a>(&self) -> (&'a [u8], &'a [i32], &'a [f64]) {
        let [bytes, integers, doubles] = self.lengths().unwrap_or_default();
        // SAFETY: as the caller vouches.
        unsafe {
            (
                std::slice::from_raw_parts(self.bytes.0, bytes),
                std::slice::from_raw_parts(self.integers.0.add(HEADER), integers),
                std::slice::from_raw_parts(self.doubles.0, doubles),
            )
        }
    }
}

impl Env {
    /// Return the tape of that number, with its text and its objects; undefined for either means that there are none.
    ///
    /// # Safety
    /// The environment and the values are live. Unless the conversion is detached, the result is used before JavaScript goes on.
    pub unsafe fn tape(
        self,
        number: napi_value,
        text: napi_value,
        objects: napi_value,
        conversion: Conversion,
    ) -> Result<Input, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            let number = self.number(number).ok_or(Status::Invalid)? as usize;
            let lanes = TAPES.with_borrow(|tapes| tapes.get(number).copied().flatten());
            let lanes = lanes.ok_or(Status::Invalid)?;
            lanes.lengths().ok_or(Status::Invalid)?;
            let [has_text, has_objects] = lanes.has_more();
            let count = if has_objects {
                self.array_length(objects)
            } else {
                0
            };
            let mut all = fallible::vec_with_capacity(count as usize)?;
            for index in 0..count {
                all.push(self.argument(self.element(objects, index), conversion)?);
            }
            let owned = match conversion {
                Conversion::Waits => None,
                Conversion::Detached => {
                    let (bytes, integers, doubles) = lanes.slices();
                    Some((
                        fallible::copied(bytes)?,
                        fallible::copied(integers)?,
                        fallible::copied(doubles)?,
                    ))
                }
            };
            Ok(Input {
                lanes,
                owned,
                text: match has_text {
                    true => self.tape_text(text)?,
                    false => OwnedText::Latin1(Vec::new()),
                },
                objects: all,
            })
        }
    }

    /// The text of a tape: Latin-1 where it is ASCII, which takes half the space.
    ///
    /// # Safety
    /// The environment and the value are live.
    unsafe fn tape_text(self, text: napi_value) -> Result<OwnedText, Failure> {
        let (mut units, mut utf8) = (0, 0);
        // SAFETY: as the caller vouches. Without a place, the calls return how long the text is; then there is space for it and a
        // NUL.
        unsafe {
            let status = napi_get_value_string_utf16(self.0, text, null_mut(), 0, &mut units);
            if status != NapiStatus::napi_ok || units == 0 {
                return Ok(OwnedText::Latin1(Vec::new()));
            }
            // V8 puts the text together first.
            fallible::probe(units * size_of::<u16>())?;
            napi_get_value_string_utf8(self.0, text, null_mut(), 0, &mut utf8);
            if units == utf8 {
                let mut latin1 = fallible::vec_with_capacity::<u8>(units + 1)?;
                let place = latin1.as_mut_ptr().cast();
                napi_get_value_string_latin1(self.0, text, place, units + 1, &mut units);
                latin1.set_len(units);
                return Ok(OwnedText::Latin1(latin1));
            }
            let mut utf16 = fallible::vec_with_capacity::<u16>(units + 1)?;
            napi_get_value_string_utf16(self.0, text, utf16.as_mut_ptr(), units + 1, &mut units);
            utf16.set_len(units);
            Ok(OwnedText::Utf16(utf16))
        }
    }

    /// Return a value that was converted as a whole: the text of a tape that is in the registered lanes, or an array with its own.
    ///
    /// # Safety
    /// The environment is live.
    pub unsafe fn converted(self, converted: Converted) -> napi_value {
        let Converted {
            tape,
            objects,
            keys,
        } = converted;
        // What another thread has converted is read later, when others may be in the registered lanes.
        let is_plain = keys.is_none()
            && !KEYS.with_borrow(KeyTree::has_untold)
            && objects.is_empty()
            && tape.first.is_none()
            && tape.long_count == 0;
        // SAFETY: as the caller vouches.
        unsafe {
            if is_plain && OUTPUT.with_borrow(|output| output.is_some_and(|it| it.copy(&tape))) {
                let text = self.latin1(&tape.text);
                keep_writer(tape);
                return text;
            }
            match self.converted_apart(tape, objects, keys) {
                Ok(value) => value,
                Err(failure) => self.failure(failure),
            }
        }
    }

    /// An array with the tape: its lanes, its text in two parts, its other strings as V8 reads them, keys that are new, and objects.
    ///
    /// # Safety
    /// The environment is live.
    unsafe fn converted_apart(
        self,
        tape: Writer,
        objects: Vec<Referred>,
        keys: Option<Vec<(u32, Vec<u16>)>>,
    ) -> Result<napi_value, Failure> {
        let strings = tape.serialized_strings().map_err(|error| match error {
            WriteError::OutOfMemory(bytes) => Failure::OutOfMemory(bytes),
            WriteError::TooLarge => Status::TooLarge.into(),
        })?;
        let (first, second) = tape.text.split_at(tape.first.unwrap_or(tape.text.len()));
        fallible::probe(tape.text.len())?;
        // SAFETY: as the caller vouches; each lane is owned by its buffer from here on.
        unsafe {
            let texts = [self.latin1(first), self.latin1(second)];
            let strings = match strings {
                Some(strings) => self.lane(strings),
                None => self.null(),
            };
            let (base, keys) = self.keys(keys)?;
            let mut referred = fallible::vec_with_capacity(objects.len())?;
            for object in objects {
                referred.push(self.referred(object)?);
            }
            let parts = [
                self.lane(tape.bytes),
                self.lane(tape.integers),
                self.lane(tape.doubles),
                texts[0],
                texts[1],
                strings,
                self.double(base),
                keys,
                self.array_of(referred.len(), referred.into_iter()),
            ];
            Ok(self.tagged(ResultTag::Converted, &parts))
        }
    }

    /// A string of Latin-1.
    ///
    /// # Safety
    /// The environment is live.
    unsafe fn latin1(self, characters: &[u8]) -> napi_value {
        let mut value = null_mut();
        let length = characters.len() as isize;
        // SAFETY: as the caller vouches; the characters are readable.
        unsafe {
            napi_create_string_latin1(self.0, characters.as_ptr().cast(), length, &mut value);
        }
        value
    }

    /// A buffer that owns a lane.
    ///
    /// # Safety
    /// The environment is live.
    unsafe fn lane<T: Send>(self, lane: Vec<T>) -> napi_value {
        let bytes = lane.len() * size_of::<T>();
        let owner = Box::new(lane);
        let data = owner.as_ptr().cast_mut().cast::<c_void>();
        let hint = Box::into_raw(owner).cast();
        // SAFETY: as the caller vouches; the memory lives until the finalizer drops the box.
        unsafe { self.external(data, bytes, drop_boxed::<Vec<T>>, hint) }
    }

    /// The number of nodes that JavaScript has before these keys, or -1 where they are a tree of their own, and an array of them.
    ///
    /// # Safety
    /// The environment is live.
    unsafe fn keys(self, own: Option<Vec<(u32, Vec<u16>)>>) -> Result<(f64, napi_value), Failure> {
        let is_own = own.is_some();
        let base = KEYS.with_borrow(KeyTree::told) as f64;
        let keys = match own {
            Some(keys) => keys,
            None if !KEYS.with_borrow(KeyTree::has_untold) => {
                // SAFETY: as the caller vouches.
                let none = unsafe { self.null() };
                return Ok((base, none));
            }
            // SAFETY: attached.
            None => python(|| KEYS.with_borrow(|keys| unsafe { keys.untold() }))?,
        };
        let mut parts = fallible::vec_with_capacity(2 * keys.len())?;
        for (parent, key) in &keys {
            let mut value = null_mut();
            // SAFETY: as the caller vouches; the units are readable.
            unsafe {
                parts.push(self.double((*parent).into()));
                napi_create_string_utf16(self.0, key.as_ptr(), key.len() as isize, &mut value);
            }
            parts.push(value);
        }
        if !is_own {
            KEYS.with_borrow_mut(KeyTree::tell);
        }
        // SAFETY: as the caller vouches.
        let keys = unsafe { self.array_of(parts.len(), parts.into_iter()) };
        Ok((if is_own { -1.0 } else { base }, keys))
    }

    /// An object on a tape: a reference, behind the identity of a block, or the path at which a function converts it.
    ///
    /// # Safety
    /// The environment is live.
    unsafe fn referred(self, referred: Referred) -> Result<napi_value, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            Ok(match referred {
                Referred::Object(object) => self.owned_reference(object),
                Referred::Block(identity, object) => {
                    let parts = [self.double(identity), self.owned_reference(object)];
                    self.tagged(ResultTag::Block, &parts)
                }
                Referred::Converted(object, path) => {
                    let parts = [self.string(&path), self.owned_reference(object)];
                    self.array_of(2, parts.into_iter())
                }
            })
        }
    }
}

impl Output {
    /// Copy the lanes of a tape, if they fit. Return whether they do.
    fn copy(&self, tape: &Writer) -> bool {
        let fits = tape.bytes.len() <= self.bytes.1
            && tape.integers.len() <= self.integers.1
            && tape.doubles.len() <= self.doubles.1;
        if fits {
            // SAFETY: JavaScript keeps the registered lanes, which are as long, and reads them after this.
            unsafe {
                let (bytes, integers, doubles) = (&tape.bytes, &tape.integers, &tape.doubles);
                self.bytes
                    .0
                    .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                self.integers
                    .0
                    .copy_from_nonoverlapping(integers.as_ptr(), integers.len());
                self.doubles
                    .0
                    .copy_from_nonoverlapping(doubles.as_ptr(), doubles.len());
            }
        }
        fits
    }
}

/// Keep a tape's memory for the next one.
fn keep_writer(mut tape: Writer) {
    tape.clear(MAX_KEPT_LANE_BYTES);
    WRITER.with_borrow_mut(|place| *place = Some(tape));
}

/// Convert an object as a whole, for this thread's JavaScript.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn convert(object: &Bound, options: Options) -> Result<FromPython, Failure> {
    let tape = WRITER.with_borrow_mut(Option::take).unwrap_or_default();
    KEYS.with(|keys| {
        // SAFETY: as the caller vouches.
        let converted = unsafe { Walker::new(tape, keys, options).walk(object) }?;
        Ok(FromPython::Converted(Box::new(converted)))
    })
}

/// Convert an object as a whole, on another thread than JavaScript's.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn convert_detached(object: &Bound, options: Options) -> Result<FromPython, Failure> {
    let keys = RefCell::default();
    // SAFETY: as the caller vouches.
    let converted = unsafe {
        let converted = Walker::new(Writer::default(), &keys, options).walk(object)?;
        Converted {
            keys: Some(keys.borrow().untold()?),
            ..converted
        }
    };
    Ok(FromPython::Converted(Box::new(converted)))
}

/// `toJs(reference, options)`: convert an object as a whole.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn to_js(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles; the object is used attached.
    unsafe {
        let [reference, options] = env.arguments::<2>(info);
        let options = Options::from_number(env.number(options).unwrap_or(0.0) as u32);
        let result = match env.handle(reference) {
            Some(object) => python(|| {
                let object = Bound::from_borrowed(object.as_ptr()).ok_or(Status::Invalid)?;
                convert(&object, options)
            }),
            None => Err(Status::Freed.into()),
        };
        match result {
            Ok(FromPython::Converted(converted)) => env.converted(*converted),
            other => env.result(other),
        }
    }
}
