/** A program that imports the library whose URL is its argument, and runs Python code, here and on a thread of its own. */

import type { Library } from "./benchmark.ts";

const { python }: Library = await import(Deno.args[0]);
python.run("x = 1");
await python.evalAsync("1+1");
