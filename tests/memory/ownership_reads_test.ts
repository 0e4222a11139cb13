/** Pending reads, transfers and Python hold memory side by side. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { BlockInUseError, FreedError, python, PythonScope } from "../../mod.ts";
import { Fifo } from "../support/fifo.ts";
import {
  addressOf,
  assertPends,
  collectForAWhile,
} from "../support/holders.ts";
import { until } from "../support/collection.ts";
import { Living, scribble, sevens } from "./owners.ts";

Deno.test("a pending read and Python hold the memory side by side", async () => {
  for (const pythonFirst of [true, false]) {
    await using fifo = await Fifo.open();
    using living = new Living();
    using scope = new PythonScope();
    const block = sevens(5_008);
    python.run("kept = memoryview(b); del b", { scope, names: { b: block } });
    const reading = fifo.reader.read(block.view);
    await assertPends(reading);
    assertThrows(() => block.realloc(10), BlockInUseError);
    block.free();
    await collectForAWhile();
    living.assert(1, 5_008);
    if (pythonFirst) python.run("del kept", { scope });
    living.assert(1, 5_008);
    scribble(5_008);
    fifo.writer.writeSync(Uint8Array.of(1, 2, 3));
    assertEquals(await reading, 3);
    if (!pythonFirst) {
      await collectForAWhile();
      living.assert(1, 5_008);
      assertEquals(
        python.eval("bytes(kept[:4])", { scope }),
        Uint8Array.of(1, 2, 3, 7),
      );
      python.run("del kept", { scope });
    }
    await living.untilNothing();
  }
});

Deno.test("after a realloc during a pending read Python gets the copy, not what is read into", async () => {
  await using fifo = await Fifo.open();
  using living = new Living();
  using scope = new PythonScope();
  using block = sevens(5_008);
  const reading = fifo.reader.read(block.view);
  await assertPends(reading);
  block.realloc(6_008);
  python.run("kept = memoryview(b)", { scope, names: { b: block } });
  living.assert(2, 5_008 + 6_008);
  fifo.writer.writeSync(Uint8Array.of(1, 2, 3));
  await reading;
  assertEquals(python.eval("kept[0]", { scope }), 7);
  await until(() => {
    try {
      living.assert(1, 6_008);
      return true;
    } catch {
      return false;
    }
  }, "the end of the read");
});

Deno.test("memory that was transferred away is held by its new owner and by Python", () => {
  for (const pythonFirst of [true, false]) {
    using living = new Living();
    using scope = new PythonScope();
    const block = sevens(5_008);
    python.run("kept = memoryview(b); del b", { scope, names: { b: block } });
    const { view, address } = block;
    const clone = structuredClone(view, { transfer: [view.buffer] });
    assert(block.freed);
    assertThrows(() => block.realloc(10), FreedError);
    assertEquals(addressOf(clone), address);
    clone[0] = 9;
    assertEquals(python.eval("kept[0]", { scope }), 9);
    living.assert(1, 5_008);
    if (pythonFirst) python.run("del kept", { scope });
    else clone.buffer.transfer(0);
    living.assert(1, 5_008);
    scribble(5_008);
    if (pythonFirst) {
      assertEquals([clone[0], clone[5_007]], [9, 7]);
      clone.buffer.transfer(0);
    } else {
      assertEquals(
        python.eval("(kept[0], kept[5007]) == (9, 7)", { scope }),
        true,
      );
      python.run("del kept", { scope });
    }
    living.assert(0, 0);
  }
});

Deno.test("a lost part of a view, a lost block and Python release the memory in any order", async () => {
  for (const pythonFirst of [true, false]) {
    using living = new Living();
    using scope = new PythonScope();
    const parts = [
      ((block) => {
        python.run("kept = b; del b", { scope, names: { b: block } });
        return block.view.subarray(1, 3);
      })(sevens(5_008)),
    ];
    await collectForAWhile();
    if (pythonFirst) python.run("del kept", { scope });
    living.assert(1, 5_008);
    scribble(5_008);
    assertEquals([...parts[0]], [7, 7]);
    parts.pop();
    if (!pythonFirst) {
      await collectForAWhile();
      living.assert(1, 5_008);
      assertEquals(python.eval("memoryview(kept)[0]", { scope }), 7);
      python.run("del kept", { scope });
    }
    await living.untilNothing();
    assertEquals(living.reclaimed, 1);
  }
});
