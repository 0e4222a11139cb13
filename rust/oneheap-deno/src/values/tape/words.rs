//! Short strings as two words, by which they are found in a table.

/// Up to 16 characters as two words, the rest zero.
#[inline]
pub fn words(characters: &[u8]) -> [u64; 2] {
    let length = characters.len();
    let eight = |at: usize| {
        let bytes = characters[at..at + 8].first_chunk::<8>();
        u64::from_le_bytes(*bytes.unwrap_or(&[0; 8]))
    };
    let four = |at: usize| {
        let bytes = characters[at..at + 4].first_chunk::<4>();
        u64::from(u32::from_le_bytes(*bytes.unwrap_or(&[0; 4])))
    };
    match length {
        0 => [0, 0],
        // The first, the middle and the last may be the same.
        1..=3 => {
            let byte = |at: usize| u64::from(characters[at]) << (8 * at);
            [byte(0) | byte(length / 2) | byte(length - 1), 0]
        }
        4..=7 => [four(0) | four(length - 4) << (8 * (length - 4)), 0],
        8 => [eight(0), 0],
        _ => [eight(0), eight(length - 8) >> (8 * (16 - length))],
    }
}

/// The place of some words in a table of a power of two.
#[inline]
pub fn place(words: [u64; 2], length: usize) -> usize {
    let mixed = words[0] ^ words[1].rotate_left(29) ^ length as u64;
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize
}
