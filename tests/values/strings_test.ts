/** Strings of every length, width and encoding. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { type PyObjectRef, python, PythonScope } from "../../mod.ts";
import { run } from "../support/process.ts";
import { evaluate } from "./table.ts";

Deno.test("strings of every length around a buffer's cross", () => {
  // Units of UTF-16; characters of one and of two, and pairs at every place.
  for (const character of ["a", "é", "日", "😀"]) {
    for (let length = 120; length <= 136; length++) {
      for (const start of ["", "x"]) {
        const text = start + character.repeat(length);
        assertEquals(evaluate("x", { x: text }), text);
        assertEquals(evaluate("len(x)", { x: text }), [...text].length);
      }
    }
  }
  for (const length of [255, 256, 257, 4095, 4096, 4097, 65535, 65536]) {
    const text = "b".repeat(length - 1) + "c";
    assertEquals(evaluate("x", { x: text }), text);
  }
});

Deno.test("a string is the same characters to Python", () => {
  const text = String.fromCodePoint(
    ...Array.from({ length: 1_000 }, (_, index) => index * 1_103 % 0x110000)
      .filter((point) => point < 0xd800 || point > 0xdfff),
  );
  assertEquals(
    evaluate("','.join(str(ord(c)) for c in text)", { text }),
    [...text].map((character) => character.codePointAt(0)).join(),
  );
});

Deno.test("strings that JavaScript puts together or takes out of others cross", () => {
  const long = "0123456789".repeat(1_000);
  const names = {
    rope: long + "é" + long,
    slice: long.slice(3, 9_000),
    pair: "😀".repeat(100).slice(2, 100),
  };
  for (const [name, value] of Object.entries(names)) {
    assertEquals(evaluate(name, names), value);
  }
});

Deno.test("strings and bytes of megabytes cross", () => {
  for (const character of ["a", "é", "日", "😀"]) {
    const text = character.repeat(1_500_000);
    assert(evaluate("x", { x: text }) === text);
    assertEquals(evaluate("len(x)", { x: text }), 1_500_000);
  }
  const bytes = Uint8Array.from({ length: 8_000_000 }, (_, at) => at % 251);
  const back = evaluate("x", { x: bytes }) as Uint8Array;
  assert(Buffer.compare(back, bytes) === 0);
  assertEquals(
    evaluate("x == (bytes(range(251)) * 40_000)[:len(x)]", { x: bytes }),
    true,
  );
});

Deno.test("an integer or a string that is too large for JavaScript is a RangeError", () => {
  assertThrows(() => python.eval("1 << (1 << 30)"), RangeError, "too large");
  assertThrows(() => python.eval("'x' * (1 << 29)"), RangeError, "too large");
  assertEquals(python.eval("1"), 1);
});

Deno.test({
  name:
    "strings come back up to V8's own limit, whatever characters they are made of",
  ignore: Deno.build.os === "windows",
  async fn() {
    // Each is longer than V8 lets UTF-8 be, and all but the last ones fit.
    const { stdout, stderr } = await run(`
      import { python } from "@oneheap/oneheap";
      for (const code of [
        "'é' * 270_000_000", "'日' * 180_000_000", "chr(0xd800) * 2 + 'é' * 270_000_000",
        "'x' * (2**29 - 24)", "'x' * (2**29 - 23)", "'😀' * (2**28 - 11)",
      ]) {
        try {
          const text = python.eval(code) as string;
          console.log(text.length, text[0] === text.at(-1));
        } catch (error) {
          console.log((error as Error).name);
        }
      }
    `);
    assertEquals(stderr, "");
    assertEquals(stdout.trim().split("\n"), [
      "270000000 true",
      "180000000 true",
      "270000002 false",
      "536870888 true",
      "RangeError",
      "RangeError",
    ]);
  },
});

/** Strings with halves of surrogate pairs, as code points of Python's. */
const LONE_SURROGATES: [text: string, points: number[]][] = [
  ["\ud800", [0xd800]],
  ["\udfff", [0xdfff]],
  ["a\udc00b", [0x61, 0xdc00, 0x62]],
  ["\udc00\ud800", [0xdc00, 0xd800]],
  ["😀\ud83d", [0x1f600, 0xd83d]],
  ["\ude00😀", [0xde00, 0x1f600]],
  ["\ufeff\ud800", [0xfeff, 0xd800]],
  ["\ud800é\ud800日", [0xd800, 0xe9, 0xd800, 0x65e5]],
];

Deno.test("lone surrogates go to Python and come back as they are", () => {
  using scope = new PythonScope();
  using same = python.eval("lambda value: value") as PyObjectRef;
  for (const [text, points] of LONE_SURROGATES) {
    const long = "x".repeat(200) + text;
    const made = `''.join(map(chr, ${JSON.stringify(points)}))`;
    assertEquals(evaluate(`x == ${made}`, { x: text }), true, made);
    assertEquals(evaluate(`x == 'x' * 200 + ${made}`, { x: long }), true, made);
    assert(python.eval(made) === text, made);
    for (const value of [text, long, text.repeat(70_000)]) {
      assert(same.call(value) === value, made);
      python.run("pass", { scope, names: { value } });
      assert(scope.get("value") === value, made);
    }
  }
});

Deno.test("halves of a pair that Python has apart are a pair to JavaScript", () => {
  assertEquals(python.eval("chr(0xd83d) + chr(0xde00)"), "😀");
  assertEquals(evaluate("len(x)", { x: "😀" }), 1);
});

Deno.test("strings of every width around the length from which they aren't copied come back", () => {
  using ctypes = python.eval("__import__('ctypes')") as PyObjectRef;
  using api = ctypes.get("pythonapi") as PyObjectRef;
  for (const character of ["a", "é", "日", "😀", "a日", "é😀", "\ud800"]) {
    const { length } = [...character];
    for (const offset of [-1, 0, 1]) {
      const count = Math.floor(65_536 / length) + offset;
      const text = character.repeat(count);
      assert(evaluate("x", { x: text }) === text, `${count} ${character}`);
    }
    const long = character.repeat(200_000);
    assert(evaluate("x", { x: long }) === long, character);
    assert(evaluate("x + 'é'", { x: long }) === long + "é", character);
    if (character === "\ud800") continue;
    // A string of which Python keeps the UTF-8 too takes more memory.
    const kept = evaluate(
      "[x, api.PyUnicode_AsUTF8(ctypes.py_object(x))][0]",
      { x: long, api, ctypes },
    );
    assert(kept === long, character);
  }
});
