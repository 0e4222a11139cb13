/** Many small typed arrays from an arena, against as many `new Float64Array(8)`, and as many blocks. */

import { alloc, Arena } from "../../mod.ts";
import { SMALL_ARRAYS } from "../counts.ts";

const group = "small arrays, 8 doubles";

/** Keeps what was made last, so that nobody can do without making it. */
let _last: unknown;

Deno.bench({ name: "new Float64Array", group, baseline: true }, () => {
  for (let index = 0; index < SMALL_ARRAYS; index++) {
    _last = new Float64Array(8);
  }
});

const arena = new Arena();

Deno.bench({ name: "arena", group }, () => {
  arena.reset();
  for (let index = 0; index < SMALL_ARRAYS; index++) {
    _last = arena.alloc(Float64Array, 8);
  }
});

Deno.bench({ name: "block", group }, () => {
  for (let index = 0; index < SMALL_ARRAYS; index++) {
    const block = alloc(Float64Array, 8);
    _last = block.view;
    block.free();
  }
});
