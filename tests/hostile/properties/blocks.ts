/** Every place of the public API where user code runs while a block is given. */

import {
  alloc,
  free,
  PyObjectRef,
  python,
  PythonScope,
  type PythonValue,
  realloc,
  type RunOptions,
} from "../../../mod.ts";
import {
  ambush,
  type Ambushed,
  ATTACKS,
  type Bytes,
  LENGTH,
} from "./ambush.ts";
import type { Case } from "./case.ts";

/** What takes a block among the names of Python code. */
const RUNS: Record<string, (options: RunOptions) => unknown> = {
  eval: (options) => python.eval("bytes(block)", options),
  run: (options) => {
    using scope = new PythonScope();
    python.run("copy = bytes(block)", inScope(options, scope));
    return scope.get("copy");
  },
  evalAsync: (options) => python.evalAsync("bytes(block)", options),
  runAsync: async (options) => {
    using scope = new PythonScope();
    await python.runAsync("copy = bytes(block)", inScope(options, scope));
    return scope.get("copy");
  },
  borrow: (options) => {
    using borrowed = python.borrow("bytearray(block)", options);
    return borrowed.view.slice();
  },
};

/** The options, with a scope of their own. */
function inScope(options: RunOptions, scope: PythonScope): RunOptions {
  return Object.create(options, { scope: { value: scope } });
}

/** Options in which user code runs. */
const OPTIONS: Record<
  string,
  (block: Bytes, attack: () => void) => RunOptions
> = {
  "a getter of the signal": (block, attack) => ({
    names: { block },
    get signal() {
      attack();
      return undefined;
    },
  }),
  "a getter of the scope": (block, attack) => ({
    get scope() {
      attack();
      return undefined;
    },
    names: { block },
  }),
  "a getter of the names": (block, attack) => ({
    get names() {
      attack();
      return { block };
    },
  }),
  "a getter of another name, before": (block, attack) => ({
    names: {
      get before() {
        attack();
        return 1;
      },
      block,
    },
  }),
  "a getter of another name, after": (block, attack) => ({
    names: {
      block,
      get later() {
        attack();
        return 1;
      },
    },
  }),
  "a getter of the block's name": (block, attack) => ({
    names: {
      get block() {
        attack();
        return block;
      },
    },
  }),
  "the block's name twice, as NFKC has it": (block, attack) => ({
    names: {
      block,
      get "ｂlock"() {
        attack();
        return block;
      },
    },
  }),
  "a Proxy of the names": (block, attack) => ({
    names: ambushingProxy({ block, other: 1 }, attack),
  }),
  "a Proxy of the options": (block, attack) =>
    ambushingProxy({ names: { block } }, attack),
  "a signal's throwIfAborted": (block, attack) => ({
    names: { block },
    signal: signalWith({
      throwIfAborted: { value: attack },
    }),
  }),
  "a signal's aborted": (block, attack) => ({
    names: { block },
    signal: signalWith({
      aborted: {
        get() {
          attack();
          return false;
        },
      },
    }),
  }),
  "a signal's addEventListener": (block, attack) => ({
    names: { block },
    signal: signalWith({ addEventListener: { value: attack } }),
  }),
  "the prototype of a Proxy among the names": (block, attack) => ({
    names: {
      block,
      proxy: ambushingProxy(new Uint8Array(1), attack) as PythonValue,
    },
  }),
  "a getter of copy": (block, attack) => ({
    names: { block },
    get copy() {
      attack();
      return true;
    },
  } as RunOptions),
};

function signalWith(properties: PropertyDescriptorMap): AbortSignal {
  const { signal } = new AbortController();
  return Object.defineProperties(signal, properties);
}

/** A Proxy that attacks at each of its traps. */
export function ambushingProxy<Target extends object>(
  target: Target,
  attack: () => void,
): Target {
  const traps: Record<string, unknown> = {};
  for (const name of Object.getOwnPropertyNames(Reflect)) {
    traps[name] = (...args: unknown[]) => {
      attack();
      const trap = Reflect[name as keyof typeof Reflect] as (
        ...args: unknown[]
      ) => unknown;
      return trap(...args);
    };
  }
  return new Proxy(target, traps);
}

/** Reads what a Python object shows, and ends the reference that the pointer owns. */
function bytesOf(pointer: Deno.PointerObject): PythonValue {
  using object = new PyObjectRef(pointer);
  return python.eval("bytes(it)", { names: { it: object } });
}

const toBytes = python.eval("lambda *args: bytes(args[0])") as PyObjectRef;

/** What else takes a block, and something of the user's. */
const OPERATIONS: Record<string, Ambushed> = {
  "call, a Proxy among the arguments": (block, attack) =>
    toBytes.call(block, ambushingProxy(new Uint8Array(1), attack)),
  "call, a Proxy as the last of three arguments": (block, attack) =>
    toBytes.call(block, 1, ambushingProxy(new Uint8Array(1), attack)),
  "call, a typed array with a property of its own": (block, attack) =>
    toBytes.call(
      block,
      Object.defineProperty(new Uint8Array(1), Symbol.toStringTag, {
        get: attack,
      }),
    ),
  "toPython, a getter of the shape": (block, attack) =>
    bytesOf(block.toPython({
      get shape() {
        attack();
        return [LENGTH];
      },
    })),
  "toPython, a getter of readonly": (block, attack) =>
    bytesOf(block.toPython({
      shape: [LENGTH],
      get readonly() {
        attack();
        return false;
      },
    })),
  "toPython, an element of the shape": (block, attack) => {
    const shape = [0, 4];
    Object.defineProperty(shape, 0, {
      get() {
        attack();
        return LENGTH / 4;
      },
    });
    return bytesOf(block.toPython({ shape }));
  },
  "toPython, a Proxy of the shape": (block, attack) =>
    bytesOf(block.toPython({ shape: ambushingProxy([LENGTH], attack) })),
  "toPython, a shape that changes": (block, attack) => {
    let extent = LENGTH;
    const shape = Object.defineProperty([0], 0, {
      get() {
        attack();
        return extent++ === LENGTH ? LENGTH : 1_000_000;
      },
    });
    return bytesOf(block.toPython({ shape }));
  },
  "toPython, a shape with a reduce of its own": (block, attack) => {
    const shape = Object.assign([1_000_000], {
      reduce: () => {
        attack();
        return LENGTH;
      },
    });
    return bytesOf(block.toPython({ shape }));
  },
  "toPython, a Proxy of the options": (block, attack) =>
    bytesOf(block.toPython(ambushingProxy({ shape: [LENGTH] }, attack))),
  "realloc, a getter of zeroed": (block, attack) => {
    block.realloc(LENGTH, {
      get zeroed() {
        attack();
        return true;
      },
    });
  },
  "realloc, a Proxy of the options": (block, attack) => {
    realloc(block, LENGTH, ambushingProxy({ zeroed: true }, attack));
  },
  "realloc, a length with a valueOf": (block, attack) => {
    realloc(block, {
      valueOf() {
        attack();
        return LENGTH;
      },
    } as unknown as number);
  },
  "realloc of a Proxy of the block": (block, attack) => {
    realloc(ambushingProxy(block, attack), LENGTH);
  },
  "free of a Proxy of the block": (block, attack) => {
    free(ambushingProxy(block, attack));
  },
  "a Proxy of the block among the names": (block, attack) =>
    python.eval("bytes(it)", {
      names: { it: ambushingProxy(block, attack) as PythonValue },
    }),
  "alloc of its view, a getter of zeroed": (block, attack) => {
    using copy = alloc(Uint8Array, block.view, {
      get zeroed() {
        attack();
        return false;
      },
    });
    return copy.view.slice();
  },
  "alloc of its view, a getter of align": (block, attack) => {
    using copy = alloc(Uint8Array, block.view, {
      get align() {
        attack();
        return 16;
      },
    });
    return copy.view.slice();
  },
  "alloc of its view, an iterator of the view's own": (block, attack) => {
    const { view } = block;
    Object.defineProperty(view, Symbol.iterator, {
      value: function* () {
        attack();
        yield* Array.from(view);
      },
    });
    using copy = alloc(Uint8Array, view);
    return copy.view.slice();
  },
  "alloc of its view, a length of the view's own": (block, attack) => {
    const { view } = block;
    Object.defineProperty(view, "length", {
      get() {
        attack();
        return LENGTH;
      },
    });
    using copy = alloc(Uint8Array, view);
    return copy.view.slice();
  },
  "borrow of the block's object, a getter of copy": (block, attack) => {
    using object = new PyObjectRef(block.toPython());
    using borrowed = python.borrow(object, Uint8Array, {
      get copy() {
        attack();
        return false;
      },
    });
    return borrowed.view.slice();
  },
  "borrow, a valueOf of the type": (block, attack) => {
    python.borrow("bytearray(block)", ambushingProxy(Uint8Array, attack), {
      names: { block },
    });
  },
};

/** Properties of their own that views and blocks are given, which must tell nothing to anybody else. */
const DISGUISES: Record<string, (block: Bytes, attack: () => void) => void> = {
  "length of the view": ({ view }) => put(view, { length: LENGTH }),
  "buffer of the view": ({ view }) =>
    put(view, { buffer: new ArrayBuffer(LENGTH) }),
  "detached of the view's buffer": ({ view }) =>
    put(view.buffer, { detached: false }),
  "byteLength of the view's buffer": ({ view }) =>
    put(view.buffer, { byteLength: LENGTH }),
  "transfer of the view's buffer": ({ view }) =>
    put(view.buffer, { transfer: () => undefined }),
  "prototype of the view": ({ view }) => {
    const { buffer } = view;
    Object.setPrototypeOf(view, { length: LENGTH, buffer });
  },
  "prototype of the view's buffer": ({ view }) =>
    Object.setPrototypeOf(view.buffer, { byteLength: LENGTH, detached: false }),
  "type of the block, which attacks": (block, attack) =>
    put(block, {
      type: class {
        constructor() {
          attack();
        }
      },
    }),
  "type of the block, of larger elements": (block) =>
    put(block, { type: Float64Array }),
  "prototype of the block": (block) => {
    const prototype = Object.getPrototypeOf(block);
    Object.setPrototypeOf(
      block,
      Object.create(prototype, {
        freed: { value: false },
        length: { value: LENGTH },
      }),
    );
  },
};

/** Gives an object properties of its own, past getters and setters. */
function put(object: object, properties: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(properties)) {
    Object.defineProperty(object, name, { value, configurable: true });
  }
}

/** What is done with a disguised block. */
const USES: Record<string, (block: Bytes) => unknown> = {
  "bytes in Python": (block) =>
    python.eval("bytes(block)", { names: { block } }),
  call: (block) => toBytes.call(block),
  toPython: (block) => bytesOf(block.toPython()),
  realloc: (block) => realloc(block, LENGTH) && undefined,
  free: (block) => free(block),
};

const disguised: [name: string, Ambushed][] = Object.entries(DISGUISES).flatMap(
  ([property, disguise]) =>
    Object.entries(USES).map(([use, act]): [string, Ambushed] => [
      `${use}, with another ${property}`,
      (block, attack) => {
        disguise(block, attack);
        attack();
        return act(block);
      },
    ]),
);

const withOptions: [name: string, Ambushed][] = Object.entries(RUNS).flatMap(
  ([name, run]) =>
    Object.entries(OPTIONS).map(([place, options]): [string, Ambushed] => [
      `${name}, ${place}`,
      (block, attack) => run(options(block, attack)),
    ]),
);

/** Each place with each attack, on blocks with a view and without. */
export const CASES: readonly Case[] = [
  ...withOptions,
  ...Object.entries(OPERATIONS),
  ...disguised,
].map(([name, operation]) => ({
  name,
  async run() {
    for (const [what, attack] of Object.entries(ATTACKS)) {
      for (const view of [true, false]) {
        try {
          await ambush(operation, attack, { view });
        } catch (error) {
          const { message } = error as Error;
          const state = view ? "with a view" : "without a view";
          throw new Error(`user code ${what} (${state}): ${message}`, {
            cause: error,
          });
        }
      }
    }
  },
}));
