/** A program that imports the library whose URL is its argument, and allocates. */

import type { Library } from "./benchmark.ts";

const { alloc }: Library = await import(Deno.args[0]);
using block = alloc(Float64Array, 8);
block.view[0] = 1.5;
