//! What the threads own: each kind of Rust allocation, with contents that are known.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::collections::HashMap;

use fastrand::Rng;
use oneheap::{AttachState, PyMemAllocator};
use pyo3_ffi::{PyMem_Free, PyMem_Malloc};

/// A value, and the seed that its contents follow from.
pub struct Value {
    seed: u64,
    contents: Contents,
}

enum Contents {
    Vector(Vec<u64>),
    Boxed(Box<[u32]>),
    Text(String),
    Table(HashMap<u64, Box<u64>>),
    /// A page, aligned to its size.
    Page(Box<Page>),
    /// An allocation of any layout.
    Raw(Raw),
    /// A block that Python returned directly, as a library in C would hold it.
    Python(PythonBlock),
}

#[repr(align(4096))]
struct Page([u8; 4096]);

/// 1 to `2^bits`, each order of magnitude as likely as the next.
fn size(random: &mut Rng, bits: u32) -> usize {
    let bits = random.u32(0..=bits);
    random.usize(1..=1 << bits)
}

/// The number at `index` of what follows from a seed.
fn number(seed: u64, index: usize) -> u64 {
    (seed ^ index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Value {
    /// A random value.
    pub fn new(random: &mut Rng) -> Self {
        let seed = random.u64(..);
        let contents = match random.u32(0..100) {
            0..30 => Contents::Vector(
                (0..size(random, 10))
                    .map(|index| number(seed, index))
                    .collect(),
            ),
            30..45 => Contents::Boxed(
                (0..size(random, 10))
                    .map(|index| number(seed, index) as u32)
                    .collect(),
            ),
            45..60 => Contents::Text(text(seed, size(random, 12))),
            60..70 => Contents::Table(
                (0..size(random, 6))
                    .map(|index| entry(seed, index))
                    .collect(),
            ),
            70..72 => Contents::Page(Box::new(Page([seed as u8; 4096]))),
            72..92 => Contents::Raw(Raw::new(random, seed)),
            _ => match PythonBlock::new(random, seed) {
                Some(block) => Contents::Python(block),
                None => Contents::Raw(Raw::new(random, seed)),
            },
        };
        Self { seed, contents }
    }

    /// Make the value longer or shorter, where it can be.
    pub fn resize(&mut self, random: &mut Rng) {
        let seed = self.seed;
        match &mut self.contents {
            Contents::Vector(vector) => {
                let length = size(random, 11);
                vector.truncate(length);
                vector.extend((vector.len()..length).map(|index| number(seed, index)));
                if random.bool() {
                    vector.shrink_to_fit();
                }
            }
            Contents::Text(text) => *text = self::text(seed, size(random, 12)),
            Contents::Table(table) => {
                table.extend((table.len()..size(random, 7)).map(|index| entry(seed, index)));
            }
            Contents::Raw(raw) => raw.resize(random, seed),
            Contents::Boxed(_) | Contents::Page(_) | Contents::Python(_) => {}
        }
    }

    /// Panics if the contents are not what they were.
    pub fn check(&self) {
        let seed = self.seed;
        let is_right = match &self.contents {
            Contents::Vector(vector) => vector
                .iter()
                .enumerate()
                .all(|(index, &found)| found == number(seed, index)),
            Contents::Boxed(boxed) => boxed
                .iter()
                .enumerate()
                .all(|(index, &found)| found == number(seed, index) as u32),
            Contents::Text(text) => *text == self::text(seed, text.len()),
            Contents::Table(table) => (0..table.len()).all(|index| {
                let (key, value) = entry(seed, index);
                table.get(&key) == Some(&value)
            }),
            Contents::Page(page) => page.0.iter().all(|&byte| byte == seed as u8),
            Contents::Raw(raw) => raw.bytes().iter().all(|&byte| byte == seed as u8),
            Contents::Python(block) => block.bytes().iter().all(|&byte| byte == seed as u8),
        };
        assert!(is_right, "the contents of a value changed");
    }
}

fn text(seed: u64, length: usize) -> String {
    let letters = (0..length).map(|index| char::from(b'a' + (number(seed, index) % 26) as u8));
    letters.collect()
}

fn entry(seed: u64, index: usize) -> (u64, Box<u64>) {
    (number(seed, index), Box::new(number(seed, index + 1)))
}

struct Raw {
    pointer: *mut u8,
    layout: Layout,
}

// SAFETY: the block belongs to whoever owns this.
unsafe impl Send for Raw {}

impl Raw {
    fn new(random: &mut Rng, seed: u64) -> Self {
        let align = 1 << random.u32(0..=12);
        // Up to 1 MiB, but rarely: filling and checking take the time.
        let bits = if random.u32(0..200) == 0 { 20 } else { 13 };
        let layout = Layout::from_size_align(size(random, bits), align).expect("a small size");
        let is_zeroed = random.bool();
        // SAFETY: the size is not zero.
        let pointer = unsafe {
            if is_zeroed {
                alloc_zeroed(layout)
            } else {
                alloc(layout)
            }
        };
        assert!(!pointer.is_null(), "out of memory");
        let raw = Self { pointer, layout };
        if is_zeroed {
            assert!(
                raw.bytes().iter().all(|&byte| byte == 0),
                "alloc_zeroed returned other bytes than zero"
            );
        }
        raw.fill(seed);
        raw
    }

    fn resize(&mut self, random: &mut Rng, seed: u64) {
        let size = size(random, 14);
        // SAFETY: the block is live, the size not zero and small.
        let moved = unsafe { realloc(self.pointer, self.layout, size) };
        assert!(!moved.is_null(), "out of memory");
        let kept = self.layout.size().min(size);
        self.pointer = moved;
        self.layout = Layout::from_size_align(size, self.layout.align()).expect("a small size");
        // SAFETY: the block is live and that long, and its first bytes were written before.
        let kept = unsafe { std::slice::from_raw_parts(moved, kept) };
        assert!(
            kept.iter().all(|&byte| byte == seed as u8),
            "realloc lost bytes"
        );
        self.fill(seed);
    }

    fn fill(&self, seed: u64) {
        assert_eq!(
            self.pointer.addr() % self.layout.align(),
            0,
            "a block is not aligned as its layout asks"
        );
        // SAFETY: the block is live and that long.
        unsafe { self.pointer.write_bytes(seed as u8, self.layout.size()) };
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the block is live, that long, and was filled.
        unsafe { std::slice::from_raw_parts(self.pointer, self.layout.size()) }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: the block is live, and this is its owner.
        unsafe { dealloc(self.pointer, self.layout) };
    }
}

struct PythonBlock {
    pointer: *mut u8,
    length: usize,
}

// SAFETY: the block belongs to whoever owns this.
unsafe impl Send for PythonBlock {}

impl PythonBlock {
    /// A block, if the thread may ask Python for one.
    fn new(random: &mut Rng, seed: u64) -> Option<Self> {
        if PyMemAllocator::attach_state() != AttachState::Attached {
            return None;
        }
        let length = size(random, 12).max(16);
        // SAFETY: attached.
        let pointer: *mut u8 = unsafe { PyMem_Malloc(length) }.cast();
        assert!(!pointer.is_null(), "out of memory");
        // SAFETY: the block is that long.
        unsafe { pointer.write_bytes(seed as u8, length) };
        Some(Self { pointer, length })
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the block is live, that long, and was filled.
        unsafe { std::slice::from_raw_parts(self.pointer, self.length) }
    }
}

impl Drop for PythonBlock {
    fn drop(&mut self) {
        match PyMemAllocator::attach_state() {
            // SAFETY: attached; a live block of Python's, whose owner this is.
            AttachState::Attached => unsafe { PyMem_Free(self.pointer.cast()) },
            // SAFETY: a live block of Python's of 16 bytes and more, whose owner this is.
            _ => unsafe { PyMemAllocator::defer(self.pointer, self.length) },
        }
    }
}
