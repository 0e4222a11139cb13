/**
 * Runs histories in a process of its own: `program.ts FIRST_SEED COUNT`. Prints the seed of each before it begins, so that the last
 * one is known if the process crashes.
 */

import { runHistory } from "./history.ts";
import { Surroundings } from "./fixture.ts";

const [first, count] = Deno.args.map(Number);
await using surroundings = new Surroundings();
for (let seed = first; seed < first + count; seed++) {
  console.log(seed);
  await runHistory(seed, surroundings);
}
