/** Operations near the end of the stack, where every call of JavaScript's may throw. */

import { endError, Outcome } from "./outcome.ts";
import type { Action, World } from "./world.ts";

/** So many operations are tried at a time, each a frame farther from the end than the one before. */
const ATTEMPTS = 32;

/** The outcome of an attempt, put where nothing has to be called for it. */
interface Attempt {
  readonly action: Action;
  isDone: boolean;
  value: unknown;
  error: unknown;
}

let attempts: Attempt[] = [];
let next = 0;
let skipped = 0;
let stride = 0;

/**
 * Descends to the end of the stack; on the way back, each frame (but for those that are skipped) tries the next operation. The
 * padding changes how much of the stack there is.
 */
function descend(..._padding: number[]): void {
  try {
    descend();
  } catch {
    // The end, or an error of the call itself.
  }
  if (next >= attempts.length) return;
  if (skipped > 0) {
    skipped--;
    return;
  }
  skipped = stride;
  const attempt = attempts[next++];
  try {
    for (let index = 0; index < next; index++) endError(attempts[index].error);
    attempt.value = attempt.action.call();
    attempt.isDone = true;
  } catch (error) {
    attempt.error = error;
  }
}

/** Tries operations near the end of the stack. Each is done, or has changed nothing. */
export function performDeep(world: World): void {
  if (world.fixture.without.has("stack")) return;
  world.isBatch = true;
  const planned = planDeep(world);
  attempts = planned.map((action) => ({
    action,
    isDone: false,
    value: undefined,
    error: undefined,
  }));
  next = 0;
  skipped = world.random.below(16);
  stride = world.random.below(3);
  const padding = new Array(world.random.below(24)).fill(0);
  world.isQuiet = true;
  world.fixture.gate[0] = 1;
  descend(...padding);
  world.fixture.gate[0] = 0;
  world.isQuiet = false;
  world.hasGarbage = true;
  const tried = attempts;
  attempts = [];
  for (const { action, isDone, value, error } of tried) {
    world.operations++;
    world.note(
      `near the end of the stack: ${action.what}${isDone ? "" : `, ${error}`}`,
    );
    action.settle(
      new Outcome({ isDeep: true }, false, !isDone, value, error),
    );
    endError(error);
  }
  world.isBatch = false;
}

/** One kind of operation, to meet every call in it, or all kinds. */
function planDeep(world: World): Action[] {
  const { random } = world;
  const choice = random.once(2) ? world.chooseAtomic() : undefined;
  return Array.from(
    { length: ATTEMPTS },
    () => choice?.plan(world, false) ?? world.planAtomic(),
  );
}

/** Performs an operation while requests for memory fail. */
export function performFailing(world: World): void {
  if (world.fixture.without.has("memory")) return;
  const { random, fixture } = world;
  const action = world.planAtomic();
  const minSize = random.once(2) ? 1_025 : 4_096;
  const oneIn = 1 + random.below(4);
  const seed = random.below(2 ** 31);
  let isDone = false, value: unknown, error: unknown;
  world.operations++;
  world.note(`while memory fails: ${action.what}`);
  world.isQuiet = true;
  fixture.gate[0] = 1;
  fixture.whileFailing(minSize, oneIn, seed, () => {
    try {
      value = action.call();
      isDone = true;
    } catch (thrown) {
      error = thrown;
    }
  });
  fixture.gate[0] = 0;
  world.isQuiet = false;
  world.hasGarbage = true;
  action.settle(new Outcome({ isFailing: true }, false, !isDone, value, error));
  endError(error);
}
