//! Writing a tape that JavaScript reads. It needs no Python.

use super::Tag;
use crate::limits::{MAX_FIRST_TEXT_BYTES, MAX_JOINED_CHARACTERS, MAX_TAPE_BYTES};

/// Why a tape couldn't be written on.
pub enum WriteError {
    /// So many bytes could not be allocated.
    OutOfMemory(usize),
    /// It has more than a tape may.
    TooLarge,
}

/// A tape that is being written.
///
/// Short strings of Latin-1 are joined in one text, of which JavaScript takes parts: V8 copies those of fewer than 13 characters.
/// Longer ones would keep the whole text alive, so they cross as an array of strings in V8's own format of serialisation, which makes
/// flat ones. The text's first part is small, so longer strings may be parts of it.
#[derive(Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
    pub integers: Vec<i32>,
    pub doubles: Vec<f64>,
    /// Latin-1.
    pub text: Vec<u8>,
    /// The length of the text's first part, if there is a second one.
    pub first: Option<usize>,
    /// Strings in V8's format, without what goes before and after them.
    pub long: Vec<u8>,
    /// How many those are.
    pub long_count: usize,
}

/// A place on a tape to which it can be cut back.
#[derive(Clone, Copy)]
pub struct Mark {
    bytes: usize,
    integers: usize,
    doubles: usize,
    text: usize,
    first: Option<usize>,
    long: usize,
    long_count: usize,
}

/// Add an element, where there may be no memory for it.
#[inline]
fn push<T>(lane: &mut Vec<T>, element: T) -> Result<(), WriteError> {
    if lane.len() == lane.capacity() {
        grow(lane, 1)?;
    }
    lane.push(element);
    Ok(())
}

/// Make space for more.
#[cold]
fn grow<T>(lane: &mut Vec<T>, additional: usize) -> Result<(), WriteError> {
    if lane
        .len()
        .saturating_add(additional)
        .saturating_mul(size_of::<T>())
        > MAX_TAPE_BYTES
    {
        return Err(WriteError::TooLarge);
    }
    lane.try_reserve(additional).map_err(|_| {
        let bytes = (lane.len() + additional).saturating_mul(size_of::<T>());
        WriteError::OutOfMemory(bytes)
    })
}

/// Make space for so many elements.
#[inline]
fn reserve<T>(lane: &mut Vec<T>, additional: usize) -> Result<(), WriteError> {
    if lane.capacity() - lane.len() < additional {
        grow(lane, additional)?;
    }
    Ok(())
}

impl Writer {
    /// Write a tag.
    #[inline]
    pub fn tag(&mut self, tag: Tag) -> Result<(), WriteError> {
        push(&mut self.bytes, tag as u8)
    }

    /// Write a tag and an integer.
    #[inline]
    pub fn tag_with_integer(&mut self, tag: Tag, integer: i32) -> Result<(), WriteError> {
        self.tag(tag)?;
        push(&mut self.integers, integer)
    }

    /// Write a tag and a count or length.
    #[inline]
    pub fn tag_with_count(&mut self, tag: Tag, count: usize) -> Result<(), WriteError> {
        let count = i32::try_from(count).map_err(|_| WriteError::TooLarge)?;
        self.tag_with_integer(tag, count)
    }

    /// Write a tag and a double.
    #[inline]
    pub fn tag_with_double(&mut self, tag: Tag, double: f64) -> Result<(), WriteError> {
        self.tag(tag)?;
        push(&mut self.doubles, double)
    }

    /// Write the tag of a container whose count or shape is filled in later. Return where.
    #[inline]
    pub fn open(&mut self, tag: Tag) -> Result<(usize, usize), WriteError> {
        let at = (self.bytes.len(), self.integers.len());
        self.tag_with_integer(tag, 0)?;
        Ok(at)
    }

    /// Fill in what [`open`](Self::open) left out.
    #[inline]
    pub fn close(&mut self, (byte, integer): (usize, usize), tag: Tag, value: i32) {
        self.bytes[byte] = tag as u8;
        self.integers[integer] = value;
    }

    /// Make space for so many doubles, and return the lane. What is pushed there has a place.
    pub fn reserve_doubles(&mut self, count: usize) -> Result<&mut Vec<f64>, WriteError> {
        reserve(&mut self.doubles, count)?;
        Ok(&mut self.doubles)
    }

    /// Make space for so many integers, and return the lane.
    pub fn reserve_integers(&mut self, count: usize) -> Result<&mut Vec<i32>, WriteError> {
        reserve(&mut self.integers, count)?;
        Ok(&mut self.integers)
    }

    /// Write a string of Latin-1.
    #[inline]
    pub fn latin1(&mut self, characters: &[u8]) -> Result<(), WriteError> {
        let length = characters.len();
        let is_in_first = self.first.is_none() && length < MAX_FIRST_TEXT_BYTES / 4;
        if length > MAX_JOINED_CHARACTERS && !is_in_first {
            return self.long(b'"', characters);
        }
        if self.first.is_none() && self.text.len() + length > MAX_FIRST_TEXT_BYTES {
            self.first = Some(self.text.len());
            if length > MAX_JOINED_CHARACTERS {
                return self.long(b'"', characters);
            }
        }
        if length < usize::from(Tag::INLINE) {
            push(&mut self.bytes, Tag::INLINE | length as u8)?;
        } else {
            self.tag_with_count(Tag::Text, length)?;
        }
        reserve(&mut self.text, length)?;
        self.text.extend_from_slice(characters);
        Ok(())
    }

    /// Write a string of UTF-16.
    pub fn utf16(&mut self, units: &[u16]) -> Result<(), WriteError> {
        // Two-byte strings start at an even place.
        let bytes = size_of_val(units);
        let header = 1 + varint_bytes(bytes);
        if !(self.long.len() + header).is_multiple_of(2) {
            push(&mut self.long, 0)?;
        }
        // SAFETY: any unit is two bytes, and the slice is as long.
        let contents = unsafe { std::slice::from_raw_parts(units.as_ptr().cast::<u8>(), bytes) };
        self.long(b'c', contents)
    }

    /// Write a string that crosses apart from the text.
    fn long(&mut self, kind: u8, contents: &[u8]) -> Result<(), WriteError> {
        self.tag(Tag::Long)?;
        reserve(
            &mut self.long,
            1 + varint_bytes(contents.len()) + contents.len(),
        )?;
        self.long.push(kind);
        push_varint(&mut self.long, contents.len());
        self.long.extend_from_slice(contents);
        self.long_count += 1;
        Ok(())
    }

    /// Write bytes behind a tag and their length.
    pub fn contents(&mut self, tag: Tag, contents: &[u8]) -> Result<(), WriteError> {
        self.tag_with_count(tag, contents.len())?;
        reserve(&mut self.bytes, contents.len())?;
        self.bytes.extend_from_slice(contents);
        Ok(())
    }

    /// Write the elements of an array, aligned as all types of elements need it.
    pub fn array(&mut self, element: i32, contents: &[u8]) -> Result<(), WriteError> {
        self.tag_with_integer(Tag::Array, element)?;
        let count = i32::try_from(contents.len()).map_err(|_| WriteError::TooLarge)?;
        push(&mut self.integers, count)?;
        let start = self.bytes.len().next_multiple_of(8);
        let additional = start - self.bytes.len() + contents.len();
        reserve(&mut self.bytes, additional)?;
        self.bytes.resize(start, 0);
        self.bytes.extend_from_slice(contents);
        Ok(())
    }

    /// The place up to which the tape is written.
    pub fn mark(&self) -> Mark {
        Mark {
            bytes: self.bytes.len(),
            integers: self.integers.len(),
            doubles: self.doubles.len(),
            text: self.text.len(),
            first: self.first,
            long: self.long.len(),
            long_count: self.long_count,
        }
    }

    /// Cut the tape back to a place.
    pub fn cut(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        self.integers.truncate(mark.integers);
        self.doubles.truncate(mark.doubles);
        self.text.truncate(mark.text);
        self.first = mark.first;
        self.long.truncate(mark.long);
        self.long_count = mark.long_count;
    }

    /// Empty the tape. Its memory is kept for the next one, up to a bound.
    pub fn clear(&mut self, kept: usize) {
        fn clear_lane<T>(lane: &mut Vec<T>, kept: usize) {
            lane.clear();
            if lane.capacity() * size_of::<T>() > kept {
                *lane = Vec::new();
            }
        }
        clear_lane(&mut self.bytes, kept);
        clear_lane(&mut self.integers, kept);
        clear_lane(&mut self.doubles, kept);
        clear_lane(&mut self.text, kept);
        clear_lane(&mut self.long, kept);
        self.first = None;
        self.long_count = 0;
    }

    /// The long strings as V8 reads an array of strings; none if there are none.
    pub fn serialized_strings(&self) -> Result<Option<Vec<u8>>, WriteError> {
        if self.long_count == 0 {
            return Ok(None);
        }
        const VERSION: [u8; 2] = [0xff, 15];
        let count_bytes = varint_bytes(self.long_count);
        // The header is as long as keeps what follows at even places: V8 skips a zero.
        let is_padded = !(VERSION.len() + 1 + count_bytes).is_multiple_of(2);
        let mut wire = Vec::new();
        let length = self.long.len() + 2 * count_bytes + 8;
        wire.try_reserve_exact(length)
            .map_err(|_| WriteError::OutOfMemory(length))?;
        wire.extend_from_slice(&VERSION);
        if is_padded {
            wire.push(0);
        }
        wire.push(b'A');
        push_varint(&mut wire, self.long_count);
        wire.extend_from_slice(&self.long);
        wire.push(b'$');
        push_varint(&mut wire, 0);
        push_varint(&mut wire, self.long_count);
        Ok(Some(wire))
    }
}

/// The bytes of a number in V8's format.
fn varint_bytes(number: usize) -> usize {
    let bits = (usize::BITS - number.leading_zeros()).max(1);
    bits.div_ceil(7) as usize
}

/// Write a number in V8's format. There is space for it.
fn push_varint(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}
