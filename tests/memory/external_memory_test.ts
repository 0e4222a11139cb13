/** Lost results of every type are collected while they are made: V8 is told of what it can't see, or sees the process grow. */

import { assertEquals, assertLess } from "@std/assert";
import { reportDue } from "../../ffi/memory/external_memory.ts";
import { alloc, PyObjectRef, python } from "../../mod.ts";
import { run } from "../support/process.ts";

/** So much is lost in all: many times what may be there at once. */
const LOST_BYTES = 3e9;

/** So much may be there at once, Deno and Python included. */
const MAX_BYTES = 900e6;

const DEFINITIONS = `
import sys
class Holder:
    pass
def holder():
    it = Holder()
    it.data = [0] * 1_000_000
    return it
def frame():
    data = [0] * 1_000_000
    return sys._getframe()
def generator():
    data = [0] * 1_000_000
    yield
def started():
    it = generator()
    next(it)
    return it
`;

/** What is lost, in JavaScript, and how many bytes it has. */
const CASES: [what: string, lose: string, bytes: number][] = [
  ["bytes", `python.eval("bytes(1_000_000)");`, 1e6],
  ["lists", `python.eval("[0] * 1_000_000");`, 8e6],
  ["lists in lists", `python.eval("[[0] * 1_000_000]");`, 8e6],
  ["dictionaries", `python.eval("{0: [0] * 1_000_000}");`, 8e6],
  ["instances", `python.eval("holder()", { scope });`, 8e6],
  ["frames", `python.eval("frame()", { scope });`, 8e6],
  ["generators", `python.eval("started()", { scope });`, 8e6],
  ["bytearrays", `python.eval("bytearray(8_000_000)");`, 8e6],
  ["large ones in lists", `python.eval("[bytearray(100_000_000)]");`, 100e6],
  [
    "scopes",
    `python.run("data = [0] * 1_000_000", { scope: new PythonScope() });`,
    8e6,
  ],
  ["results of evalAsync", `await python.evalAsync("[[0] * 1_000_000]");`, 8e6],
];

for (const [what, lose, bytes] of CASES) {
  Deno.test(`lost ${what} are collected in a loop before they fill the memory`, async () => {
    const { code, stdout, stderr } = await run(`
      import { python, PythonScope } from "@oneheap/oneheap";
      using scope = new PythonScope();
      python.run(${JSON.stringify(DEFINITIONS)}, { scope });
      let most = 0;
      for (let lost = 0; lost < ${LOST_BYTES}; lost += ${bytes}) {
        ${lose}
        most = Math.max(most, Deno.memoryUsage().rss);
      }
      console.log(most);
    `);
    assertEquals(code, 0, stderr);
    assertLess(Number(stdout), MAX_BYTES);
  });
}

Deno.test("memory that is borrowed and released in turn, however large, has V8 collect nothing", () => {
  using block = alloc(Uint8Array, 100e6, { zeroed: false });
  using array = new PyObjectRef(block.toPython());
  for (let round = 0; round < 5; round++) {
    using borrowed = python.borrow(array);
    assertEquals(borrowed.view.length, 100e6);
  }
  assertEquals(reportDue[0], 0);
});
