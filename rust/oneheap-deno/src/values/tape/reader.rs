//! Reading a tape that JavaScript wrote. It needs no Python, and trusts no number.

use super::{MadeClass, TAGS, Tag};

/// The characters of the text.
#[derive(Clone, Copy, Debug)]
pub enum Characters<'a> {
    Latin1(&'a [u8]),
    Utf16(&'a [u16]),
}

impl<'a> Characters<'a> {
    /// Take so many from the beginning; none if there are fewer.
    fn take(&mut self, length: usize) -> Option<Self> {
        match self {
            Self::Latin1(rest) => {
                let (taken, left) = rest.split_at_checked(length)?;
                *rest = left;
                Some(Self::Latin1(taken))
            }
            Self::Utf16(rest) => {
                let (taken, left) = rest.split_at_checked(length)?;
                *rest = left;
                Some(Self::Utf16(taken))
            }
        }
    }
}

/// What comes next on a tape.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    None,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Float(f64),
    /// A string of at most 127 characters of Latin-1.
    Short(&'a [u8]),
    Text(Characters<'a>),
    /// A list or tuple of so many.
    List(usize),
    Tuple(usize),
    Numbers(&'a [f64]),
    Integers(&'a [i32]),
    Shaped(u32),
    Open(u32),
    End,
    Big,
    Bytes(&'a [u8]),
    Map(usize),
    Set(usize),
    Object(usize),
    Made(MadeClass),
}

/// The tape is none that an encoder writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A tape, from where reading goes on.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    integers: &'a [i32],
    doubles: &'a [f64],
    text: Characters<'a>,
    objects: usize,
}

impl<'a> Reader<'a> {
    /// Read from the beginning of these lanes. `objects` is how many objects the tape may refer to.
    pub fn new(
        bytes: &'a [u8],
        integers: &'a [i32],
        doubles: &'a [f64],
        text: Characters<'a>,
        objects: usize,
    ) -> Self {
        Self {
            bytes,
            integers,
            doubles,
            text,
            objects,
        }
    }

    /// Take what comes next. Of a container, its elements come next. Always inlined: what it returns is taken apart at once.
    #[inline(always)]
    pub fn next(&mut self) -> Result<Event<'a>, Malformed> {
        let (&tag, rest) = self.bytes.split_first().ok_or(Malformed)?;
        self.bytes = rest;
        if tag >= Tag::INLINE {
            return self
                .take_bytes(usize::from(tag - Tag::INLINE))
                .map(Event::Short);
        }
        let tag = *TAGS.get(usize::from(tag)).ok_or(Malformed)?;
        Ok(match tag {
            Tag::None => Event::None,
            Tag::False => Event::Bool(false),
            Tag::True => Event::Bool(true),
            Tag::Integer => Event::Integer(self.integer()?.into()),
            Tag::Number => Event::Number(self.double()?),
            Tag::Float => Event::Float(self.double()?),
            Tag::Int64 => Event::Integer(self.double()?.to_bits() as i64),
            Tag::Text => {
                let length = self.length()?;
                Event::Text(self.text.take(length).ok_or(Malformed)?)
            }
            Tag::List => Event::List(self.count()?),
            Tag::Tuple => Event::Tuple(self.count()?),
            Tag::Map => Event::Map(self.count()?),
            Tag::Set => Event::Set(self.count()?),
            Tag::Numbers => {
                let length = self.length()?;
                let (taken, rest) = self.doubles.split_at_checked(length).ok_or(Malformed)?;
                self.doubles = rest;
                Event::Numbers(taken)
            }
            Tag::Integers => {
                let length = self.length()?;
                let (taken, rest) = self.integers.split_at_checked(length).ok_or(Malformed)?;
                self.integers = rest;
                Event::Integers(taken)
            }
            Tag::Shaped => Event::Shaped(self.integer()? as u32),
            Tag::Open => Event::Open(self.integer()? as u32),
            Tag::End => Event::End,
            Tag::Big => Event::Big,
            Tag::Bytes => {
                let length = self.length()?;
                Event::Bytes(self.take_bytes(length)?)
            }
            Tag::Object => {
                let index = self.length()?;
                if index >= self.objects {
                    return Err(Malformed);
                }
                Event::Object(index)
            }
            Tag::Made => Event::Made(MadeClass::from_number(self.integer()?).ok_or(Malformed)?),
            // JavaScript writes neither.
            Tag::Array | Tag::Long => return Err(Malformed),
        })
    }

    #[inline]
    fn take_bytes(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(Malformed)?;
        self.bytes = rest;
        Ok(taken)
    }

    #[inline]
    fn integer(&mut self) -> Result<i32, Malformed> {
        let (&integer, rest) = self.integers.split_first().ok_or(Malformed)?;
        self.integers = rest;
        Ok(integer)
    }

    #[inline]
    fn double(&mut self) -> Result<f64, Malformed> {
        let (&double, rest) = self.doubles.split_first().ok_or(Malformed)?;
        self.doubles = rest;
        Ok(double)
    }

    #[inline]
    fn length(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.integer()?).map_err(|_| Malformed)
    }

    /// The number of values that follow. Each takes a byte at least.
    #[inline]
    fn count(&mut self) -> Result<usize, Malformed> {
        let count = self.length()?;
        if count > self.bytes.len() {
            return Err(Malformed);
        }
        Ok(count)
    }
}
