/** Prototypes and globals that user code has patched: what the library does by itself doesn't go by them. */

import {
  alloc,
  Arena,
  PyObjectRef,
  python,
  PythonError,
  PythonScope,
  realloc,
} from "../../../mod.ts";
import {
  ambush,
  type Ambushed,
  ATTACKS,
  type Bytes,
  LENGTH,
} from "./ambush.ts";
import type { Case } from "./case.ts";

const TypedArrayPrototype = Object.getPrototypeOf(Uint8Array.prototype);

const ArrayIteratorPrototype = Object.getPrototypeOf([][Symbol.iterator]());

/** What is patched: functions and accessors, by the object that has them. */
const PATCHED: [name: string, owner: object, keys: PropertyKey[]][] = [
  ["TypedArray.prototype", TypedArrayPrototype, [
    "length",
    "byteLength",
    "byteOffset",
    "buffer",
    "set",
    "fill",
    "subarray",
    Symbol.iterator,
    Symbol.toStringTag,
  ]],
  ["ArrayBuffer.prototype", ArrayBuffer.prototype, [
    "byteLength",
    "detached",
    "transfer",
    "slice",
  ]],
  ["ArrayBuffer", ArrayBuffer, ["isView", Symbol.species]],
  ["Array.prototype", Array.prototype, [
    "push",
    "pop",
    "map",
    "reduce",
    "join",
    Symbol.iterator,
  ]],
  ["Array", Array, ["isArray", "from", Symbol.species]],
  ["ArrayIterator.prototype", ArrayIteratorPrototype, ["next"]],
  ["Map.prototype", Map.prototype, ["get", "set", "delete", "size", "has"]],
  ["WeakMap.prototype", WeakMap.prototype, ["get", "set", "has", "delete"]],
  ["WeakRef.prototype", WeakRef.prototype, ["deref"]],
  ["Object", Object, ["entries", "freeze", "keys"]],
  ["Reflect", Reflect, ["apply", "construct", "ownKeys", "get"]],
  ["Number", Number, ["isSafeInteger", "isInteger"]],
  ["Math", Math, ["log2", "max", "min"]],
  ["String.prototype", String.prototype, ["normalize", "indexOf", "trimEnd"]],
  ["RegExp.prototype", RegExp.prototype, ["test", "exec"]],
  ["Promise.prototype", Promise.prototype, ["then"]],
  ["Function.prototype", Function.prototype, ["call", "apply", "bind"]],
  ["AbortSignal.prototype", AbortSignal.prototype, [
    "throwIfAborted",
    "aborted",
    "addEventListener",
  ]],
];

/** Has a function or accessor run user code before it does what it does. Returns what undoes that. */
function patch(
  owner: object,
  key: PropertyKey,
  hook: (receiver: unknown, args: unknown[]) => void,
): () => void {
  const original = Object.getOwnPropertyDescriptor(owner, key)!;
  const apply = Reflect.apply;
  // deno-lint-ignore ban-types -- whatever function it is
  const hooked = (original: Function) =>
    function (this: unknown, ...args: unknown[]): unknown {
      hook(this, args);
      return apply(original, this, args);
    };
  const { get, value } = original;
  Object.defineProperty(owner, key, {
    ...original,
    ...(get === undefined ? { value: hooked(value) } : { get: hooked(get) }),
  });
  return () => Object.defineProperty(owner, key, original);
}

const toBytes = python.eval("lambda *args: bytes(args[0])") as PyObjectRef;

const signal = new AbortController().signal;

/** Operations that do a little of everything. */
const OPERATIONS: Record<string, (block: Bytes) => unknown> = {
  eval: (block) =>
    python.eval("bytes(block)", { names: { block, other: 1 }, signal }),
  evalAsync: (block) =>
    python.evalAsync("bytes(block)", { names: { block }, signal }),
  "eval that gives the block back": (block) => {
    python.eval("block", { names: { block } });
  },
  "eval that raises": (block) => {
    try {
      python.eval("1 / 0", { names: { block } });
    } catch (error) {
      // That is what it does. Its frames hold the block.
      if (error instanceof PythonError) error[Symbol.dispose]();
    }
  },
  call: (block) => toBytes.call(block),
  "call with several arguments": (block) =>
    toBytes.call(block, new Uint8Array(2), "text"),
  toPython: (block) => {
    using object = new PyObjectRef(block.toPython({ shape: [4, LENGTH / 4] }));
    return python.eval("bytes(it)", { names: { it: object } });
  },
  borrow: (block) => {
    using borrowed = python.borrow("bytearray(block)", { names: { block } });
    return borrowed.view.slice();
  },
  view: (block) => block.view.slice(),
  "alloc of the view": (block) => {
    using copy = alloc(Uint8Array, block.view);
    return copy.view.slice();
  },
  "alloc of an array": () => {
    alloc(Uint8Array, [1, 2, 3]).free();
  },
  realloc: (block) => {
    realloc(block, LENGTH);
  },
  free: (block) => block.free(),
  dispose: (block) => block[Symbol.dispose](),
  "a scope": (block) => {
    using scope = new PythonScope();
    python.run("copy = bytes(block)", { scope, names: { block } });
    return scope.get("copy");
  },
  "an arena": () => {
    using arena = new Arena({ chunkBytes: 128 });
    for (let time = 0; time < 20; time++) arena.alloc(Float64Array, 2);
    arena.reset();
  },
};

const hooks: Case[] = PATCHED.flatMap(([name, owner, keys]) =>
  keys.map((key) => ({
    name: `${name}[${String(key)}] that attacks`,
    async run() {
      for (const [what, operation] of Object.entries(OPERATIONS)) {
        for (const [how, attack] of Object.entries(ATTACKS)) {
          let isCalled = false;
          const ambushed: Ambushed = async (block, attack) => {
            const unpatch = patch(owner, key, () => {
              isCalled = true;
              attack();
            });
            try {
              return await operation(block);
            } finally {
              unpatch();
            }
          };
          await naming(
            `${what}, where user code ${how}`,
            () => ambush(ambushed, attack, { view: true }),
          );
          // It isn't called by this operation, so the other attacks wouldn't be either.
          if (!isCalled) break;
        }
      }
    },
  }))
);

/** Says in which case an error was thrown. */
async function naming(what: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
  }
}

/** The buffers among what user code got to see, in objects too. */
function buffersIn(seen: readonly unknown[]): ArrayBuffer[] {
  const inObjects = seen.flatMap((it) =>
    typeof it === "object" && it !== null && !ArrayBuffer.isView(it)
      ? [it, ...Object.values(it)]
      : [it]
  );
  return inObjects.filter((it) => it instanceof ArrayBuffer);
}

const transfer = ArrayBuffer.prototype.transfer;

/** Takes the memory of whatever buffer user code gets to see, and gives it another's prototype. */
function plunder(seen: readonly unknown[], own: Bytes): void {
  for (const buffer of buffersIn(seen)) {
    if (buffer === own.view.buffer) continue;
    try {
      transfer.call(buffer, 0);
    } catch {
      // It can't be detached.
    }
  }
}

const plunderings: Case[] = PATCHED.flatMap(([name, owner, keys]) =>
  keys.map((key) => ({
    name: `${name}[${
      String(key)
    }] that takes the memory of every buffer that it sees`,
    async run() {
      for (const [what, operation] of Object.entries(OPERATIONS)) {
        let isIn = false;
        const ambushed: Ambushed = async (block) => {
          const unpatch = patch(owner, key, (receiver, args) => {
            if (isIn) return;
            isIn = true;
            try {
              plunder([receiver, ...args], block);
            } finally {
              isIn = false;
            }
          });
          try {
            return await operation(block);
          } finally {
            unpatch();
          }
        };
        await naming(what, () => ambush(ambushed, () => {}, { view: true }));
      }
    },
  }))
);

/** Setters of indices and names on prototypes, which get to see what is put into arrays and objects. */
const setters: Case[] = [
  ["Array.prototype", Array.prototype, ["0", "1", "2"]],
  ["Object.prototype", Object.prototype, [
    "buffer",
    "slot",
    "scope",
    "names",
    "cause",
    "then",
    "tag",
    "value",
  ]],
].map(([name, owner, keys]) => ({
  name: `setters on ${name} see nothing of the library's`,
  async run() {
    for (const [what, operation] of Object.entries(OPERATIONS)) {
      const ambushed: Ambushed = async (block) => {
        for (const key of keys as string[]) {
          Object.defineProperty(owner, key, {
            configurable: true,
            get: () => undefined,
            set(value) {
              plunder([value], block);
            },
          });
        }
        try {
          return await operation(block);
        } finally {
          for (const key of keys as string[]) {
            Reflect.deleteProperty(owner as object, key);
          }
        }
      };
      await naming(what, () => ambush(ambushed, () => {}, { view: true }));
    }
  },
}));

/** The cases of patched prototypes. */
export const CASES: readonly Case[] = [...hooks, ...plunderings, ...setters];
