/** Memory that grows to 16 MiB in steps of 64 KiB, each of which is written when it is there, as a file that is read. */

import { alloc } from "../../mod.ts";

const STEP = 64 * 1024;
const END = 16 * 1024 * 1024;

const group = "growth to 16 MiB";

Deno.bench(
  { name: "copying into larger typed arrays", group, baseline: true },
  () => {
    let array = new Uint8Array(STEP).fill(1);
    for (let length = 2 * STEP; length <= END; length += STEP) {
      const larger = new Uint8Array(length);
      larger.set(array);
      array = larger;
      array.fill(1, length - STEP);
    }
  },
);

Deno.bench({ name: "resizable ArrayBuffer", group }, () => {
  const buffer = new ArrayBuffer(STEP, { maxByteLength: END });
  const array = new Uint8Array(buffer);
  array.fill(1);
  for (let length = 2 * STEP; length <= END; length += STEP) {
    buffer.resize(length);
    array.fill(1, length - STEP);
  }
});

Deno.bench({ name: "realloc", group }, () => {
  using block = alloc(Uint8Array, STEP, { zeroed: false });
  block.view.fill(1);
  for (let length = 2 * STEP; length <= END; length += STEP) {
    block.realloc(length, { zeroed: false });
    block.view.fill(1, length - STEP);
  }
});

Deno.bench({ name: "realloc, zeroed", group }, () => {
  using block = alloc(Uint8Array, STEP);
  block.view.fill(1);
  for (let length = 2 * STEP; length <= END; length += STEP) {
    block.realloc(length);
    block.view.fill(1, length - STEP);
  }
});
