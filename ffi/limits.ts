/**
 * Every threshold, size, count and timeout of TypeScript that could be another number, with its unit and its reason.
 *
 * `rust/oneheap-deno/src/limits.rs` has those of Rust; a test compares what stands in both.
 */

// Loading

/** The minor version of the oldest Python 3 that is supported. */
export const OLDEST_MINOR = 11;

/** The newest that is looked for by name where nothing else is allowed. A newer one is found by running it. */
export const NEWEST_MINOR = 15;

/** The UTF-16 units that are shown of what a program writes to its standard error which is no Python. */
export const MAX_REASON_UNITS = 120;

/** The UTF-16 units that an error shows of an environment variable's value. */
export const MAX_SHOWN_VALUE_UNITS = 200;

/** The blocks that the doctor's self-test allocates. */
export const SELF_TEST_BLOCKS = 1_000;

// Memory

/** The alignment of a block for which none is asked, in bytes: that of Python's own allocator. */
export const DEFAULT_ALIGN_BYTES = 16;

/** The largest alignment that can be asked for, in bytes: a page. */
export const MAX_ALIGN_BYTES = 4096;

/** The dimensions of a shape: more than anything in Python takes (`memoryview` and NumPy have 64). */
export const MAX_DIMENSIONS = 1024;

/** The size of an arena's first chunk, in bytes, unless it is made with another. */
export const FIRST_CHUNK_BYTES = 64 * 1024;

/** Chunks double up to this size, in bytes, or keep the size that the arena is made with if that is larger. */
export const MAX_CHUNK_BYTES = 4 * 1024 * 1024;

/** The idle finalizer tokens that are kept for the next blocks; more are left to the collector. */
export const MAX_IDLE_TOKENS = 8192;

/** The size, in bytes, of a buffer whose allocation has V8 make a minor collection. */
export const COLLECTION_BUFFER_BYTES = 32 * 1024 * 1024;

/** The entries of exported blocks from which those of no use are removed. */
export const MIN_SWEPT_ENTRIES = 1024;

// Values

/** The depth of a value that is converted, unless the caller asks for another. */
export const MAX_DEPTH = 1000;

/** The largest depth that can be asked for: Python's side needs the stack for it. */
export const MAX_REQUESTED_DEPTH = 10_000;

/** The containers of a value that is converted. A structure whose parts are referred to repeatedly can have any number. */
export const MAX_CONTAINERS = 1 << 24;

/** The elements of an array that is converted: as many doubles are a lane of 1 GiB. */
export const MAX_ELEMENTS = 1 << 27;

/** The nodes of the tree of keys that both sides know. */
export const MAX_SHAPE_NODES = 16 * 1024;

/** The children of one of them. */
export const MAX_SHAPE_CHILDREN = 64;

/** The keys of a shape; what an object has beyond goes with its keys. */
export const MAX_SHAPE_KEYS = 256;

/** The UTF-16 units of the longest string that is written into the lane of bytes, unless the message is small. */
export const MAX_INLINE_UNITS = 8;

/** The bytes up to which a message is small: any string that fits is written into the lane of bytes, which saves reading the text. */
export const SMALL_MESSAGE_BYTES = 512;

/** The bytes of a `Uint8Array` that is written into the lane of bytes. A larger one is copied by Python's side, once. */
export const MAX_INLINE_BYTES = 4096;

/** The bytes of a lane to begin with. */
export const FIRST_LANE_BYTES = 16 * 1024;

/** The bytes that a lane keeps for the next message. */
export const MAX_KEPT_LANE_BYTES = 1024 * 1024;

/** The UTF-16 units of V8's longest string. */
export const MAX_STRING_UNITS = (1 << 29) - 24;

/** How often objects of a shape are made key by key before a function is made for it. */
export const SHAPE_USES = 4;

// Running

/** The names whose normal forms are kept, so that they needn't be normalised again. */
export const MAX_KEPT_NAMES = 1024;

/** The UTF-16 units of the longest of those names. */
export const MAX_KEPT_NAME_UNITS = 64;

/** The time after which the completion pump is started again that the end of the stack has interrupted. */
export const PUMP_RETRY_MILLISECONDS = 1;

// Errors

/** The UTF-16 units that a stack shows of a message. `support.py` shows as many characters in a traceback. */
export const MAX_SHOWN_UNITS = 64 * 1024;

// Debug

/** The frames of a call that are recorded at most. */
export const MAX_RECORDED_FRAMES = 128;

/** The call stacks that are known to JavaScript by their places; then all are looked up anew. */
export const MAX_CALL_STACKS = 1 << 17;

/** The leaks whose places are looked up: each takes some 100 µs. */
export const MAX_FORMATTED_LEAKS = 500;

/** The places that are formatted while a check runs, of things that live longer than until the next one begins. */
export const MAX_EAGERLY_FORMATTED = 10_000;

/** The frames of the library that may be between a leak and its place. */
export const LEAK_LIBRARY_FRAMES = 6;

/** The places that the message of a `LeakError` shows. */
export const MAX_SHOWN_LEAKS = 20;

/** The time that the doctor waits for a program to say what holds its memory. That program waits 3 seconds for Python. */
export const SUMMARY_TIMEOUT_MILLISECONDS = 10_000;

/** What the last so many programs said of their memory when they ended is kept. */
export const MAX_KEPT_SUMMARIES = 10;
