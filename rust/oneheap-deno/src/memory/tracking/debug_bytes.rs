//! The bytes that Python's debug hooks write around memory, and into what is new or freed. `Objects/obmalloc.c` of CPython has them.

/// What new memory is filled with: `PYMEM_CLEANBYTE`.
pub const CLEAN: u8 = 0xCD;
/// What freed memory is filled with: `PYMEM_DEADBYTE`.
pub const DEAD: u8 = 0xDD;
/// What is written before and behind memory: `PYMEM_FORBIDDENBYTE`.
const FORBIDDEN: u8 = 0xFD;

/// How many of those there are before memory, and behind it.
const BEFORE: usize = size_of::<usize>() - 1;
const BEHIND: usize = size_of::<usize>();

/// Return the size that the hooks have written in front of memory: in the first of two words, big-endian.
///
/// # Safety
/// The hooks are on, and the memory is live.
pub unsafe fn recorded_bytes(pointer: *mut u8) -> usize {
    let mut bytes = [0; size_of::<usize>()];
    for (index, byte) in bytes.iter_mut().enumerate() {
        // SAFETY: as the caller vouches, the hooks' two words are there. Volatile, for another language has written them.
        *byte = unsafe {
            pointer
                .sub(2 * size_of::<usize>())
                .add(index)
                .read_volatile()
        };
    }
    usize::from_be_bytes(bytes)
}

/// Return whether the bytes around memory are as the hooks have written them.
///
/// # Safety
/// The hooks are on, and the memory is live and was allocated with that many bytes.
pub unsafe fn is_intact(pointer: *mut u8, bytes: usize) -> bool {
    // SAFETY: as the caller vouches, the hooks' own bytes are there.
    unsafe {
        all_are(pointer.sub(BEFORE), BEFORE, FORBIDDEN)
            && all_are(pointer.add(bytes), BEHIND, FORBIDDEN)
    }
}

/// Return whether bytes are all the same one.
///
/// # Safety
/// They are readable, and nobody writes them.
pub unsafe fn all_are(pointer: *mut u8, bytes: usize, byte: u8) -> bool {
    // SAFETY: as the caller vouches. Volatile, for another language has written them.
    (0..bytes).all(|index| unsafe { pointer.add(index).read_volatile() } == byte)
}
