/** Operations on borrowed memory. */

import {
  type Borrowed,
  type BorrowOptions,
  type BorrowSource,
  type BufferError,
  python,
  type TypedArray,
  type TypedArrayConstructor,
} from "../../../../mod.ts";
import { BorrowedHandle, releasing } from "../handles.ts";
import { forged, names, options } from "../hostile.ts";
import { Memory, type Thing } from "../model.ts";
import { expect } from "../outcome.ts";
import { areSame, bufferOf, isDetached } from "../primordials.ts";
import { anyValue, errorsOf } from "../values.ts";
import { type Choice, type Operation, remove, type World } from "../world.ts";

const MAX_BORROWED = 6;

/** Keeps what was borrowed. Where it is a copy, or nobody knows what it is of, the memory is its own. */
function keep(
  world: World,
  borrowed: Borrowed<TypedArray>,
  thing: Thing | undefined,
): void {
  const { view } = borrowed;
  const bytes = new Uint8Array(bufferOf(view));
  const isKnown = thing?.memory !== undefined && !borrowed.copied;
  const memory = isKnown ? thing.memory! : new Memory(bytes.slice(), undefined);
  expect(areSame(bytes, memory.contents), "the contents of borrowed memory");
  world.borrowed.push(
    new BorrowedHandle(borrowed, view, memory, isKnown ? thing : undefined),
  );
}

/** Borrows from a reference, or from a block that is given. */
const borrow: Operation = (world, isHostile) => {
  if (world.borrowed.length >= MAX_BORROWED) return;
  const { random } = world;
  const handle = random.once(2) ? world.pick(world.references) : undefined;
  const argument = anyValue(world, isHostile);
  const type = random.once(4) ? Float64Array : undefined;
  const copy = random.once(3);
  const byPointer = handle !== undefined && !isHostile && random.once(3);
  const plain: Record<string, unknown> = { copy };
  if (handle === undefined) {
    plain.names = names(world, { a: argument.value }, isHostile);
  }
  const passed = options(world, plain, isHostile) as BorrowOptions;
  if (handle !== undefined) {
    argument.settle();
    if (byPointer) handle.pinned++;
  }
  const reference = handle?.reference;
  const thing = handle === undefined ? undefined : handle.thing;
  const isScopeForged = isHostile && random.once(10);
  if (isScopeForged) {
    Object.defineProperty(plain, "scope", { value: forged(world) });
  }
  return {
    what: `borrow from ${
      handle === undefined
        ? "a value"
        : `reference ${world.references.indexOf(handle)}`
    }${copy ? ", copying" : ""}`,
    call() {
      const source = reference === undefined
        ? "a"
        : byPointer
        ? reference.pointer
        : reference;
      return type === undefined
        ? python.borrow(source as BorrowSource, passed)
        : python.borrow(
          source as BorrowSource,
          type as TypedArrayConstructor<TypedArray>,
          passed,
        );
    },
    settle(outcome) {
      if (byPointer) handle.pinned--;
      if (handle === undefined) argument.settle();
      if (outcome.isDeepOrFailing) world.hasGarbage = true;
      const errors: Record<string, boolean> = handle === undefined
        ? errorsOf([argument], outcome.isDisturbed)
        : {
          FreedError: handle.isDisposed || handle.ending > 0,
          RangeError: handle.ending > 0 ||
            (outcome.isDisturbed && handle.isDisposed),
        };
      const isDone = outcome.isDone({
        ...errors,
        TypeError: errors.TypeError || isScopeForged,
        RangeError: errors.RangeError || isScopeForged,
        BufferError: true,
        "PythonError:TypeError": true,
        "PythonError:ValueError": true,
        "PythonError:BufferError": true,
        "PythonError:RuntimeError": true,
      });
      if (!isDone) return checkRefusal(outcome.error);
      const borrowed = outcome.value as Borrowed<TypedArray>;
      if (isDetached(bufferOf(borrowed.view))) return;
      const isKnown = handle !== undefined || !argument.isForged;
      const of = thing ?? (isKnown ? argument.thing() : undefined);
      if (outcome.isDisturbed && !borrowed.copied) {
        // What it is of may have changed hands; its contents are read once.
        borrowed[Symbol.dispose]();
        return;
      }
      keep(world, borrowed, of);
    },
  };
};

function checkRefusal(error: unknown): void {
  if ((error as Error).name !== "BufferError") return;
  const { reason, format, shape } = error as BufferError;
  expect(
    typeof reason === "string" && typeof format === "string" &&
      Array.isArray(shape),
    "a BufferError with its fields",
  );
}

/** Borrows a variable of a scope. */
const borrowVariable: Operation = (world, isHostile) => {
  if (world.borrowed.length >= MAX_BORROWED) return;
  const scope = world.pick(world.scopes);
  if (scope === undefined || scope.busy > 0) return;
  const found = world.pick([...scope.variables]);
  if (found === undefined) return;
  const [name, thing] = found;
  const copy = world.random.once(4);
  const passed = options(world, { scope: scope.scope, copy }, isHostile);
  return {
    what: `borrow ${name} of scope ${world.scopes.indexOf(scope)}`,
    call: () => python.borrow(name, passed),
    settle(outcome) {
      if (outcome.isDeepOrFailing) world.hasGarbage = true;
      const isDone = outcome.isDone({
        FreedError: scope.isDisposed || scope.ending > 0,
        RangeError: scope.ending > 0 ||
          (outcome.isDisturbed && scope.isDisposed),
        BufferError: thing.readonly || outcome.isDisturbed,
        PythonError: thing.memory === undefined || outcome.isDisturbed,
      });
      if (!isDone) return;
      const borrowed = outcome.value as Borrowed<TypedArray>;
      if (outcome.isDisturbed) return void borrowed[Symbol.dispose]();
      keep(world, borrowed, thing);
    },
  };
};

const giveBack: Operation = (world) => {
  const handle = world.pick(world.borrowed);
  if (handle === undefined) return;
  handle.ending++;
  const released = releasing(handle.holds === undefined ? [] : [handle.holds]);
  return {
    what: "dispose borrowed memory",
    call: () => handle.borrowed[Symbol.dispose](),
    settle(outcome) {
      handle.ending--;
      released();
      if (!outcome.isDone()) return;
      expect(handle.borrowed.disposed, "disposed borrowed memory");
      expect(
        handle.buffer === undefined || isDetached(handle.buffer),
        "a detached view",
      );
      if (!handle.isDisposed) handle.end();
      remove(world.borrowed, handle);
    },
  };
};

const look: Operation = (world) => {
  const handle = world.pick(world.borrowed);
  if (handle === undefined) return;
  return {
    what: "look at borrowed memory",
    call: () => handle.borrowed.view,
    settle(outcome) {
      const isEnded = handle.isDisposed || handle.ending > 0;
      if (!outcome.isDone({ FreedError: isEnded })) return;
      expect(outcome.value === handle.view, "the same view");
    },
  };
};

const write: Operation = (world) => {
  const handle = world.pick(world.borrowed);
  if (handle?.buffer === undefined) return;
  const { memory, buffer } = handle;
  if (memory.size === 0 || isDetached(buffer)) return;
  const offset = world.random.below(memory.size);
  const byte = Uint8Array.of(0x80 | world.random.below(128));
  return {
    what: "write to borrowed memory",
    call: () => undefined,
    settle() {
      new Uint8Array(buffer).set(byte, offset);
      memory.write(offset, byte);
    },
  };
};

/** What memory can't be borrowed from. */
const misuse: Operation = (world, isHostile) => {
  if (!isHostile) return;
  const source = forged(world) as BorrowSource;
  return {
    what: "borrow from something forged",
    call: () => python.borrow(source),
    settle: (outcome) =>
      outcome.expectThrown({ TypeError: true, RangeError: true }),
  };
};

/** Operations on borrowed memory. */
export const BORROWING: readonly Choice[] = [
  { weight: 8, plan: borrow, isAtomic: true },
  { weight: 5, plan: borrowVariable, isAtomic: true },
  { weight: 6, plan: giveBack, isAtomic: true },
  { weight: 3, plan: look, isAtomic: true },
  { weight: 3, plan: write },
  { weight: 1, plan: misuse },
];
