/** The demonstration of a round trip: numbers from TypeScript to NumPy, and what it makes of them back, in three ways. */

import {
  alloc,
  type Block,
  type PyObjectRef,
  python,
  PythonScope,
} from "../../mod.ts";
import { listOf, numbersOf } from "../../bench/python/element_by_element.ts";
import { addressText, count, milliseconds } from "./format.ts";

const COUNT = 1_000_000;

/** How often all ways are gone, one after the other. */
const ROUNDS = 7;

type Doubles = Float64Array<ArrayBuffer>;

/** A way to NumPy and back. */
interface Way {
  readonly name: string;
  /** How often it is gone in a row: quick ones more often, for V8 compiles what is used often. */
  readonly repetitions: number;
  /** Make a NumPy array of the block's numbers. */
  there(block: Block<Doubles>): PyObjectRef;
  /** Make numbers of a NumPy array's, and read them. */
  back(array: PyObjectRef, read: (numbers: ArrayLike<number>) => void): void;
}

/** How long the parts of a round trip took, in milliseconds. */
interface Times {
  readonly there: number;
  readonly computing: number;
  readonly back: number;
}

const scope = new PythonScope();
python.run("import numpy", { scope });
const version = python.eval("numpy.__version__", { scope });
const asarray = fromNumPy("asarray");
const frombuffer = fromNumPy("frombuffer");
const sqrt = fromNumPy("sqrt");

function fromNumPy(name: string): PyObjectRef {
  return python.eval(`numpy.${name}`, { scope }) as PyObjectRef;
}

const WAYS: readonly Way[] = [
  {
    name: "in place",
    repetitions: 20,
    there: (block) => asarray.call(block) as PyObjectRef,
    back: (array, read) => {
      using numbers = python.borrow(array, Float64Array);
      read(numbers.view);
    },
  },
  {
    name: "copied as bytes",
    repetitions: 5,
    there: (block) =>
      frombuffer.call(new Uint8Array(block.view.buffer)) as PyObjectRef,
    back: (array, read) => {
      using tobytes = array.get("tobytes") as PyObjectRef;
      const { buffer } = tobytes.call() as Uint8Array<ArrayBuffer>;
      read(new Float64Array(buffer));
    },
  },
  {
    name: "element by element",
    repetitions: 1,
    there: (block) => {
      using list = listOf(block.view);
      return asarray.call(list) as PyObjectRef;
    },
    back: (array, read) => {
      using tolist = array.get("tolist") as PyObjectRef;
      using list = tolist.call() as PyObjectRef;
      read(numbersOf(list));
    },
  },
];

/** Show the round trip. The Python of this process has NumPy. */
export function demonstrateRoundTrip(): void {
  console.log(
    `Python ${python.version} with NumPy ${version}, ${python.executable}`,
  );
  console.log(
    `${
      count(COUNT)
    } doubles of a block, and their square roots by numpy.sqrt\n`,
  );
  using block = alloc(Float64Array, COUNT);
  // No whole numbers, for which a list has objects of another type.
  for (let index = 0; index < COUNT; index++) block.view[index] = index + 0.5;
  showAddresses(block);
  showTimes(block);
}

/** Show where both sides have the block, and the result. */
function showAddresses(block: Block<Doubles>): void {
  using array = asarray.call(block) as PyObjectRef;
  using roots = sqrt.call(array) as PyObjectRef;
  using numbers = python.borrow<Doubles>(roots, Float64Array);
  console.log("Where they are     as TypeScript says  as NumPy says");
  row("the block", block.address, addressOf(array));
  const view = Deno.UnsafePointer.of(numbers.view);
  row(
    "its square roots",
    Number(Deno.UnsafePointer.value(view)),
    addressOf(roots),
  );
  console.log();

  function row(what: string, ours: number, theirs: number): void {
    console.log(
      `  ${what.padEnd(17)}${addressText(ours).padEnd(20)}${
        addressText(theirs)
      }`,
    );
  }
}

function addressOf(array: PyObjectRef): number {
  return python.eval("array.ctypes.data", { names: { array } }) as number;
}

function showTimes(block: Block<Doubles>): void {
  const expected = block.view.map(Math.sqrt);
  const times = WAYS.map((): Times[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    WAYS.forEach((way, index) => {
      for (let again = 0; again < way.repetitions; again++) {
        times[index].push(goAndReturn(way, block, expected));
      }
    });
  }
  console.log("How long it takes (medians; the ways alternate)");
  console.log("                       to NumPy    numpy.sqrt          back");
  WAYS.forEach(({ name }, index) => {
    const of = (part: keyof Times) =>
      milliseconds(times[index].map((it) => it[part]), 3);
    console.log(
      `  ${name.padEnd(18)}${of("there")}  ${of("computing")}  ${of("back")}`,
    );
  });
}

/** One round trip. Fails unless the numbers that came back are the square roots. */
function goAndReturn(
  way: Way,
  block: Block<Doubles>,
  expected: Doubles,
): Times {
  const start = performance.now();
  using array = way.there(block);
  const computing = performance.now();
  using roots = sqrt.call(array) as PyObjectRef;
  const computed = performance.now();
  let end = 0;
  way.back(roots, (numbers) => {
    end = performance.now();
    if (!expected.every((root, index) => root === numbers[index])) {
      throw new Error(`the square roots that came back ${way.name} are wrong`);
    }
  });
  return {
    there: computing - start,
    computing: computed - computing,
    back: end - computed,
  };
}
