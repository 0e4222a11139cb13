//! The tape, which needs no Python: what is written is read again, and bytes that no encoder wrote are refused, never read out of
//! bounds. Run under Miri too: `cargo +nightly miri test -p oneheap-deno --test tape`.

#[path = "../src/limits.rs"]
#[allow(dead_code)]
mod limits;
#[path = "../src/values/tape/mod.rs"]
#[allow(dead_code, missing_docs)]
mod tape;

use tape::reader::{Characters, Event, Malformed, Reader};
use tape::words::words;
use tape::writer::Writer;
use tape::{MadeClass, TAGS, Tag};

/// Numbers from a seed: xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Read a tape to its end or to where it is malformed. Return how many values were read. Each takes a byte, so this ends.
fn read_all(mut reader: Reader) -> usize {
    let mut count = 0;
    let mut touched = 0u64;
    while let Ok(event) = reader.next() {
        count += 1;
        // Everything that is returned is looked at.
        touched ^= match event {
            Event::Short(bytes) | Event::Bytes(bytes) => {
                bytes.iter().map(|&it| u64::from(it)).sum()
            }
            Event::Text(Characters::Latin1(bytes)) => bytes.iter().map(|&it| u64::from(it)).sum(),
            Event::Text(Characters::Utf16(units)) => units.iter().map(|&it| u64::from(it)).sum(),
            Event::Numbers(numbers) => numbers.iter().map(|it| it.to_bits()).fold(0, |a, b| a ^ b),
            Event::Integers(integers) => integers.iter().map(|&it| it as u64).fold(0, |a, b| a ^ b),
            Event::List(count) | Event::Tuple(count) | Event::Map(count) | Event::Set(count) => {
                count as u64
            }
            Event::Number(number) | Event::Float(number) => number.to_bits(),
            Event::Integer(integer) => integer as u64,
            _ => 0,
        };
    }
    std::hint::black_box(touched);
    count
}

/// The seeds of a test: fewer where each step is interpreted.
const SEEDS: u64 = if cfg!(miri) { 200 } else { 200_000 };

#[test]
fn bytes_that_no_encoder_wrote_are_refused_or_read_within_bounds() {
    for seed in 1..=SEEDS {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let bytes: Vec<u8> = (0..random.below(40))
            .map(|_| match random.below(3) {
                0 => random.next() as u8,
                _ => random.below(TAGS.len() + 2) as u8,
            })
            .collect();
        let integers: Vec<i32> = (0..random.below(12))
            .map(|_| match random.below(4) {
                0 => random.next() as i32,
                1 => -(random.below(3) as i32),
                _ => random.below(6) as i32,
            })
            .collect();
        let doubles: Vec<f64> = (0..random.below(8))
            .map(|_| f64::from_bits(random.next()))
            .collect();
        let latin1: Vec<u8> = (0..random.below(20)).map(|_| random.next() as u8).collect();
        let utf16: Vec<u16> = (0..random.below(20))
            .map(|_| random.next() as u16)
            .collect();
        let text = match random.below(2) {
            0 => Characters::Latin1(&latin1),
            _ => Characters::Utf16(&utf16),
        };
        let count = read_all(Reader::new(
            &bytes,
            &integers,
            &doubles,
            text,
            random.below(3),
        ));
        assert!(count <= bytes.len());
    }
}

#[test]
fn a_count_that_the_lane_does_not_have_is_refused() {
    for tag in [
        Tag::List,
        Tag::Tuple,
        Tag::Map,
        Tag::Set,
        Tag::Text,
        Tag::Bytes,
        Tag::Numbers,
        Tag::Integers,
    ] {
        for count in [1, 1_000, i32::MAX, -1, i32::MIN] {
            let bytes = [tag as u8];
            let integers = [count];
            let mut reader = Reader::new(&bytes, &integers, &[], Characters::Latin1(&[]), 0);
            assert_eq!(reader.next().err(), Some(Malformed), "{tag:?} of {count}");
        }
    }
}

#[test]
fn an_object_that_is_not_there_is_refused() {
    for index in [0, 1, -1, i32::MAX] {
        let bytes = [Tag::Object as u8];
        let integers = [index];
        let mut reader = Reader::new(&bytes, &integers, &[], Characters::Latin1(&[]), 0);
        assert_eq!(reader.next().err(), Some(Malformed));
    }
}

#[test]
fn tags_and_classes_are_found_by_their_numbers() {
    for (number, tag) in TAGS.iter().enumerate() {
        assert_eq!(*tag as usize, number);
    }
    for number in 0..=8 {
        assert_eq!(
            MadeClass::from_number(number).map(|it| it as i32),
            Some(number)
        );
    }
    assert!(MadeClass::from_number(9).is_none() && MadeClass::from_number(-1).is_none());
}

#[test]
fn words_have_the_characters_in_order_and_zeroes() {
    let characters = *b"0123456789abcdef";
    for length in 0..=16 {
        let mut expected = [0; 16];
        expected[..length].copy_from_slice(&characters[..length]);
        let [low, high] = words(&characters[..length]);
        let mut found = [0; 16];
        found[..8].copy_from_slice(&low.to_le_bytes());
        found[8..].copy_from_slice(&high.to_le_bytes());
        assert_eq!(found, expected, "{length} characters");
    }
}

#[test]
fn a_tape_that_is_cut_back_is_as_it_was() {
    let mut writer = Writer::default();
    let _ = writer.latin1(b"kept");
    let _ = writer.tag_with_double(Tag::Number, 1.5);
    let mark = writer.mark();
    let before = (
        writer.bytes.clone(),
        writer.integers.clone(),
        writer.doubles.clone(),
        writer.text.clone(),
    );
    for _ in 0..100 {
        let _ = writer.latin1(&[b'x'; 300]);
        let _ = writer.utf16(&[0x65e5, 0x672c]);
        let _ = writer.array(9, &[0; 16]);
    }
    writer.cut(mark);
    let after = (
        writer.bytes.clone(),
        writer.integers.clone(),
        writer.doubles.clone(),
        writer.text.clone(),
    );
    assert_eq!(before, after);
    assert!(writer.first.is_none() && writer.long.is_empty() && writer.long_count == 0);
}

#[test]
fn two_byte_strings_begin_at_even_places_of_what_v8_reads() {
    let mut writer = Writer::default();
    let lengths = if cfg!(miri) { 1..8 } else { 1..200 };
    let most = lengths.len();
    for length in lengths {
        let _ = writer.latin1(&vec![b'a'; 1_200 + length]);
        let _ = writer.utf16(&vec![0x65e5; length]);
    }
    let Ok(Some(wire)) = writer.serialized_strings() else {
        panic!("no strings")
    };
    // The characters of each two-byte string, found by its first one.
    let mut at = 0;
    let mut count = 0;
    while at + 1 < wire.len() {
        if wire[at] == 0xe5 && wire[at + 1] == 0x65 {
            assert_eq!(at % 2, 0);
            count += 1;
            at += 2;
            while wire.get(at) == Some(&0xe5) && wire.get(at + 1) == Some(&0x65) {
                at += 2;
            }
            continue;
        }
        at += 1;
    }
    assert!(count + 9 >= most, "{count} strings were found");
}
