/** Values for Python, and what comes back. */

import { PyObjectRef, type PythonValue } from "../../../mod.ts";
import { expectSomeVersion } from "./checks.ts";
import { type BlockHandle, ReferenceHandle } from "./handles.ts";
import { isAnyArrayBuffer } from "node:util/types";
import { forged } from "./hostile.ts";
import { Memory, Thing } from "./model.ts";
import { expect, type Outcome } from "./outcome.ts";
import { areSame } from "./primordials.ts";
import type { World } from "./world.ts";

/** A value that is given to Python. */
export class Argument {
  readonly #memory: Memory | undefined;
  /** What the operation may hold for its duration, by the object of a reference, too. */
  readonly #held: Memory | undefined;
  readonly #wasEnded: boolean;

  constructor(
    readonly value: unknown,
    readonly handle: BlockHandle | ReferenceHandle | undefined,
    /** Whether Python can't have it. */
    readonly isForged: boolean,
  ) {
    this.#memory = handle !== undefined && "memory" in handle
      ? handle.memory
      : undefined;
    this.#wasEnded = this.isEnded;
    this.#held = this.memory;
    if (this.#held !== undefined) this.#held.maybeHeld++;
  }

  /** The operation that it was given to has ended. */
  settle(): void {
    if (this.#held !== undefined) this.#held.maybeHeld--;
  }

  /** Whether it is a block or reference that isn't any more. */
  get isEnded(): boolean {
    const { handle } = this;
    if (handle === undefined) return false;
    return "memory" in handle
      ? handle.isFreed
      : handle.isDisposed || handle.ending > 0;
  }

  /** Whether its disposal is in progress. */
  get isEnding(): boolean {
    const { handle } = this;
    return handle !== undefined && "ending" in handle && handle.ending > 0;
  }

  /** Whether it was one when the operation was planned. */
  get wasEnded(): boolean {
    return this.#wasEnded;
  }

  /** What Python has of it: an object of its own for each time that a block is given. */
  thing(): Thing {
    if (this.handle instanceof ReferenceHandle) return this.handle.thing;
    if (this.#memory !== undefined) {
      return new Thing("block", this.#memory, "a block");
    }
    if (!this.isForged && this.value instanceof Uint8Array) {
      const copy = new Memory(this.value.slice(), undefined);
      return new Thing("bytes", copy, "bytes", true);
    }
    return new Thing("other", undefined, "a value");
  }

  get memory(): Memory | undefined {
    return this.handle instanceof ReferenceHandle
      ? this.handle.thing.memory
      : this.#memory;
  }
}

const VALUES: readonly PythonValue[] = [
  null,
  true,
  false,
  0,
  -0,
  1.5,
  NaN,
  2 ** 53,
  -(2 ** 31),
  2n ** 70n,
  -1n,
  "",
  "text",
  "ünï 日本 🐍",
  "\ud800 lone",
  "nul\0",
];

/** A value, a block, a reference, or a forged one. */
export function anyValue(world: World, isHostile: boolean): Argument {
  const { random } = world;
  if (isHostile && random.once(5)) {
    const value = forged(world);
    // A buffer is a value: it would be a block of Python's, which the model doesn't count.
    const isBuffer = isAnyArrayBuffer(value) || ArrayBuffer.isView(value);
    return new Argument(isBuffer ? Symbol() : value, undefined, true);
  }
  if (random.once(2)) {
    const handle = world.pick(world.blocks);
    if (handle !== undefined) return new Argument(handle.block, handle, false);
  }
  if (random.once(2)) {
    const handle = world.pick(world.references);
    if (handle !== undefined) {
      return new Argument(handle.reference, handle, false);
    }
  }
  if (random.once(4)) {
    const size = random.once(10) ? 2_000 : random.below(20);
    return new Argument(random.bytes(size), undefined, false);
  }
  const value = random.pick(VALUES);
  const isLone = typeof value === "string" && !value.isWellFormed();
  if (isLone && world.fixture.without.has("surrogates")) {
    return new Argument(null, undefined, false);
  }
  return new Argument(value, undefined, false);
}

/** The errors of values that can't be given. */
export function errorsOf(
  argument: readonly Argument[],
  isDisturbed = false,
): Record<string, boolean> {
  const isEnded = argument.some((it) => it.isEnded || it.wasEnded);
  return {
    FreedError: isEnded,
    TypeError: argument.some((it) => it.isForged),
    // One that a finaliser ended in the middle of the call is refused by native code.
    RangeError: argument.some((it) => it.isForged) ||
      (isEnded && (isDisturbed || argument.some((it) => it.isEnding))),
    InternalTypeError: argument.some((it) => it.isForged),
  };
}

/** Fails unless a value that went to Python came back as it should; keeps a reference. */
export function expectBack(
  world: World,
  argument: Argument,
  outcome: Outcome,
): void {
  const { value } = outcome;
  if (value instanceof PyObjectRef) {
    keep(world, value, argument.thing());
    if (argument.isForged) return;
    expect(argument.handle !== undefined, "a value that isn't a reference");
    const isOwn = argument.handle instanceof ReferenceHandle;
    expect(
      isOwn || argument.isEnded || outcome.isDisturbed || world.hasGarbage,
      "the block itself",
    );
    return;
  }
  if (argument.isForged) {
    expect(value instanceof Uint8Array, "bytes of a forged array");
    return;
  }
  const { handle } = argument;
  if (handle instanceof ReferenceHandle) {
    if (handle.thing.kind === "block") {
      expect(
        world.hasGarbage || outcome.isDisturbed ||
          world.blocks.some(({ block }) => block === value),
        "a block of this world",
      );
      return;
    }
    expect(handle.thing.kind === "other", "a reference of an object");
    return;
  }
  if (handle !== undefined) {
    expect(value === handle.block, "the block itself");
    return;
  }
  if (argument.value instanceof Uint8Array) {
    expect(
      value instanceof Uint8Array && areSame(value, argument.value),
      "the bytes that were given",
    );
    return;
  }
  const isSame = Object.is(value, argument.value) ||
    (typeof argument.value === "bigint" && value === Number(argument.value));
  expect(isSame, `${String(argument.value)} back, not ${String(value)}`);
}

/** Keeps a reference. One too many is disposed. */
export function keep(world: World, reference: PyObjectRef, thing: Thing): void {
  const handle = new ReferenceHandle(reference, thing);
  if (world.references.length >= MAX_REFERENCES) {
    reference[Symbol.dispose]();
    handle.end();
    return;
  }
  world.references.push(handle);
}

/** There are at most so many references. */
const MAX_REFERENCES = 10;

/** Fails unless Python's bytes are a block's contents, or were during the operation. */
export function expectBytesOf(
  value: unknown,
  memory: Memory,
  what: string,
): void {
  expect(value instanceof Uint8Array, `bytes of ${what}`);
  expectSomeVersion(value, memory, what);
}
