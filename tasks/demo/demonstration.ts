/** The demonstration: the life of one block, as TypeScript, Python and Rust see it. */

import { alloc, type Block, python, PythonScope, stats } from "../../mod.ts";
import { addressText, count } from "./format.ts";

const COUNT = 1_000_000;

/** The names of Python's side: where a block is, and what `tracemalloc` counts. */
const PYTHON_SIDE = `
import ctypes, tracemalloc

def address(block):
    return ctypes.addressof(ctypes.c_char.from_buffer(block))

def traced_bytes():
    return tracemalloc.get_traced_memory()[0]
`;

/** What Python does with the block. */
const ADDRESS = "address(block)";
const CHANGE = "memoryview(block)[-1] *= 28";
const SUM = "sum(memoryview(block))";

/** What the three languages say of the memory at one moment. */
interface Counts {
  /** Bytes that Python's `tracemalloc` counts. */
  readonly traced: number;
  /** Blocks and bytes that the Rust library counts. */
  readonly blocks: number;
  readonly bytes: number;
}

/** Show the life of a block. Return whether each language found what the others have written, and nothing is left. */
export function demonstrate(): boolean {
  using scope = new PythonScope();
  python.run(PYTHON_SIDE, { scope });
  console.log(`Python ${python.version}, ${python.library}\n`);
  compileAll(scope);
  python.run("tracemalloc.start()", { scope });
  try {
    return showLife(scope);
  } finally {
    python.run("tracemalloc.stop()", { scope });
  }
}

/** Have all code compiled before Python's memory is traced: what is compiled is kept. */
function compileAll(scope: PythonScope): void {
  using block = alloc(Float64Array, 1);
  pythonAddress(block, scope);
  changeAndSum(block);
  counts(scope);
}

function showLife(scope: PythonScope): boolean {
  const before = counts(scope);
  let view: Float64Array<ArrayBuffer>;
  let isSame: boolean;
  {
    step("using block = alloc(Float64Array, 1_000_000)");
    using block = alloc(Float64Array, COUNT);
    show("TypeScript has it at", addressText(block.address));
    const address = pythonAddress(block, scope);
    show("Python has it at", addressText(address));
    isSame = address === block.address;
    showCounts(before, counts(scope));

    step("TypeScript fills it, Python changes it in place");
    view = block.view.fill(1.5);
    const sum = changeAndSum(block);
    show("TypeScript reads the last as", String(view[COUNT - 1]));
    show("Python's sum of all", count(sum));
    isSame &&= view[COUNT - 1] === 42 && sum === 1.5 * (COUNT - 1) + 42;

    step("the end of `using` frees it");
  }
  const after = counts(scope);
  show("a view that is still there", `detached, ${view.length} elements`);
  showCounts(before, after);
  console.log();
  return isSame && view.length === 0 && after.blocks === before.blocks;
}

function pythonAddress(
  block: Block<Float64Array<ArrayBuffer>>,
  scope: PythonScope,
): number {
  const address = python.eval(ADDRESS, { scope, names: { block } });
  python.run("del block", { scope });
  return address as number;
}

function changeAndSum(block: Block<Float64Array<ArrayBuffer>>): number {
  const names = { block };
  python.run(CHANGE, { names });
  return python.eval(SUM, { names }) as number;
}

function counts(scope: PythonScope): Counts {
  const { blocks, bytes } = stats();
  const traced = python.eval("traced_bytes()", { scope }) as number;
  return { traced, blocks, bytes };
}

function showCounts(before: Counts, now: Counts): void {
  const blocks = now.blocks - before.blocks;
  const bytes = count(now.bytes - before.bytes);
  show(
    "Python's tracemalloc counts",
    `${count(now.traced - before.traced)} bytes more`,
  );
  show(
    "Rust's counters say",
    `${blocks} ${blocks === 1 ? "block" : "blocks"}, ${bytes} bytes`,
  );
}

function step(what: string): void {
  console.log(`%c${what}`, "font-weight: bold");
}

function show(what: string, value: string): void {
  console.log(`  ${what.padEnd(30)}${value}`);
}
