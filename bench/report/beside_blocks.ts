/**
 * A program that keeps 4,096 blocks of all sizes alive, and allocates and frees a million others beside them. What
 * `steady_state.ts` runs.
 */

import { alloc, type Block } from "../../mod.ts";
import type { SteadyState } from "./steady_state.ts";

const ALIVE = 4_096;
const PAIRS = 1_000_000;
const TENTH = PAIRS / 10;

/** From 64 B to 32 KiB, small ones more often. */
const LENGTHS = [8, 16, 32, 64, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096];

console.log(JSON.stringify(allocateBesideBlocks()));

function allocateBesideBlocks(): SteadyState {
  const random = randomNumbers();
  const blocks = Array.from({ length: ALIVE }, () => written(random));
  const allocateMany = () => {
    for (let pair = 0; pair < TENTH; pair++) written(random).free();
  };
  // V8 compiles what is hot.
  allocateMany();
  const nanoseconds: number[] = [], residentBytes: number[] = [];
  for (let tenth = 0; tenth < 10; tenth++) {
    const start = performance.now();
    allocateMany();
    nanoseconds.push((performance.now() - start) * 1e6 / TENTH);
    residentBytes.push(Deno.memoryUsage().rss);
  }
  for (const block of blocks) block.free();
  return { nanoseconds, residentBytes };
}

function written(random: () => number): Block<Float64Array<ArrayBuffer>> {
  const block = alloc(Float64Array, LENGTHS[random() % LENGTHS.length]);
  block.view[0] = 1.5;
  return block;
}

/** The same whole numbers in every run: Marsaglia's xorshift. */
function randomNumbers(): () => number {
  let state = 2_463_534_242;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>>= 0;
  };
}
