//! What a function of the boundary returns instead of an address.

/// Why a call returned no memory. `ffi/boundary/status.ts` has the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// The allocator is out of memory; nothing was touched. An `AllocationError` in TypeScript.
    OutOfMemory = 0,
    /// An argument that TypeScript's checks should have caught.
    Invalid = -1,
    /// Python is not running: not started, ending or ended. A `LibraryError` in TypeScript.
    NoPython = -2,
    /// An allocator hook of Python's returned an address that is no multiple of 16.
    Misaligned = -3,
    /// The thread is attached to a subinterpreter, whose memory must not meet the main interpreter's.
    Subinterpreter = -4,
    /// Python holds the block's memory, so it can't be resized. A `BlockInUseError` in TypeScript.
    BlockInUse = -5,
    /// No thread could be made.
    NoThread = -6,
    /// JavaScript has no string or bigint of that size.
    TooLarge = -7,
    /// The block was freed, or its memory was transferred with its view's buffer. A `FreedError` in TypeScript.
    Freed = -8,
    /// Too little of JavaScript's stack is left.
    StackEnd = -9,
    /// A callback of Python code can't do this, for it could not be undone when the callback returns.
    InCallback = -10,
    /// The block is being resized.
    Busy = -11,
}

impl Status {
    /// Return the status as it crosses the boundary where an address would.
    pub fn as_f64(self) -> f64 {
        f64::from(self as i32)
    }
}

/// The largest integer that a double holds exactly with all below it (2^53 - 1), as `Number.MAX_SAFE_INTEGER`.
pub const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// Return a count or address that crossed as a double; TypeScript has checked it, and this doesn't trust that.
pub fn safe_integer(number: f64) -> Result<usize, Status> {
    if !(0.0..=MAX_SAFE_INTEGER).contains(&number) {
        return Err(Status::Invalid);
    }
    // Signed, which takes one instruction each way; with it and the range the pair of raw calls is 3 ns faster.
    // SAFETY: in range, so it is no NaN and fits.
    let integer = unsafe { number.to_int_unchecked::<i64>() };
    if integer as f64 != number {
        return Err(Status::Invalid);
    }
    Ok(integer as usize)
}

/// Return an address, or the status in its place, as it crosses the boundary.
pub fn address_or_status(result: Result<*mut u8, Status>) -> f64 {
    match result {
        Ok(pointer) => pointer.addr() as i64 as f64,
        Err(status) => status.as_f64(),
    }
}
