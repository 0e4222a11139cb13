/**
 * The hostile fuzzer, for some seeds: random operations of the whole API with hostile user code wherever user code can run, near the
 * end of the stack, and while memory is out, compared with a model. See `model/seed.ts`; `deno task fuzz` runs it for longer.
 */

import { assertEquals, assertGreater } from "@std/assert";
import { canCount } from "../support/counting_hook.ts";
import { fuzz } from "./fuzzer/controller.ts";

/** Always the same seeds, so that this fails or doesn't. */
const SEEDS = 20;

Deno.test({
  name:
    `no hostile code, no end of the stack and no want of memory breaks what the model says: ${SEEDS} seeds`,
  ignore: !canCount,
  fn: async () => {
    const { operations, seeds, failure } = await fuzz({
      seed: 0,
      seeds: SEEDS,
    });
    assertEquals({ seeds, failure }, { seeds: SEEDS, failure: undefined });
    assertGreater(operations, SEEDS * 300);
  },
});
