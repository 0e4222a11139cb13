/** Places where user code disposes the reference, the scope or the borrowed memory that an operation is given. */

import {
  alloc,
  type Borrowed,
  PyObjectRef,
  python,
  PythonScope,
  type PythonValue,
} from "../../../mod.ts";
import { expect, expectEqual } from "../../support/case_programs/expect.ts";
import { collectGarbage, expectTyped, once, scribble } from "./ambush.ts";
import { ambushingProxy } from "./blocks.ts";
import type { Case } from "./case.ts";

/** What the ambushed objects have in them. */
const TEXT = "what the object has";

/** The result that an operation has, unless it ends with a typed error. */
async function expectTextOrError(act: () => unknown): Promise<void> {
  let result: unknown;
  try {
    result = await act();
  } catch (error) {
    expectTyped(error);
    return;
  } finally {
    scribble();
    collectGarbage();
  }
  if (result !== undefined) expectEqual(result, TEXT, "the result");
}

/** A reference to an object that nobody else refers to. */
function makeReference(): PyObjectRef {
  return python.eval("[given]", { names: { given: TEXT } }) as PyObjectRef;
}

const first = python.eval("lambda *args: args[0][0]") as PyObjectRef;

type Place = (object: PyObjectRef, attack: () => void) => unknown;

/** Operations on a reference that user code may dispose. */
const REFERENCE_PLACES: Record<string, Place> = {
  "eval, a getter of the signal": (object, attack) =>
    python.eval("it[0]", {
      names: { it: object },
      get signal() {
        attack();
        return undefined;
      },
    }),
  "eval, a getter of another name": (object, attack) =>
    python.eval("it[0]", {
      names: {
        it: object,
        get other() {
          attack();
          return 1;
        },
      },
    }),
  "evalAsync, a getter of another name": (object, attack) =>
    python.evalAsync("it[0]", {
      names: {
        it: object,
        get other() {
          attack();
          return 1;
        },
      },
    }),
  "evalAsync, disposed after it began": (object, attack) => {
    const result = python.evalAsync("it[0]", { names: { it: object } });
    attack();
    return result;
  },
  "call, a Proxy among the arguments": (object, attack) =>
    first.call(object, ambushingProxy(new Uint8Array(1), attack)),
  "call, three arguments": (object, attack) =>
    first.call(object, 1, ambushingProxy(new Uint8Array(1), attack)),
  "call of the disposed": (object, attack) => {
    const callee = object.get("__getitem__") as PyObjectRef;
    try {
      return callee.call(
        0,
        ambushingProxy(new Uint8Array(1), () => {
          attack();
          callee[Symbol.dispose]();
        }),
      );
    } catch {
      // It takes one argument.
    }
  },
  "get, a name with a toString": (object, attack) => {
    object.get({
      toString() {
        attack();
        return "append";
      },
    } as unknown as string);
  },
  "borrow, a getter of copy": (object, attack) => {
    const buffer = python.eval("bytearray(it[0].encode())", {
      names: { it: object },
    }) as PyObjectRef;
    using borrowed = python.borrow(buffer, Uint8Array, {
      get copy() {
        attack();
        buffer[Symbol.dispose]();
        return false;
      },
    });
    return new TextDecoder().decode(borrowed.view.slice());
  },
  "borrow, a getter of the names": (object, attack) => {
    python.borrow(object, {
      get names() {
        attack();
        return {};
      },
    });
  },
  "from, of a pointer whose object goes": (object, attack) => {
    const { pointer } = object;
    using other = PyObjectRef.from(pointer);
    attack();
    return python.eval("it[0]", { names: { it: other } });
  },
};

const references: Case[] = Object.entries(REFERENCE_PLACES).map((
  [name, place],
) => ({
  name,
  async run() {
    for (let time = 0; time < 20; time++) {
      const object = makeReference();
      await expectTextOrError(() =>
        place(object, once(() => object[Symbol.dispose]()))
      );
      object[Symbol.dispose]();
    }
  },
}));

type ScopePlace = (scope: PythonScope, attack: () => void) => unknown;

/** Operations in a scope that user code may dispose. */
const SCOPE_PLACES: Record<string, ScopePlace> = {
  "eval in a scope, a getter of the names": (scope, attack) =>
    python.eval("text", {
      scope,
      get names() {
        attack();
        return {};
      },
    }),
  "eval in a scope, a getter of a name": (scope, attack) =>
    python.eval("text", {
      scope,
      names: {
        get other() {
          attack();
          return 1;
        },
      },
    }),
  "eval in a scope, a getter of the signal": (scope, attack) =>
    python.eval("text", {
      scope,
      get signal() {
        attack();
        return undefined;
      },
    }),
  "evalAsync in a scope, a getter of the signal": (scope, attack) =>
    python.evalAsync("text", {
      scope,
      get signal() {
        attack();
        return undefined;
      },
    }),
  "borrow in a scope, a getter of copy": (scope, attack) => {
    using borrowed = python.borrow("bytearray(text.encode())", Uint8Array, {
      scope,
      get copy() {
        attack();
        return false;
      },
    });
    return new TextDecoder().decode(borrowed.view.slice());
  },
  "a Proxy of a scope": (scope, attack) =>
    python.eval("text", { scope: ambushingProxy(scope, attack) }),
  "get of a scope, a name with a normalize": (scope, attack) =>
    scope.get({
      normalize() {
        attack();
        return "text";
      },
    } as unknown as string),
};

const scopes: Case[] = Object.entries(SCOPE_PLACES).map(([name, place]) => ({
  name,
  async run() {
    for (let time = 0; time < 20; time++) {
      const scope = new PythonScope();
      python.run("text = given", { scope, names: { given: TEXT } });
      await expectTextOrError(() =>
        place(scope, once(() => scope[Symbol.dispose]()))
      );
      scope[Symbol.dispose]();
    }
  },
}));

type Lent = Borrowed<Uint8Array<ArrayBuffer>>;

/** What user code does to borrowed memory, its view and its buffer. */
const BORROWED_ATTACKS: Record<string, (borrowed: Lent) => void> = {
  "is disposed": (borrowed) => borrowed[Symbol.dispose](),
  "has its view transferred away": ({ view }) => {
    view.buffer.transfer(0);
  },
  "has another length": ({ view }) => {
    Object.defineProperty(view, "length", { value: 8 });
  },
  "has another buffer": ({ view }) => {
    Object.defineProperty(view, "buffer", { value: new ArrayBuffer(8) });
  },
  "has another block's buffer": ({ view }) => {
    const { buffer } = alloc(Uint8Array, 8).view;
    Object.defineProperty(view, "buffer", { value: buffer });
  },
  "has a buffer that says it is detached": ({ view: { buffer } }) => {
    Object.defineProperty(buffer, "detached", { value: true });
  },
  "has a buffer without a transfer": ({ view: { buffer } }) => {
    Object.defineProperty(buffer, "transfer", { value: () => undefined });
  },
};

const borrowed: Case[] = Object.entries(BORROWED_ATTACKS).map((
  [name, attack],
) => ({
  name: `borrowed memory that ${name} is released by dispose`,
  async run() {
    for (let time = 0; time < 20; time++) {
      using object = python.eval("bytearray(b'borrowed')") as PyObjectRef;
      const borrowed = python.borrow(object, Uint8Array);
      const part = borrowed.view.subarray(2);
      attack(borrowed);
      try {
        borrowed[Symbol.dispose]();
      } catch (error) {
        expectTyped(error);
      }
      scribble();
      expectEqual(part.length, 0, "the length of a view of it");
      collectGarbage();
      await new Promise((resolve) => setTimeout(resolve, 0));
      // Nobody holds it any more, so that it can be resized.
      python.run("it.clear()", { names: { it: object } });
    }
  },
}));

/** What is handed to a value's place in turn: the first time it is looked at it is one thing, then another. */
const shifting: Case = {
  name: "a name whose value is another each time that it is read",
  run() {
    const values: PythonValue[] = [1, "two", new Uint8Array(3), null];
    let reads = 0;
    const names = {
      get it() {
        return values[reads++ % values.length];
      },
    };
    const result = python.eval("it", { names });
    expectEqual(reads, 1, "how often it was read");
    expect(result === 1, "the result is what was read");
  },
};

/** The cases of references, scopes and borrowed memory. */
export const CASES: readonly Case[] = [
  ...references,
  ...scopes,
  ...borrowed,
  shifting,
];
