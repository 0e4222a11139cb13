//! Every threshold, size, count and timeout of the library that could be another number, with its unit and its reason.
//!
//! `ffi/limits.ts` has those of TypeScript; a test compares what stands in both.

use std::time::Duration;

// Runtime

/// The stack, in bytes, that is kept for JavaScript after a call into this library: some frames, and compiling a function that runs for
/// the first time.
pub const RESERVED_STACK_BYTES: usize = 64 * 1024;

/// The bytes of deferred frees at which the maintenance thread is woken. Large enough that a loop which allocates and frees, and so
/// empties the list itself, wakes no thread.
pub const DEFERRED_WAKE_BYTES: usize = 16 * 1024 * 1024;

/// The time after which, or at most twice that, the maintenance thread frees what was deferred.
pub const DEFERRED_PERIOD: Duration = Duration::from_millis(100);

/// The time that the end of the process waits for Python's output and exit functions; another thread may hold the GIL.
pub const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// The part of it after which another thread does the work of a maintenance thread that is blocked by a finaliser.
pub const MAINTENANCE_TIMEOUT: Duration = Duration::from_millis(500);

/// The stack of the threads that this library makes to run Python code, in bytes. Up to Python's limit of recursion, most code needs 5 MiB at
/// most, and the hungriest that was found (`select.select` that calls itself by a `fileno`) 48; what isn't used costs nothing.
pub const THREAD_STACK_BYTES: usize = 64 * 1024 * 1024;

/// The stack, in bytes, for which Python's own recursion limit suffices. A process's first thread usually has 8 MiB.
pub const MIN_FULL_STACK_BYTES: usize = 7 * 1024 * 1024;

/// The stack, in bytes, that JavaScript may have used when it calls Python: V8's own limit is 1 MiB.
pub const JAVASCRIPT_STACK_BYTES: usize = 1200 * 1024;

/// The stack, in bytes, of one level of recursion: at most 5.2 KiB were measured on 3.11 to 3.13 (`list.sort` with a key that sorts again).
pub const RECURSION_LEVEL_BYTES: usize = 5400;

/// The levels of recursion that are left even on the smallest stack: code needs as many.
pub const MIN_RECURSION_LEVELS: usize = 50;

// Memory

/// The largest block, in bytes, whose free is deferred where the thread is detached; for a larger one it attaches.
pub const MAX_DEFERRED_BLOCK_BYTES: usize = 64 * 1024;

/// The alignment of a block for which none is asked, in bytes. Up to it a block is a plain `PyMem` block, which `realloc` can grow in place.
pub const DEFAULT_ALIGN_BYTES: usize = 16;

/// The largest alignment that can be asked for, in bytes: a page.
pub const MAX_ALIGN_BYTES: usize = 4096;

/// The records in the first chunk of a slab; each further chunk has twice as many.
pub const FIRST_SLAB_RECORDS: usize = 512;

/// The chunks of a slab: more than fit into the address space.
pub const MAX_SLAB_CHUNKS: usize = 32;

/// The entries of the first address table that is allocated; a power of two.
pub const MIN_TABLE_CAPACITY: usize = 64;

/// The least that Python is asked for, in bytes: every allocator behind `PyMem` aligns so much to 16, and a freed block has space for a list's link.
pub const MIN_PYTHON_BYTES: usize = 16;

/// The pieces of freed memory that are kept where the debug hooks are on and call sites are recorded.
pub const MAX_QUARANTINED: usize = 1024;

/// The bytes of all of them.
pub const MAX_QUARANTINED_BYTES: usize = 16 * 1024 * 1024;

/// The moments of the timeline of a heap report. A power of two.
pub const MAX_MOMENTS: usize = 4096;

/// The length of its first moments, in milliseconds.
pub const FIRST_MOMENT_MILLISECONDS: f64 = 1.0;

/// The time between two looks whether Python has more memory than ever.
pub const PEAK_PERIOD: Duration = Duration::from_millis(100);

/// The pause after such a look, as a multiple of the time that it took: so looking takes 5 % of the time at most.
pub const PEAK_PAUSE_FACTOR: u32 = 20;

/// The lines of a memory summary that say what holds memory.
pub const MAX_SUMMARY_HOLDERS: usize = 8;

/// The time that a memory summary waits for the GIL, and for what Python has to say.
pub const SUMMARY_TIMEOUT: Duration = Duration::from_secs(3);

/// The time between two moments in which nothing is allocated.
pub const MOMENT_PERIOD: Duration = Duration::from_millis(20);

/// The time that a recording waits for its thread to have a Python thread state. It is long where another thread keeps the GIL.
pub const THREAD_START_TIMEOUT: Duration = Duration::from_secs(1);

/// The growth, in bytes, that is reported to V8.
pub const REPORT_STEP_BYTES: i64 = 32 * 1024 * 1024;

/// The bytes that memory may grow by after explicit frees until growth is reported again, or as many as were freed at once: what is
/// borrowed and released repeatedly is reported the first time only.
pub const REPORT_SLACK_BYTES: i64 = 256 * 1024 * 1024;

/// The shortest time between two samples of the memory in use.
pub const MIN_SAMPLE_MILLISECONDS: u64 = 4;

/// The longest time between two samples.
pub const MAX_SAMPLE_MILLISECONDS: u64 = 40;

/// The pause until the next sample of the memory in use, as a multiple of the time that the last one took: so sampling takes 1 % of the
/// time at most. A sample takes some 5 µs, and longer where the C library has many pieces of free memory.
pub const SAMPLE_PAUSE_FACTOR: u32 = 100;

/// The growth of the memory in use, in bytes, that is taken for lost Python objects; where a quarter of the memory is more, that.
pub const MIN_GROWTH_BYTES: u64 = 64 * 1024 * 1024;

/// The samples after which everything has been freed that a collection of all garbage found; if that was nothing, the memory is needed.
pub const SETTLING_SAMPLES: u8 = 3;

/// The external memory, in bytes, that is reported to have V8 collect all garbage at once: more than half its largest heap. V8 counts
/// from what there was at the last collection, so each report is larger than the one before.
pub const PRESSURE_BYTES: i64 = 1 << 42;

/// The difference between two of those reports, in bytes.
pub const PRESSURE_STEP_BYTES: i64 = 1 << 38;

/// The largest of those reports, in bytes. V8 accepts no more than 2^60; a thread would have to ask for two million collections.
pub const MAX_PRESSURE_BYTES: i64 = 1 << 59;

// Values

/// The bits of V8's largest bigint, in whole words.
pub const MAX_BIGINT_BITS: i64 = (1 << 30) - 64;

/// The UTF-16 units of V8's longest string. `support.py` has it too.
pub const MAX_STRING_UNITS: usize = (1 << 29) - 24;

/// The characters of the longest string that is copied to this side in UTF-8: a decref of an encoded `bytes` costs as much as copying
/// some hundred kilobytes.
pub const MAX_COPIED_CHARACTERS: usize = 64 * 1024;

/// The UTF-8 bytes of a short text: as many as fit into the size of a failure, so that a result is no larger for them.
pub const MAX_SHORT_TEXT_BYTES: usize = 63;

/// The smallest value, in bytes, that is first allocated on trial. V8 has memory for smaller ones already, most often.
pub const MIN_PROBED_BYTES: usize = 1024 * 1024;

/// The bytes of a lane of a tape. What is larger isn't converted: JavaScript's side would need many times as much.
pub const MAX_TAPE_BYTES: usize = 1 << 30;

/// The containers of a value that is converted. A structure whose parts are referred to repeatedly can have any number.
pub const MAX_CONTAINERS: usize = 1 << 24;

/// The depth of a value that is built of a tape.
pub const MAX_DEPTH: u32 = 1000;

/// The bytes that a thread keeps of a tape's lanes for the next one.
pub const MAX_KEPT_LANE_BYTES: usize = 1024 * 1024;

/// The characters of the longest string that is a part of a tape's joined text: V8 copies shorter ones, and longer ones keep the text alive.
pub const MAX_JOINED_CHARACTERS: usize = 12;

/// The bytes of a joined text's first part. It is small, so longer strings may be parts of it.
pub const MAX_FIRST_TEXT_BYTES: usize = 4096;

/// The nodes of the tree of keys that both sides know.
pub const MAX_SHAPE_NODES: usize = 16 * 1024;

/// The children of one of them.
pub const MAX_SHAPE_CHILDREN: usize = 64;

/// The keys of a shape; what an object has beyond goes with its keys.
pub const MAX_SHAPE_KEYS: u32 = 256;

/// The short strings that are kept to be used again.
pub const KEPT_STRINGS: usize = 4096;

/// The keys that are kept to be used again where they are no shape's.
pub const KEPT_KEYS: usize = 1024;

// Running

/// The objects that the end of a fresh scope looks at.
pub const MAX_SCOPE_OBJECTS: usize = 2000;

/// The references of an object that are followed; one with more isn't looked into.
pub const MAX_SCOPE_REFERENCES: isize = 2000;

/// The arguments of a run that are recognised as not of its making.
pub const MAX_SCOPE_ARGUMENTS: usize = 4;

/// The entries of a dictionary among which a module's `__name__` and `__builtins__` are looked for.
pub const FIRST_GRAPH_ENTRIES: usize = 16;

/// The lists in which runs that have not ended are looked up by their number.
pub const COMPLETION_LISTS: usize = 64;

/// The idle threads that are kept for further runs; others end at once.
pub const MAX_IDLE_THREADS: usize = 8;

/// The time after which an idle thread ends.
pub const THREAD_IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The times that code is run until no asynchronous exception is left. Each time may raise another exception, as a `MemoryError`.
pub const MAX_INTERRUPT_ATTEMPTS: usize = 16;

/// The code objects that are kept, each at the one place that its hash says. A table of a fixed size allocates nothing while it is
/// locked: an allocation of Python's can release the GIL, and then a thread that holds it waits for the lock.
pub const MAX_COMPILED_SOURCES: usize = 256;

/// The UTF-16 units of the longest source whose code object is kept; longer ones are compiled each time.
pub const MAX_COMPILED_SOURCE_UNITS: usize = 16 * 1024;

// Boundary

/// The smallest buffer of an object, in bytes, that is reported to V8.
pub const MIN_REPORTED_BYTES: usize = 64 * 1024;

/// The smallest `Uint8Array`, in bytes, that is copied straight into a `bytes` while the thread is attached; smaller ones are copied before.
pub const MIN_DIRECT_BYTES: usize = 16 * 1024;

/// The arguments of a call that are read without asking for their count first.
pub const USUAL_ARGUMENTS: usize = 8;

/// The UTF-16 units of a string, with its NUL, that is read without asking for its length first. Most strings fit.
pub const USUAL_STRING_UNITS: usize = 128;
