//! The tape: a binary record of nested values in one crossing.
//!
//! A tape has three lanes (tags and short strings as bytes, counts and small integers, doubles), the text of its longer
//! strings, and the objects that it refers to. Neither side needs the other's thread to write or to read one. What reads a
//! tape checks every bound, count and number: no encoder is trusted. `ffi/values/tape.ts` has the same tags.

pub mod reader;
pub mod words;
pub mod writer;

/// What a value begins with, in the lane of bytes. [`Tag::INLINE`] and above: a string of Latin-1, whose length is the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Tag {
    None = 0,
    False = 1,
    True = 2,
    /// In the lane of integers.
    Integer = 3,
    /// In the lane of doubles: to Python an `int` if it is a safe integer, but not -0.
    Number = 4,
    /// Its length in the lane of integers; its characters in the text.
    Text = 5,
    /// Its length in the lane of integers; its elements follow.
    List = 6,
    /// The number of its keys' shape in the lane of integers; its values follow, in the order of the keys.
    Shaped = 7,
    /// As before, and after these values further keys, as strings, each with its value, up to [`Tag::End`].
    Open = 8,
    End = 9,
    /// 64 bits in the lane of doubles.
    Int64 = 10,
    /// The hexadecimal digits, with a sign, follow as a string.
    Big = 11,
    /// The length in the lane of integers; the bytes follow in their lane.
    Bytes = 12,
    /// The number of its entries in the lane of integers; keys and values follow.
    Map = 13,
    /// The number of its members in the lane of integers; they follow.
    Set = 14,
    /// As a list.
    Tuple = 15,
    /// The index of an object in the lane of integers.
    Object = 16,
    /// A list of so many doubles, in their lane.
    Numbers = 17,
    /// A list of so many small integers, in their lane, after their count.
    Integers = 18,
    /// A double in its lane, whole or not: a `float` to Python.
    Float = 19,
    /// A value of a class that is made of another value: the class in the lane of integers; the value follows.
    Made = 20,
    /// The element type and the length in bytes in the lane of integers; padding to 8 bytes, and the elements, in the lane of
    /// bytes.
    Array = 21,
    /// A string among those that cross apart from the text, in order.
    Long = 22,
}

impl Tag {
    /// From here on a tag is a string.
    pub const INLINE: u8 = 0x80;
}

/// All tags, by number.
pub const TAGS: [Tag; 23] = [
    Tag::None,
    Tag::False,
    Tag::True,
    Tag::Integer,
    Tag::Number,
    Tag::Text,
    Tag::List,
    Tag::Shaped,
    Tag::Open,
    Tag::End,
    Tag::Int64,
    Tag::Big,
    Tag::Bytes,
    Tag::Map,
    Tag::Set,
    Tag::Tuple,
    Tag::Object,
    Tag::Numbers,
    Tag::Integers,
    Tag::Float,
    Tag::Made,
    Tag::Array,
    Tag::Long,
];

/// The classes of [`Tag::Made`]. `ffi/values/tape.ts` has the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum MadeClass {
    /// Milliseconds since 1970, a number: an aware `datetime`, or a `Date`.
    Date = 0,
    /// The rest are strings: in ISO 8601 for those of time, a path for the last.
    Instant = 1,
    ZonedDateTime = 2,
    PlainDateTime = 3,
    PlainDate = 4,
    PlainTime = 5,
    Duration = 6,
    Path = 7,
    /// A tuple of three.
    Slice = 8,
}

impl MadeClass {
    /// The class of that number.
    pub fn from_number(number: i32) -> Option<Self> {
        const ALL: [MadeClass; 9] = [
            MadeClass::Date,
            MadeClass::Instant,
            MadeClass::ZonedDateTime,
            MadeClass::PlainDateTime,
            MadeClass::PlainDate,
            MadeClass::PlainTime,
            MadeClass::Duration,
            MadeClass::Path,
            MadeClass::Slice,
        ];
        ALL.get(usize::try_from(number).ok()?).copied()
    }
}
