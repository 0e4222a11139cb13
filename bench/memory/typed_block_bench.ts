/**
 * A typed block, made, written and freed, against a typed array: one that is left to the collector, and one whose
 * memory is freed at once, by `transfer(0)`.
 *
 * "Every element" is written by `fill` on all sides: it writes as fast as the memory takes it, where a loop in
 * JavaScript takes several times as long on all sides, and would hide what is compared.
 */

import { alloc } from "../../mod.ts";
import { SIZES } from "../sizes.ts";

/** Keeps what was made last, so that nobody can do without making it. */
let _last: unknown;

for (const { label, bytes } of SIZES) {
  const length = bytes / Float64Array.BYTES_PER_ELEMENT;
  untouched(`${label}, not touched`, length);
  firstWritten(`${label}, first element written`, length);
  allWritten(`${label}, every element written`, length);
}

function untouched(group: string, length: number): void {
  Deno.bench({ name: "new Float64Array", group, baseline: true }, () => {
    _last = new Float64Array(length);
  });

  Deno.bench({ name: "new Float64Array, transfer(0)", group }, () => {
    const array = new Float64Array(length);
    _last = array;
    array.buffer.transfer(0);
  });

  Deno.bench({ name: "block", group }, () => {
    const block = alloc(Float64Array, length);
    _last = block;
    block.free();
  });

  Deno.bench({ name: "block, zeroed: false", group }, () => {
    const block = alloc(Float64Array, length, { zeroed: false });
    _last = block;
    block.free();
  });
}

function firstWritten(group: string, length: number): void {
  Deno.bench({ name: "new Float64Array", group, baseline: true }, () => {
    const array = new Float64Array(length);
    _last = array;
    array[0] = 1.5;
  });

  Deno.bench({ name: "new Float64Array, transfer(0)", group }, () => {
    const array = new Float64Array(length);
    _last = array;
    array[0] = 1.5;
    array.buffer.transfer(0);
  });

  Deno.bench({ name: "block", group }, () => {
    const block = alloc(Float64Array, length);
    _last = block;
    block.view[0] = 1.5;
    block.free();
  });

  Deno.bench({ name: "block, zeroed: false", group }, () => {
    const block = alloc(Float64Array, length, { zeroed: false });
    _last = block;
    block.view[0] = 1.5;
    block.free();
  });
}

function allWritten(group: string, length: number): void {
  Deno.bench({ name: "new Float64Array", group, baseline: true }, () => {
    const array = new Float64Array(length);
    _last = array;
    array.fill(1.5);
  });

  Deno.bench({ name: "new Float64Array, transfer(0)", group }, () => {
    const array = new Float64Array(length);
    _last = array;
    array.fill(1.5);
    array.buffer.transfer(0);
  });

  Deno.bench({ name: "block", group }, () => {
    const block = alloc(Float64Array, length);
    _last = block;
    block.view.fill(1.5);
    block.free();
  });

  Deno.bench({ name: "block, zeroed: false", group }, () => {
    const block = alloc(Float64Array, length, { zeroed: false });
    _last = block;
    block.view.fill(1.5);
    block.free();
  });
}
