//! The element types of typed arrays, and what Python calls them.

use std::ffi::CStr;

/// The element type of a block. `ffi/elements.ts` has the same numbers: the order of the constructors there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Element {
    Int8,
    Uint8,
    Uint8Clamped,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Float16,
    Float32,
    Float64,
    BigInt64,
    BigUint64,
}

/// All of them, by number.
const ELEMENTS: [Element; 12] = [
    Element::Int8,
    Element::Uint8,
    Element::Uint8Clamped,
    Element::Int16,
    Element::Uint16,
    Element::Int32,
    Element::Uint32,
    Element::Float16,
    Element::Float32,
    Element::Float64,
    Element::BigInt64,
    Element::BigUint64,
];

impl Element {
    /// The element type of that number.
    pub fn from_number(number: u8) -> Option<Self> {
        ELEMENTS.get(usize::from(number)).copied()
    }

    /// The size of an element.
    pub fn bytes(self) -> usize {
        match self {
            Self::Int8 | Self::Uint8 | Self::Uint8Clamped => 1,
            Self::Int16 | Self::Uint16 | Self::Float16 => 2,
            Self::Int32 | Self::Uint32 | Self::Float32 => 4,
            Self::Float64 | Self::BigInt64 | Self::BigUint64 => 8,
        }
    }

    /// The format of Python's `struct` for it. `q` has 8 bytes on every system, where `l` hasn't.
    pub fn format(self) -> &'static CStr {
        match self {
            Self::Int8 => c"b",
            Self::Uint8 | Self::Uint8Clamped => c"B",
            Self::Int16 => c"h",
            Self::Uint16 => c"H",
            Self::Int32 => c"i",
            Self::Uint32 => c"I",
            Self::Float16 => c"e",
            Self::Float32 => c"f",
            Self::Float64 => c"d",
            Self::BigInt64 => c"q",
            Self::BigUint64 => c"Q",
        }
    }

    /// NumPy's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Uint8 | Self::Uint8Clamped => "uint8",
            Self::Int16 => "int16",
            Self::Uint16 => "uint16",
            Self::Int32 => "int32",
            Self::Uint32 => "uint32",
            Self::Float16 => "float16",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::BigInt64 => "int64",
            Self::BigUint64 => "uint64",
        }
    }

    /// The element type that shows a format of Python's `struct`, whose items have `bytes` bytes; none for what no typed
    /// array can show: other byte orders, structures, complex numbers.
    pub fn of_format(format: &[u8], bytes: usize) -> Option<Self> {
        let letter = match *format {
            [letter] | [b'@' | b'=', letter] => letter,
            [b'<', letter] if cfg!(target_endian = "little") || bytes == 1 => letter,
            [b'>' | b'!', letter] if cfg!(target_endian = "big") || bytes == 1 => letter,
            _ => return None,
        };
        Some(match (letter, bytes) {
            (b'b', 1) => Self::Int8,
            (b'B' | b'c' | b'?', 1) => Self::Uint8,
            (b'h', 2) => Self::Int16,
            (b'H', 2) => Self::Uint16,
            (b'i' | b'l' | b'n', 4) => Self::Int32,
            (b'I' | b'L' | b'N', 4) => Self::Uint32,
            (b'e', 2) => Self::Float16,
            (b'f', 4) => Self::Float32,
            (b'd', 8) => Self::Float64,
            (b'l' | b'q' | b'n', 8) => Self::BigInt64,
            (b'L' | b'Q' | b'N', 8) => Self::BigUint64,
            _ => return None,
        })
    }

    /// Return whether a typed array of this type may be asked for where the format says `found`.
    pub fn shows(self, found: Self) -> bool {
        self == found || (self == Self::Uint8Clamped && found == Self::Uint8)
    }
}
