/**
 * Every function of the Rust library, as `rust/oneheap-deno/src/symbols.rs` declares it; a test compares the two lists.
 *
 * Counts, sizes and addresses cross as doubles: as fast as a pointer, and exact up to 2^53, which the callers check.
 * Deno's other integer types wrap or clamp silently.
 */

/** The number of this boundary. A library that tells another one is not opened. */
export const ABI = 1;

/** What a function gives where it would give an address. */
export const CODE = {
  outOfMemory: 0,
  invalid: -1,
  noPython: -2,
  misaligned: -3,
  subinterpreter: -4,
} as const;

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
  oneheap_attach: { parameters: [], result: "i32" },
  oneheap_detach: { parameters: [], result: "i32" },
  oneheap_pointer: { parameters: [/* address */ "f64"], result: "pointer" },
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
    ],
    result: "f64",
  },
  oneheap_block_realloc: {
    parameters: [/* slot */ "f64", /* bytes */ "f64", /* zeroed */ "u8"],
    result: "f64",
  },
  oneheap_block_free: { parameters: [/* slot */ "f64"], result: "void" },
  oneheap_block_hold: { parameters: [/* slot */ "f64"], result: "void" },
  oneheap_block_forget: { parameters: [/* slot */ "f64"], result: "void" },
  oneheap_stats: { parameters: [/* counts */ "buffer"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The functions that come by Node-API, for they make `ArrayBuffer`s that know when they are let go. */
export interface NodeApi {
  /** A tiny buffer that owns an empty slot; a block lost with it is freed when V8 collects it. */
  keeper(): ArrayBuffer;
  /** The address of a keeper's slot. */
  slot(keeper: ArrayBuffer): number;
  /** A buffer over the memory of a slot's block, which hands the block's hold over to it; none if there is none. */
  view(slot: number): ArrayBuffer | undefined;
  /** Tells V8 by how many bytes the memory that it doesn't see has changed on this thread. It may collect garbage. */
  account(change: number): void;
}
