/** Numbers and integers of any size. */

import { assert, assertEquals } from "@std/assert";
import { python } from "../../mod.ts";
import { evaluate } from "./table.ts";

Deno.test("a float that is whole comes as a number, whatever its size", () => {
  assertEquals(python.eval("3.0"), 3);
  assertEquals(python.eval("2.0**53"), 2 ** 53);
  assertEquals(python.eval("2.0**64"), 2 ** 64);
  assertEquals(python.eval("1e22"), 1e22);
});

Deno.test("an integer is never rounded", () => {
  for (let power = 50n; power < 70n; power++) {
    for (let offset = -3n; offset <= 3n; offset++) {
      for (const sign of [1n, -1n]) {
        const integer = sign * (2n ** power + offset);
        const back = evaluate(`${integer}`);
        assertEquals(BigInt(back as number | bigint), integer);
        assertEquals(typeof back === "number", Number.isSafeInteger(back));
        assertEquals(evaluate(`x == ${integer}`, { x: integer }), true);
      }
    }
  }
});

Deno.test("integers of every length in words cross, with zeroes within", () => {
  for (let bits = 60n; bits < 400n; bits += 1n) {
    const integer = 2n ** bits + 2n ** (bits / 2n);
    assertEquals(evaluate("x", { x: integer }), integer);
    assertEquals(evaluate("-x", { x: integer }), -integer);
  }
});

Deno.test("an integer of more digits than Python prints crosses", () => {
  const huge = 10n ** 50_000n + 7n;
  assertEquals(evaluate("x == 10**50000 + 7", { x: huge }), true);
  assert(python.eval("-(10**50000 + 7)") === -huge);
});

Deno.test("a random number crosses bit by bit", () => {
  const bits = new BigUint64Array(1);
  const number = new Float64Array(bits.buffer);
  for (let round = 0; round < 500; round++) {
    crypto.getRandomValues(bits);
    const [value] = number;
    assert(Object.is(evaluate("x", { x: value }), value), `${value}`);
  }
});
