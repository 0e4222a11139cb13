//! Every threshold, size, count and timeout of the crate that could be another number, with its unit and its reason.

use std::time::Duration;

/// The thread states that are known to be attached by one look. A power of two; states at the same place cost the others a call more.
pub const REGISTERED_STATES: usize = 64;

/// How many deferred blocks are freed at a time: two million at once would hold a thread up for 131 ms (measured).
pub const BATCH_BLOCKS: usize = 256;

/// A thread that runs code in a subinterpreter holds the GIL without a frame for less: for microseconds before its code and after,
/// for some milliseconds when it makes or ends the interpreter.
pub const MAX_TIME_WITHOUT_CODE: Duration = Duration::from_millis(500);

/// The time between two looks at a thread state whose owner isn't clear yet.
pub const LOOK_PERIOD: Duration = Duration::from_micros(100);
