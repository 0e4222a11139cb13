/** Operations on references to Python objects, and blocks as Python objects. */

import { py, PyObjectRef, python, type PythonValue } from "../../../../mod.ts";
import { releasing } from "../handles.ts";
import { act, badNumber, forged, options } from "../hostile.ts";
import { Thing } from "../model.ts";
import { expect } from "../outcome.ts";
import { anyValue, errorsOf, keep } from "../values.ts";
import { type Choice, type Operation, remove, type World } from "../world.ts";

/** A Python object over a block's memory. */
const toPython: Operation = (world, isHostile) => {
  const handle = world.pick(world.blocks);
  if (handle === undefined) return;
  const { random } = world;
  const { length, block } = handle;
  const readonly = random.once(3);
  const isBad = isHostile && random.once(2);
  const divisor = length % 2 === 0 && length > 0 ? 2 : 1;
  const shape: unknown = random.once(2)
    ? undefined
    : isBad
    ? random.pick<unknown>([
      [badNumber(world, length)],
      [length + 1],
      [2 ** 40, 2 ** 40],
      { length: 1, reduce: () => (act(world), length), join: () => "" },
      new Proxy([length], {
        get: (target, key) => (act(world), Reflect.get(target, key)),
      }),
      "shape",
      null,
      { [Symbol.iterator]: () => [length][Symbol.iterator]() },
    ])
    : random.pick([[length], [length / divisor, divisor], [1, length]]);
  const passed = options(
    world,
    { readonly, shape: shape as number[] },
    isHostile,
  );
  const { memory } = handle;
  if (memory !== undefined) memory.maybeHeld++;
  return {
    what: `toPython of block ${world.blocks.indexOf(handle)}${
      readonly ? ", read-only" : ""
    }${isBad ? ", a bad shape" : ""}`,
    call: () => block.toPython(passed),
    settle(outcome) {
      if (memory !== undefined) memory.maybeHeld--;
      const isDone = outcome.isDone({
        FreedError: handle.isFreed,
        RangeError: isBad || outcome.isDisturbed ||
          (shape !== undefined &&
            (handle.isFreed || handle.length !== length)),
        TypeError: isBad,
        InternalTypeError: isBad,
      });
      if (!isDone) return;
      expect(memory !== undefined, "a FreedError for a freed block");
      const pointer = outcome.value as Deno.PointerObject;
      const thing = new Thing("block", handle.memory ?? memory, "it", readonly);
      keep(world, new PyObjectRef(pointer), thing);
    },
  };
};

const dispose: Operation = (world) => {
  const handle = world.pick(world.references);
  if (handle === undefined || handle.pinned > 0) return;
  handle.ending++;
  const released = releasing([handle.thing]);
  return {
    what: `dispose reference ${world.references.indexOf(handle)}`,
    call: () => handle.reference[Symbol.dispose](),
    settle(outcome) {
      handle.ending--;
      released();
      if (!outcome.isDone()) return;
      if (!handle.isDisposed) handle.end();
      else remove(world.references, handle);
      expect(handle.reference.disposed, "a disposed reference");
    },
  };
};

/** Another reference to the same object, by its pointer. */
const again: Operation = (world) => {
  const handle = world.pick(world.references);
  if (handle === undefined) return;
  handle.pinned++;
  const { reference } = handle;
  return {
    what: `PyObjectRef.from of reference ${world.references.indexOf(handle)}`,
    call: () => PyObjectRef.from(reference.pointer),
    settle(outcome) {
      handle.pinned--;
      const isEnded = handle.isDisposed || handle.ending > 0;
      const isRefused = isEnded && (outcome.isDisturbed || handle.ending > 0);
      const errors = { FreedError: isEnded, RangeError: isRefused };
      if (!outcome.isDone(errors)) return;
      keep(world, outcome.value as PyObjectRef, handle.thing);
    },
  };
};

/** The errors of Python objects that were called, or asked for what they haven't. */
const PYTHON_ERRORS = {
  "PythonError:TypeError": true,
  "PythonError:AttributeError": true,
  "PythonError:RuntimeError": true,
  "PythonError:ValueError": true,
};

/** Compiled here, where nothing is patched yet. */
const apply = (callable: PyObjectRef, values: readonly unknown[]) =>
  py`${callable}(*${values})`;
apply(python.eval("len") as PyObjectRef, ["x"]);

/** The ways to call an object: as a reference, as a proxy, in a template, and in a region. */
const CALLS: readonly ((
  reference: PyObjectRef,
  values: PythonValue[],
  world: World,
) => unknown)[] = [
  (reference, values) => reference.call(...values),
  (reference, values) => python.proxy(reference).$call(...values),
  apply,
  callInRegion,
];

/** Call an object in a region. What hostile code would keep of its own ends with that, so none runs. */
function callInRegion(
  reference: PyObjectRef,
  values: PythonValue[],
  world: World,
): unknown {
  const { isQuiet } = world;
  world.isQuiet = true;
  try {
    return python.region(() => reference.call(...values));
  } finally {
    world.isQuiet = isQuiet;
  }
}

/** Ends what an operation has returned, a proxy too. */
function endValue(value: unknown): void {
  if (value instanceof PyObjectRef) return value[Symbol.dispose]();
  const isObject = typeof value === "object" || typeof value === "function";
  if (!isObject || value === null) return;
  try {
    python.ref(value as never)[Symbol.dispose]();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

const call: Operation = (world, isHostile) => {
  const handle = world.pick(world.references);
  if (handle === undefined) return;
  const { random } = world;
  const { reference } = handle;
  const argument = Array.from(
    { length: random.below(4) },
    () => anyValue(world, isHostile),
  );
  const values = argument.map(({ value }) => value) as PythonValue[];
  const way = random.below(isHostile ? CALLS.length - 1 : CALLS.length);
  return {
    what: `call reference ${world.references.indexOf(handle)} (${way})`,
    call: () => CALLS[way](reference, values, world),
    settle(outcome) {
      for (const it of argument) it.settle();
      if (outcome.isDeepOrFailing) world.hasGarbage = true;
      const isEnded = handle.isDisposed || handle.ending > 0;
      const errors = errorsOf(argument, outcome.isDisturbed);
      const isDone = outcome.isDone({
        ...errors,
        ...PYTHON_ERRORS,
        FreedError: errors.FreedError || isEnded,
        RangeError: errors.RangeError ||
          (isEnded && (outcome.isDisturbed || handle.ending > 0)),
        PythonError: argument.some((it) => it.isForged),
      });
      if (isDone) endValue(outcome.value);
    },
  };
};

const attribute: Operation = (world, isHostile) => {
  const handle = world.pick(world.references);
  if (handle === undefined) return;
  const { random } = world;
  const name = random.pick(["missing", "__class__", "append", "x\0y", "日本"])!;
  const isOdd = isHostile && random.once(2);
  const argument = isOdd
    ? { toString: () => (act(world), name) } as unknown as string
    : name;
  const isByProxy = !isOdd && random.once(2);
  return {
    what: `get of ${isByProxy ? "a proxy of " : ""}reference ${
      world.references.indexOf(handle)
    }`,
    call: () =>
      isByProxy
        ? python.proxy(handle.reference)[name]
        : handle.reference.get(argument),
    settle(outcome) {
      if (outcome.isDeepOrFailing) world.hasGarbage = true;
      const isEnded = handle.isDisposed || handle.ending > 0;
      const isDone = outcome.isDone({
        ...PYTHON_ERRORS,
        FreedError: isEnded,
        RangeError: isEnded && (outcome.isDisturbed || handle.ending > 0),
        TypeError: isOdd,
      });
      if (isDone) endValue(outcome.value);
    },
  };
};

const text: Operation = (world) => {
  const handle = world.pick(world.references);
  if (handle === undefined) return;
  const way = world.random.below(3);
  const { reference } = handle;
  return {
    what: `text of reference ${world.references.indexOf(handle)}`,
    call: () =>
      way === 0
        ? reference.toString()
        : way === 1
        ? `${reference}`
        : reference.pointer,
    settle(outcome) {
      const isEnded = handle.isDisposed || handle.ending > 0;
      const errors = {
        ...PYTHON_ERRORS,
        FreedError: isEnded,
        RangeError: isEnded && (outcome.isDisturbed || handle.ending > 0),
      };
      if (!outcome.isDone(errors)) return;
      expect(outcome.value !== null, "a text or pointer");
      if (way < 2) expect(typeof outcome.value === "string", "a text");
    },
  };
};

/** What isn't a reference, or a pointer, where one should be. */
const misuse: Operation = (world, isHostile) => {
  if (!isHostile) return;
  const what = forged(world);
  const { prototype } = PyObjectRef;
  const way = world.random.below(5);
  const calls = [
    () => new PyObjectRef(what as Deno.PointerObject),
    () => PyObjectRef.from(what as Deno.PointerObject),
    () => prototype.call.call(what),
    () => prototype.get.call(what, "x"),
    () => prototype.toString.call(what),
  ];
  return {
    what: `a forged reference or pointer (${way})`,
    call: calls[way],
    settle: (outcome) =>
      outcome.expectThrown({ TypeError: true, RangeError: true }),
  };
};

/** Operations on references. */
export const REFERENCES: readonly Choice[] = [
  { weight: 8, plan: toPython, isAtomic: true },
  { weight: 10, plan: dispose, isAtomic: true },
  { weight: 4, plan: again, isAtomic: true },
  { weight: 6, plan: call, isAtomic: true },
  { weight: 3, plan: attribute, isAtomic: true },
  { weight: 4, plan: text, isAtomic: true },
  { weight: 2, plan: misuse },
];
