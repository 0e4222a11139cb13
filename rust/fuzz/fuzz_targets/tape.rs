//! The reader of tapes: bytes that no encoder wrote are refused, and nothing beyond a lane is read.

#![no_main]

#[path = "../../oneheap-deno/src/limits.rs"]
#[allow(dead_code)]
mod limits;
#[path = "../../oneheap-deno/src/values/tape/mod.rs"]
#[allow(dead_code)]
mod tape;

use libfuzzer_sys::fuzz_target;
use tape::reader::{Characters, Event, Reader};

/// Return a lane of the input: so many elements, of which one takes `N` bytes.
fn lane<T, const N: usize>(
    input: &mut &[u8],
    count: u8,
    element: impl Fn([u8; N]) -> T,
) -> Vec<T> {
    let bytes = (usize::from(count) * N).min(input.len());
    let (taken, rest) = input.split_at(bytes);
    *input = rest;
    let (chunks, _) = taken.as_chunks::<N>();
    chunks.iter().map(|&chunk| element(chunk)).collect()
}

fuzz_target!(|input: &[u8]| {
    let Some((&[counts, doubles, characters, objects], mut rest)) = input.split_first_chunk() else {
        return;
    };
    let integers = lane(&mut rest, counts, i32::from_le_bytes);
    let doubles = lane(&mut rest, doubles, f64::from_le_bytes);
    let latin1 = lane(&mut rest, characters / 2, |[byte]: [u8; 1]| byte);
    let utf16: Vec<u16> = latin1.iter().map(|&byte| u16::from(byte) * 257).collect();
    let text = match characters % 2 {
        0 => Characters::Latin1(&latin1),
        _ => Characters::Utf16(&utf16),
    };
    let bytes = rest.to_vec();
    let mut reader = Reader::new(&bytes, &integers, &doubles, text, objects.into());
    let (mut events, mut touched) = (0, 0);
    // Each value takes a byte, so this ends; the address sanitizer sees what is read beyond a lane.
    while let Ok(event) = reader.next() {
        events += 1;
        touched ^= match event {
            Event::Short(bytes) | Event::Bytes(bytes) => sum(bytes),
            Event::Text(Characters::Latin1(bytes)) => sum(bytes),
            Event::Text(Characters::Utf16(units)) => sum(units),
            Event::Numbers(numbers) => numbers.iter().fold(0, |all, it| all ^ it.to_bits()),
            Event::Integers(integers) => integers.iter().fold(0, |all, &it| all ^ it as u64),
            Event::Object(index) => {
                assert!(index < objects.into());
                0
            }
            Event::List(count) | Event::Tuple(count) | Event::Map(count) | Event::Set(count) => {
                assert!(count <= bytes.len());
                0
            }
            _ => 0,
        };
    }
    std::hint::black_box(touched);
    assert!(events <= bytes.len());
});

fn sum<T: Copy + Into<u64>>(elements: &[T]) -> u64 {
    elements.iter().fold(0, |all, &it| all.wrapping_add(it.into()))
}
