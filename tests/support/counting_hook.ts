/** Counting what lives in Python's heap, by a hook in front of Python's own allocator. */

import { attach } from "../../mod.ts";

/** What lives of the sizes that are counted. */
export interface Counts {
  readonly blocks: number;
  readonly bytes: number;
}

/** The hook is in the library of the stress programs, `rust/stress/src/counting.rs`, which isn't built for Windows. */
const LIBRARY = new URL(
  `../../rust/target/release/liboneheap_stress.${
    Deno.build.os === "darwin" ? "dylib" : "so"
  }`,
  import.meta.url,
);

/** Whether there is a hook on this system. */
export const canCount: boolean = Deno.build.os !== "windows";

/** The sizes that are counted, in bytes. Python needs none such for itself; elements of every type fit in them. */
const LEAST = 4_096;
const MODULUS = 1_000;
const REMAINDER = 8;

/** Whether memory of so many bytes is counted. */
export function isCounted(bytes: number): boolean {
  return bytes >= LEAST && bytes % MODULUS === REMAINDER;
}

/**
 * A hook in front of `PyMem` (`PyMem_SetAllocator`) that counts what lives, from nothing on, until it is disposed. It overwrites
 * what is freed, so that whoever goes on using it notices.
 */
export class CountingHook implements Disposable {
  #counts = new Float64Array(2);
  #library = Deno.dlopen(LIBRARY, {
    oneheap_counting_start: {
      parameters: [
        /* least */ "usize",
        /* modulus */ "usize",
        /* remainder */ "usize",
      ],
      result: "void",
    },
    oneheap_counting_read: {
      parameters: [/* counts */ "buffer"],
      result: "void",
    },
    oneheap_counting_stop: { parameters: [], result: "void" },
  });

  /** Begins to count. */
  constructor() {
    using _attached = attach();
    this.#library.symbols.oneheap_counting_start(
      BigInt(LEAST),
      BigInt(MODULUS),
      BigInt(REMAINDER),
    );
  }

  /** What lives. It attaches, and so frees first what was freed on threads that weren't attached. */
  read(): Counts {
    using _attached = attach();
    this.#library.symbols.oneheap_counting_read(this.#counts);
    const [blocks, bytes] = this.#counts;
    return { blocks, bytes };
  }

  [Symbol.dispose](): void {
    {
      using _attached = attach();
      this.#library.symbols.oneheap_counting_stop();
    }
    this.#library.close();
  }
}
