/**
 * The C functions of the Rust library, as `rust/oneheap-deno/src/boundary/exports.rs` declares it; a test compares the two lists.
 *
 * Counts, sizes and addresses cross as doubles: as fast as a pointer, and exact up to 2^53, which the callers check.
 * Deno's other integer types wrap or clamp silently.
 */

/** The number of this boundary. A library of another number is not opened. */
export const ABI = 7;

/** Of the whole table this alone is looked up before the library is known to speak this boundary. */
export const ABI_SYMBOL = {
  oneheap_abi: { parameters: [], result: "u32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The table. */
export const SYMBOLS = {
  ...ABI_SYMBOL,
  oneheap_start: {
    parameters: [/* paths */ "buffer", /* length */ "u32"],
    result: "i32",
  },
  oneheap_python: {
    parameters: [/* buffer */ "buffer", /* capacity */ "u32"],
    result: "u32",
  },
  oneheap_start_error: {
    parameters: [/* buffer */ "buffer", /* capacity */ "u32"],
    result: "u32",
  },
  oneheap_attach: { parameters: [], result: "f64" },
  oneheap_detach: { parameters: [], result: "f64" },
  oneheap_end_attachment: {
    parameters: [/* number */ "f64"],
    result: "i32",
  },
  oneheap_stack_descend: { parameters: [], result: "i32" },
  oneheap_pointer: { parameters: [/* address */ "f64"], result: "pointer" },
  oneheap_address: { parameters: [/* pointer */ "pointer"], result: "f64" },
  oneheap_raw_malloc: { parameters: [/* bytes */ "f64"], result: "f64" },
  oneheap_raw_calloc: {
    parameters: [/* count */ "f64", /* bytes */ "f64"],
    result: "f64",
  },
  oneheap_raw_realloc: {
    parameters: [/* address */ "f64", /* bytes */ "f64"],
    result: "f64",
  },
  oneheap_raw_free: { parameters: [/* address */ "f64"], result: "void" },
  oneheap_block_alloc: {
    parameters: [
      /* slot */ "f64",
      /* bytes */ "f64",
      /* align */ "f64",
      /* zeroed */ "u8",
      /* element */ "u8",
    ],
    result: "f64",
  },
  oneheap_block_realloc: {
    parameters: [/* slot */ "f64", /* bytes */ "f64", /* zeroed */ "u8"],
    result: "f64",
  },
  oneheap_block_free: { parameters: [/* slot */ "f64"], result: "i32" },
  oneheap_block_exporters: { parameters: [/* slot */ "f64"], result: "f64" },
  oneheap_block_identity: { parameters: [/* slot */ "f64"], result: "f64" },
  oneheap_block_clear: { parameters: [/* slot */ "f64"], result: "i32" },
  oneheap_wait: {
    parameters: [/* wait_handle */ "f64"],
    result: "void",
    nonblocking: true,
  },
  oneheap_setting: {
    parameters: [/* setting */ "u32", /* value */ "f64"],
    result: "f64",
  },
  oneheap_memory_summary: {
    parameters: [
      /* texts */ "buffer",
      /* length */ "u32",
      /* on signal */ "u8",
    ],
    result: "i32",
  },
  oneheap_stats: { parameters: [/* counts */ "buffer"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;
