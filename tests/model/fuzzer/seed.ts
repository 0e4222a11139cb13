/** A seed: operations in a random order, and in the end everything is freed and counted. */

import { python } from "../../../mod.ts";
import { Random } from "../sharing/random.ts";
import {
  checkCounts,
  checkVariable,
  checkWorld,
  collectAll,
} from "./checks.ts";
import { ARENAS, disposeArenas } from "./operations/arenas.ts";
import { ASYNCHRONOUS, settleRuns } from "./operations/asynchronous.ts";
import { ATTACHMENTS, disposeAttachments } from "./operations/attachments.ts";
import { BLOCKS } from "./operations/blocks.ts";
import { BORROWING } from "./operations/borrowing.ts";
import { freeRaws, RAW } from "./operations/raw.ts";
import { REFERENCES } from "./operations/references.ts";
import { RUNNING } from "./operations/running.ts";
import { SCOPES } from "./operations/scopes.ts";
import { TRANSFERS } from "./operations/transfers.ts";
import { endWorker, startWorker, WORKERS } from "./operations/workers.ts";
import { expect, Mismatch } from "./outcome.ts";
import { anyPatch } from "./patches.ts";
import { performDeep, performFailing } from "./stack.ts";
import type { Fixture } from "./fixture.ts";
import { type Choice, remove, World } from "./world.ts";

/** A seed has so many steps, each an operation or some. */
export const STEPS = 400;

/** One of so many seeds has a Worker beside. */
const SEEDS_FOR_WORKER = 40;

/** What seeds are about: all of it, or some of it more often. */
const EVERYTHING: readonly Choice[] = [
  ...BLOCKS,
  ...TRANSFERS,
  ...RAW,
  ...RUNNING,
  ...SCOPES,
  ...REFERENCES,
  ...BORROWING,
  ...ATTACHMENTS,
  ...ASYNCHRONOUS,
  ...WORKERS,
];

const PARTS: readonly (readonly Choice[])[] = [
  EVERYTHING,
  EVERYTHING,
  [...EVERYTHING, ...ARENAS],
  [...BLOCKS, ...TRANSFERS, ...RAW],
  [...BLOCKS, ...REFERENCES, ...BORROWING, ...TRANSFERS],
  [...BLOCKS, ...RUNNING, ...SCOPES, ...ATTACHMENTS],
  [...RUNNING, ...SCOPES, ...ASYNCHRONOUS, ...ATTACHMENTS],
];

/** Runs a seed, and gives how many operations it had. An error tells what was done last. */
export async function runSeed(
  seed: number,
  fixture: Fixture,
  steps: number = STEPS,
  /** Is called before each step: a Worker ends in one. */
  before: () => void = () => {},
): Promise<number> {
  const random = new Random(seed);
  const choices = random.pick(PARTS)!.filter(({ plan }) =>
    !fixture.without.has("attachments") ||
    !ATTACHMENTS.some((it) => it.plan === plan)
  );
  const world = new World(seed, random, fixture, choices);
  fixture.world = world;
  try {
    if (!fixture.isWorker && random.once(SEEDS_FOR_WORKER)) {
      if (!fixture.without.has("workers")) startWorker(world);
    }
    for (let done = 0; done < steps; done++) {
      before();
      await step(world);
    }
    await end(world);
    return world.operations;
  } catch (error) {
    throw report(world, error);
  } finally {
    fixture.world = undefined;
  }
}

/** The failure of a seed, with what was done. */
function report(world: World, error: unknown): Error {
  const lines = world.log.map((line) => `\n  ${line}`).join("");
  const message = error instanceof Mismatch ? error.message : String(error);
  return new Error(`seed ${world.seed}: ${message}; it was${lines}`, {
    cause: error,
  });
}

async function step(world: World): Promise<void> {
  const { random, fixture } = world;
  switch (random.below(120)) {
    case 0:
      return await turn(world);
    case 11:
      // In a Worker, attached or not: it may end here.
      if (!fixture.isWorker) break;
      return await new Promise((go) => setTimeout(go, 0));
    case 1:
      performDeep(world);
      break;
    case 2:
    case 3:
      performFailing(world);
      break;
    case 4:
      lose(world);
      break;
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
      if (fixture.without.has("patches")) break;
      world.performPatched(world.planAny(random.once(2)), anyPatch(world));
      break;
    default:
      world.performAny();
  }
  world.rethrow();
  if (random.once(4)) {
    expect(
      fixture.isAttached() === world.isAttached,
      world.isAttached ? "an attached thread" : "a thread that isn't attached",
    );
  }
  if (random.once(8)) {
    checkWorld(world);
  }
  if (random.once(20)) checkVariables(world);
}

/** Code of Python's may run within, so that the world changes meanwhile. */
function checkVariables(world: World): void {
  const scope = world.pick(world.scopes);
  if (scope === undefined || scope.isDisposed) return;
  world.isQuiet = true;
  try {
    for (const [name, thing] of scope.variables) {
      checkVariable(scope, name, thing);
    }
  } finally {
    world.isQuiet = false;
  }
}

/** JavaScript loses something without freeing it. */
function lose(world: World): void {
  const { random } = world;
  world.hasGarbage = true;
  switch (random.below(5)) {
    case 0: {
      const handle = world.pick(world.blocks);
      if (handle === undefined) return;
      world.note("lose a block");
      handle.end();
      remove(world.blocks, handle);
      return;
    }
    case 1: {
      const handle = world.pick(world.buffers);
      if (handle === undefined) return;
      world.note("lose a buffer");
      handle.holds.release();
      remove(world.buffers, handle);
      return;
    }
    case 2: {
      const handle = world.pick(world.references);
      if (handle === undefined || handle.isDisposed) return;
      world.note("lose a reference");
      handle.end();
      remove(world.references, handle);
      return;
    }
    case 3: {
      const handle = world.pick(world.borrowed);
      if (handle === undefined || handle.isDisposed) return;
      world.note("lose borrowed memory");
      handle.end();
      remove(world.borrowed, handle);
      return;
    }
    default: {
      const handle = world.pick(world.scopes);
      if (handle === undefined || handle.isDisposed) return;
      world.note("lose a scope");
      handle.end();
      remove(world.scopes, handle);
    }
  }
}

/** A turn of the event loop: runs settle, finalisers run. Nobody is attached meanwhile. */
async function turn(world: World): Promise<void> {
  disposeAttachments(world);
  expect(!world.fixture.isAttached(), "a thread that isn't attached");
  world.note("a turn of the event loop");
  await new Promise((go) => setTimeout(go, 0));
  world.rethrow();
  await settleRuns(world, world.random.once(2));
  await endWorker(world, false);
  // A run that hasn't settled holds what it was given.
  if (world.runs.length === 0 && world.random.once(4)) {
    world.isQuiet = true;
    await checkCounts(world);
    if (world.hasGarbage) await collectAll(world);
    world.isQuiet = false;
  }
}

/** Frees everything. Then there is nothing left, and the library works as before. */
async function end(world: World): Promise<void> {
  const { fixture } = world;
  disposeAttachments(world);
  expect(!world.fixture.isAttached(), "a thread that isn't attached");
  await settleRuns(world, true);
  await endWorker(world, true);
  world.isQuiet = true;
  world.note("free everything");
  for (const { borrowed, isDisposed, holds } of world.borrowed) {
    borrowed[Symbol.dispose]();
    if (!isDisposed) holds?.release();
  }
  for (const { block, memory } of world.blocks) {
    block[Symbol.dispose]();
    memory?.release();
  }
  for (const handle of world.references) {
    handle.reference[Symbol.dispose]();
    if (!handle.isDisposed) handle.end();
  }
  for (const handle of world.scopes) {
    handle.scope[Symbol.dispose]();
    if (!handle.isDisposed) handle.end();
  }
  for (const { buffer, holds } of world.buffers) {
    buffer.transfer(0);
    holds.release();
  }
  disposeArenas(world);
  freeRaws(world);
  const { blocks, bytes } = world.ledger;
  expect(blocks === 0 && bytes === 0, "a model without memory");
  python.run("import fuzz; fuzz.gc.enable(); fuzz.gc.set_threshold(700)");
  if (!fixture.isWorker) fixture.isShared = false;
  await checkCounts(world);
  expect(await python.evalAsync("6 * 7") === 42, "42");
  expect(!world.fixture.isAttached(), "a thread that isn't attached");
}
