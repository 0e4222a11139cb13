/**
 * An address pair: `malloc`, then `free`, by `raw` and by the functions below it.
 *
 * A pair takes nanoseconds, so each iteration makes many. The loops are written out one by one: V8 calls a foreign
 * function fast only where the optimiser has seen which one it is.
 */

import { attach, python, raw } from "../../mod.ts";
import { PAIRS, WORKER_PAIRS } from "../counts.ts";
import { SIZES } from "../sizes.ts";
import { startWorkers } from "../workers/workers.ts";

/** As one would declare libpython. libc's functions are found through it too, for it depends on libc. */
const byPointer = Deno.dlopen(python.library, {
  PyMem_Malloc: { parameters: ["usize"], result: "pointer" },
  PyMem_Free: { parameters: ["pointer"], result: "void" },
  malloc: { parameters: ["usize"], result: "pointer" },
  free: { parameters: ["pointer"], result: "void" },
}).symbols;

/** The same with addresses as integers. */
const byInteger = Deno.dlopen(python.library, {
  PyMem_Malloc: { parameters: ["usize"], result: "usize" },
  PyMem_Free: { parameters: ["usize"], result: "void" },
}).symbols;

for (const { label, bytes } of [{ label: "16 B", bytes: 16 }, ...SIZES]) {
  const group = `address pair, ${label}`;
  // A number in its place works too, and takes ten times as long.
  const size = BigInt(bytes);

  Deno.bench({ name: "raw, attached", group, baseline: true }, () => {
    using _attached = attach();
    for (let pair = 0; pair < PAIRS; pair++) raw.free(raw.malloc(bytes));
  });

  Deno.bench({ name: "raw", group }, () => {
    for (let pair = 0; pair < PAIRS; pair++) raw.free(raw.malloc(bytes));
  });

  Deno.bench({ name: "libpython, pointers", group }, () => {
    using _attached = attach();
    for (let pair = 0; pair < PAIRS; pair++) {
      byPointer.PyMem_Free(byPointer.PyMem_Malloc(size));
    }
  });

  Deno.bench({ name: "libpython, integers", group }, () => {
    using _attached = attach();
    for (let pair = 0; pair < PAIRS; pair++) {
      byInteger.PyMem_Free(byInteger.PyMem_Malloc(size));
    }
  });

  Deno.bench({ name: "libc", group }, () => {
    for (let pair = 0; pair < PAIRS; pair++) {
      byPointer.free(byPointer.malloc(size));
    }
  });
}

const workers = await startWorkers(1);
const group = "address pair in a Worker, 64 B";

Deno.bench({ name: "raw, attached", group, baseline: true }, async () => {
  await workers.run("raw, attached", WORKER_PAIRS, 64);
});

Deno.bench({ name: "raw", group }, async () => {
  await workers.run("raw", WORKER_PAIRS, 64);
});
