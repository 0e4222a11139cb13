/** What Python does with what it was given, and with memory of its own. */

import {
  type Block,
  PyObjectRef,
  python,
  PythonError,
  type PythonValue,
  type TypedArray,
} from "../../../mod.ts";
import type { Operation } from "./javascript_side.ts";
import {
  Container,
  contents,
  Cycle,
  Exporter,
  type Exporting,
  MemoryView,
  PythonArray,
  type PythonThing,
} from "./model.ts";
import { anySize } from "./sizes.ts";
import {
  BlockHandle,
  expect,
  expectThrows,
  HAS_GIL,
  isExporting,
  ReferenceHandle,
  type World,
} from "./world.ts";

/** Gives a block to Python, which keeps it in a variable. */
export const pass: Operation = (world) => {
  const handle = world.pick(BlockHandle);
  if (handle === undefined) return;
  const at = world.anyPlace();
  const { block } = handle;
  if (world.random.once(2)) {
    world.run("v[at] = given; del given", { at, given: block });
  } else {
    using put = python.eval("v.__setitem__", {
      scope: world.scope,
    }) as PyObjectRef;
    put.call(at, block);
  }
  world.variables[at] = exporterOf(handle);
  return `v[${at}] = a block`;
};

/** What Python has of a block that it is given. */
export function exporterOf({ block, memory }: BlockHandle): Exporter {
  return new Exporter(memory, block.type.name, false);
}

/** Gives Python what a reference of JavaScript's refers to. */
export const passReference: Operation = (world) => {
  const handle = world.pick(ReferenceHandle);
  if (handle === undefined) return;
  const at = world.anyPlace();
  world.run("v[at] = given; del given", { at, given: handle.reference });
  world.variables[at] = handle.thing;
  return `v[${at}] = a reference`;
};

/** Takes a variable's value back: a block that JavaScript still has is that very block, all else is a reference. */
export const takeBack: Operation = (world) => {
  const place = world.anything();
  if (place === undefined) return;
  const { at, thing } = place;
  const value = python.eval("v[at]", { scope: world.scope, names: { at } });
  expectGiven(world, value, thing);
  return `v[${at}] comes back`;
};

/** Fails unless a value that came from Python is the block or a reference; that is a thing of JavaScript's from now on. */
export function expectGiven(
  world: World,
  value: PythonValue,
  thing: PythonThing,
): void {
  const block = thing instanceof Exporter && blockOf(world, thing);
  if (block) return expect(value === block, "the same block comes back");
  expect(value instanceof PyObjectRef, "a reference comes back");
  world.add(new ReferenceHandle(value, thing));
}

function blockOf(
  world: World,
  { memory }: Exporter,
): Block<TypedArray> | undefined {
  for (const handle of world.handles) {
    if (handle instanceof BlockHandle && handle.memory === memory) {
      return handle.block;
    }
  }
}

/** Disposes a reference. */
export const disposeReference: Operation = (world) => {
  const handle = world.pick(ReferenceHandle);
  if (handle === undefined) return;
  handle.reference[Symbol.dispose]();
  handle.reference[Symbol.dispose]();
  world.remove(handle);
  return "dispose a reference";
};

/** Makes a `memoryview`: of everything as it is, or of some bytes. */
export const view: Operation = (world) => {
  const place = world.place(isExporting);
  if (place === undefined) return;
  const { at: of, thing } = place;
  const at = world.anyPlace();
  const base = thing instanceof MemoryView ? thing.base : thing;
  if (thing.length === 0 || world.random.once(3)) {
    world.run("v[at] = memoryview(v[of])", { at, of });
    const { elements, start, length } = thing;
    world.variables[at] = new MemoryView(base, elements, start, length);
    return `v[${at}] = memoryview(v[${of}])`;
  }
  const { start, end } = world.random.part(thing.length);
  world.run("v[at] = memoryview(v[of]).cast('B')[start:end]", {
    at,
    of,
    start,
    end,
  });
  world.variables[at] = new MemoryView(
    base,
    "Uint8Array",
    thing.start + start,
    end - start,
  );
  return `v[${at}] = memoryview(v[${of}]).cast('B')[${start}:${end}]`;
};

/** Releases a `memoryview`, which isn't possible while JavaScript holds a buffer of it. */
export const releaseView: Operation = (world) => {
  const place = world.place((it): it is MemoryView => it instanceof MemoryView);
  if (place === undefined) return;
  const { at, thing } = place;
  const act = () => world.run("v[at].release()", { at });
  if (world.model.isLeased(thing)) {
    expectThrows(act, raised("BufferError"), "a BufferError");
    return `v[${at}].release(), refused`;
  }
  act();
  thing.isReleased = true;
  return `v[${at}].release()`;
};

/** Writes to memory. */
export const writeInPython: Operation = (world) => {
  const place = world.place((it): it is Exporting =>
    isExporting(it) && !it.readonly && it.length > 0
  );
  if (place === undefined) return;
  const { at, thing } = place;
  const { start, end } = world.random.part(Math.min(thing.length, 600));
  const given = world.random.bytes(end - start);
  world.run("memoryview(v[at]).cast('B')[start:end] = given; del given", {
    at,
    start,
    end,
    given,
  });
  contents(thing).set(given, start);
  return `Python writes to ${start}-${end} of v[${at}]`;
};

/** Empties a variable. */
export const remove: Operation = (world) => {
  const place = world.anything();
  if (place === undefined) return;
  const { at } = place;
  world.run("v[at] = None", { at });
  world.variables[at] = undefined;
  return `v[${at}] = None`;
};

/** Puts a thing into a list, a function, or a list that has itself in it. */
export const contain: Operation = (world) => {
  const place = world.anything();
  if (place === undefined) return;
  const { at: of, thing } = place;
  const at = world.anyPlace();
  switch (world.random.below(3)) {
    case 0:
      world.run("v[at] = [v[of]]", { at, of });
      world.variables[at] = new Container(thing);
      return `v[${at}] = [v[${of}]]`;
    case 1:
      world.run("v[at] = keep(v[of])", { at, of });
      world.variables[at] = new Container(thing);
      return `v[${at}] = keep(v[${of}])`;
  }
  world.run("v[at] = cycle(v[of])", { at, of });
  const cycle = new Cycle(thing);
  world.model.addCycle(cycle);
  world.variables[at] = cycle;
  return `v[${at}] = cycle(v[${of}])`;
};

/** Has Python collect its garbage. */
export const collect: Operation = (world) => {
  world.run("gc.collect()");
  // What a list had in it that another thread made is found only now.
  if (!HAS_GIL) world.run("gc.collect()");
  world.model.collect();
  return "gc.collect()";
};

/** Makes an array of Python's own. */
export const newArray: Operation = (world) => {
  const at = world.anyPlace();
  const [length, fill] = [anySize(world.random), world.random.below(256)];
  world.run("v[at] = array('B', [fill]) * length", { at, length, fill });
  world.variables[at] = new PythonArray(new Uint8Array(length).fill(fill));
  return `v[${at}] = array('B', [${fill}]) * ${length}`;
};

/** Empties an array, which isn't possible while somebody holds a buffer of it. */
export const emptyArray: Operation = (world) => {
  const place = world.place((it): it is PythonArray =>
    it instanceof PythonArray && it.length > 0
  );
  if (place === undefined) return;
  const { at, thing } = place;
  const act = () => world.run("del v[at][:]", { at });
  if (world.model.isExported(thing)) {
    expectThrows(act, raised("BufferError"), "a BufferError");
    return `del v[${at}][:], refused`;
  }
  act();
  thing.memory.contents = new Uint8Array(0);
  return `del v[${at}][:]`;
};

/** Has Python code that was given a block raise, in one of many places. */
export const raise: Operation = (world) => {
  const handle = world.pick(BlockHandle);
  if (handle === undefined) return;
  const { block: given } = handle;
  const { scope } = world;
  const at = world.anyPlace();
  switch (world.random.below(6)) {
    case 0: {
      const source = `
try:
    v[at] = memoryview(given)
    raise ValueError("on purpose")
finally:
    del given
`;
      expectThrows(
        () => world.run(source, { at, given }),
        raised("ValueError"),
        "a ValueError",
      );
      const base = exporterOf(handle);
      world.variables[at] = new MemoryView(
        base,
        base.elements,
        0,
        base.length,
      );
      return `v[${at}] = memoryview(a block), and raise`;
    }
    case 1: {
      using fail = scope.get("fail") as PyObjectRef;
      expectThrows(
        () => fail.call(given),
        raised("ValueError"),
        "a ValueError",
      );
      return "a function that was given a block raises";
    }
    case 2:
      expectThrows(
        () => world.run("v[at] = given", { at, given, bad: [Symbol()] }),
        (error) => error instanceof TypeError,
        "a TypeError",
      );
      return "a block beside a name that can't be given to Python";
    case 3:
      expectThrows(
        () => python.eval("given given", { names: { given } }),
        raised("SyntaxError"),
        "a SyntaxError",
      );
      return "a block for code that doesn't compile";
    case 4:
      expectThrows(
        () => python.borrow("(given, 1 / 0)", { names: { given } }),
        raised("ZeroDivisionError"),
        "a ZeroDivisionError",
      );
      return "a block for an expression to borrow from that raises";
  }
  const wrong = [Symbol()];
  expectThrows(
    () => python.run("pass", { names: { given, wrong } }),
    (error) => error instanceof TypeError,
    "a TypeError",
  );
  return "a block beside a value that Python has no counterpart for";
};

/** Runs code in a scope of its own, with functions that refer to it: nothing may be left of either. */
export const runInFreshScope: Operation = (world) => {
  const handle = world.pick(BlockHandle);
  if (handle === undefined || !HAS_GIL) return;
  python.run("kept = lambda: given", { names: { given: handle.block } });
  // This has collected what was young, so nobody knows what is left of the rest.
  return collect(world);
};

/** Whether an error is a Python exception of that type. */
export function raised(type: string): (error: Error) => boolean {
  return (error) => error instanceof PythonError && error.type === type;
}
