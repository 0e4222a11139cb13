/**
 * Memory shown to the other side where it is, in several sizes; and a million doubles on their way to the other side: in
 * place, copied as bytes, and one by one.
 */

import { alloc, type PyObjectRef, python } from "../../mod.ts";
import { listOf, numbersOf } from "./element_by_element.ts";
import { doubles, fromBytes, show } from "./python_side.ts";
import { SHARED_SIZES } from "../sizes.ts";

for (const { label, bytes } of SHARED_SIZES) {
  const length = bytes / Float64Array.BYTES_PER_ELEMENT;
  const block = alloc(Float64Array, length);
  block.view[0] = 1.5;
  const array = doubles.call(length) as PyObjectRef;

  Deno.bench({ name: "block", group: `shown to Python, ${label}` }, () => {
    using _shown = show.call(block) as PyObjectRef;
  });

  Deno.bench({ name: "array", group: `shown to TypeScript, ${label}` }, () => {
    using _shown = python.borrow(array, Float64Array);
  });
}

const MILLION = 1_000_000;
const block = alloc(Float64Array, MILLION);
// No integers, for those make other objects in a list.
for (let index = 0; index < MILLION; index++) block.view[index] = index + 0.5;
const array = show.call(block) as PyObjectRef;
const list = listOf(block.view);
const toBytes = array.get("tobytes") as PyObjectRef;

const toPython = "a million doubles to Python";

Deno.bench({ name: "in place", group: toPython, baseline: true }, () => {
  using _array = show.call(block) as PyObjectRef;
});

Deno.bench({ name: "copied as bytes", group: toPython }, () => {
  const bytes = new Uint8Array(block.view.buffer);
  using _array = fromBytes.call(bytes) as PyObjectRef;
});

Deno.bench({ name: "element by element", group: toPython }, () => {
  using _list = listOf(block.view);
});

const toTypeScript = "a million doubles to TypeScript";

/** Keeps what was made last, so that nobody can do without making it. */
let _last: unknown;

Deno.bench({ name: "in place", group: toTypeScript, baseline: true }, () => {
  using _numbers = python.borrow(array, Float64Array);
});

Deno.bench({ name: "copied as bytes", group: toTypeScript }, () => {
  const { buffer } = toBytes.call() as Uint8Array<ArrayBuffer>;
  _last = new Float64Array(buffer);
});

Deno.bench({ name: "element by element", group: toTypeScript }, () => {
  _last = numbersOf(list);
});
