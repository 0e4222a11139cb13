/** Histories: operations in a random order, each compared with the model, and a last one that releases everything. */

import {
  allocate,
  attachOrDetach,
  detachArray,
  type Operation,
  release,
  resize,
  resizeTooFar,
  takePart,
  toPython,
  transfer,
  write,
} from "./javascript_side.ts";
import { borrow, borrowWrongly, giveBack } from "./borrowing.ts";
import {
  fillInWorker,
  finish,
  holdInWorker,
  lose,
  putInWorker,
  read,
  runElsewhere,
  sendToWorker,
} from "./background.ts";
import {
  collect,
  contain,
  disposeReference,
  emptyArray,
  newArray,
  pass,
  passReference,
  raise,
  releaseView,
  remove,
  runInFreshScope,
  takeBack,
  view,
  writeInPython,
} from "./python_side.ts";
import type { Surroundings } from "./fixture.ts";
import {
  ArrayHandle,
  BlockHandle,
  BorrowedHandle,
  HAS_GIL,
  PendingHandle,
  VARIABLES,
  World,
} from "./world.ts";

/** What can be done, and how often it is, in proportion. */
type Weights = readonly (readonly [weight: number, operation: Operation])[];

/** What takes next to no time. */
const QUICK: Weights = [
  [5, allocate],
  [5, write],
  [6, takePart],
  [10, resize],
  [2, resizeTooFar],
  [7, release],
  [5, transfer],
  [5, detachArray],
  [8, toPython],
  [1, attachOrDetach],
  [9, pass],
  [6, passReference],
  [8, takeBack],
  [4, disposeReference],
  [10, view],
  [6, releaseView],
  [5, writeInPython],
  [6, remove],
  [6, contain],
  [1, collect],
  [2, newArray],
  [6, emptyArray],
  [4, raise],
  [1, runInFreshScope],
  [20, borrow],
  [2, borrowWrongly],
  [10, giveBack],
];

/** What has V8 collect garbage. */
const LOSING: Weights = [...QUICK, [60, lose]];

/** What waits for other threads. */
const WAITING: Weights = [
  ...QUICK,
  [25, read],
  [25, runElsewhere],
  [40, finish],
];

/** What waits for a Worker. */
const WITH_WORKER: Weights = [
  ...WAITING,
  [25, sendToWorker],
  [25, holdInWorker],
  [25, putInWorker],
  [25, fillInWorker],
];

/** A history has so many operations at least, and fewer than twice as many. */
const MIN_OPERATIONS = 8;

/** Runs the history of a seed. An error tells the seed, and what was done. */
export async function runHistory(
  seed: number,
  surroundings: Surroundings,
): Promise<number> {
  const world = new World(seed, surroundings);
  try {
    const weights = weightsOf(world);
    const count = MIN_OPERATIONS + world.random.below(MIN_OPERATIONS);
    for (let done = 0; done < count; done++) {
      await step(world, weights);
    }
    await letGoOfEverything(world);
    return count;
  } catch (error) {
    const did = world.log.map((line) => `\n  ${line}`).join("");
    const { message } = error as Error;
    throw new Error(`history ${seed}: ${message}; it was${did}`, {
      cause: error,
    });
  }
}

function weightsOf({ random }: World): Weights {
  if (random.once(400)) return LOSING;
  if (random.once(200)) return WAITING;
  if (random.once(200)) return WITH_WORKER;
  return QUICK;
}

/** Does one thing, and compares. What there is nothing to do with is left out. */
async function step(world: World, weights: Weights): Promise<void> {
  const { log, random } = world;
  while (true) {
    const operation = anyOperation(world, weights);
    log.push(operation.name);
    const did = operation(world);
    const line = did instanceof Promise ? await did : did;
    log.pop();
    if (line === undefined) continue;
    log.push(line);
    break;
  }
  // What other threads made is theirs to free.
  if (!HAS_GIL && weights !== QUICK) collect(world);
  world.checkCounts();
  world.checkHandles();
  if (random.once(3)) world.checkVariable(random.below(VARIABLES));
}

function anyOperation({ random }: World, weights: Weights): Operation {
  const sum = weights.reduce((sum, [weight]) => sum + weight, 0);
  let place = random.below(sum);
  return weights.find(([weight]) => (place -= weight) < 0)![1];
}

/** Ends a history: whoever holds something releases it, in a random order, and then nothing may be left. */
async function letGoOfEverything(world: World): Promise<void> {
  const { handles, random, variables } = world;
  for (let at = 0; at < VARIABLES; at++) world.checkVariable(at);
  world.log.push("release everything");
  while (handles.some((it) => it instanceof PendingHandle)) {
    await finish(world);
  }
  world.letGo();
  const clear = () => {
    world.run(`v[:] = [None] * ${VARIABLES}`);
    variables.length = 0;
    if (world.model.hasCycles || !HAS_GIL) collect(world);
  };
  if (random.once(2)) clear();
  while (handles.length > 0) {
    const [handle] = handles.splice(random.below(handles.length), 1);
    if (handle instanceof BlockHandle) handle.block[Symbol.dispose]();
    else if (handle instanceof ArrayHandle) detach(handle.array.buffer);
    else if (handle instanceof BorrowedHandle) {
      handle.borrowed[Symbol.dispose]();
    } else if (!(handle instanceof PendingHandle)) {
      handle.reference[Symbol.dispose]();
    }
  }
  clear();
  world.checkCounts();
}

function detach(buffer: ArrayBuffer): void {
  if (!buffer.detached) buffer.transfer(0);
}
