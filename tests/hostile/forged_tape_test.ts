/** Tapes that no encoder wrote: Rust builds of them what they say, or refuses them. It reads nothing beyond them, and leaves nothing. */

import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { ALLOCATORS } from "../support/build.ts";
import { run } from "../support/process.ts";

const ROOT = new URL("../../", import.meta.url);

/** Passes random tapes to Rust, from a seed on, and again as many. Prints how many were built and refused, and how many blocks of Python's were left. */
const PROGRAM = `
import { python, PythonScope } from "@oneheap/oneheap";
import { napi } from "${new URL("ffi/loading/native.ts", ROOT)}";
import { HEADER, MADE, TAPE } from "${new URL("ffi/boundary/tape.ts", ROOT)}";

const [seed, passes] = Deno.args.map(Number);
let state = BigInt(seed) * 0x9e3779b97f4a7c15n + 1n;
const below = (bound) => {
  state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  return Number((state >> 33n) % BigInt(bound));
};
const pick = (values) => values[below(values.length)];

// A number that the library's own tapes don't have.
const TAPE_NUMBER = 60_000;
const bytes = new Uint8Array(400);
const integers = new Int32Array(HEADER + 200);
const doubles = new Float64Array(100);
napi.registerTape(TAPE_NUMBER, bytes, integers, doubles);
// A tree of 40 keys; the fifth has a lone surrogate.
napi.addKeys(Array.from({ length: 40 }, (_, index) => [below(index + 1), index === 5 ? "\\ud800" : \`key\${index}\`]).flat());

const TAGS = Object.values(TAPE);
const ODD = [0, 1, 2, 3, 39, 40, 41, -1, 127, 128, 255, 16_384, 2 ** 31 - 1, -(2 ** 31)];
const DOUBLES = [0, -0, 1, 1.5, NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53) + 1, 5e-324];
const SHORT = ["", "a", "\\u00e9", "-0x1f", "0x", "2026-01-01", "P1D", "12:30", "nan", "\\u0000"];
let atByte, atInteger, atDouble, text;

/** Writes a value as an encoder would. */
function write(depth) {
  const tag = depth > 6 ? pick([0, 1, 2, 3, 4, 19]) : pick(TAGS);
  if (below(4) === 0) return writeShort(pick(SHORT));
  bytes[atByte++] = tag;
  const writeAll = (count) => { for (let index = 0; index < count; index++) write(depth + 1); };
  switch (tag) {
    case TAPE.integer: integers[atInteger++] = pick(ODD); break;
    case TAPE.number: case TAPE.float: case TAPE.int64: doubles[atDouble++] = pick(DOUBLES); break;
    case TAPE.text: { const taken = below(4); integers[atInteger++] = taken; text += "\\u65e5\\ud800xy".slice(0, taken); break; }
    case TAPE.list: case TAPE.tuple: case TAPE.set: { const count = below(4); integers[atInteger++] = count; writeAll(count); break; }
    case TAPE.map: { const count = below(3); integers[atInteger++] = count; writeAll(2 * count); break; }
    case TAPE.shaped: integers[atInteger++] = below(41); writeAll(below(4)); break;
    case TAPE.open: integers[atInteger++] = below(4); for (let index = below(3); index > 0; index--) { writeShort(pick(SHORT)); write(depth + 1); } bytes[atByte++] = TAPE.end; break;
    case TAPE.big: writeShort(pick(["0x1f", "-0xfffffffffffffffffff", "0x", "12", "g"])); break;
    case TAPE.bytes: { const count = below(5); integers[atInteger++] = count; atByte += count; break; }
    case TAPE.object: integers[atInteger++] = below(3); break;
    case TAPE.numbers: { const count = below(4); integers[atInteger++] = count; for (let index = 0; index < count; index++) doubles[atDouble++] = pick(DOUBLES); break; }
    case TAPE.integers: { const count = below(4); integers[atInteger++] = count; for (let index = 0; index < count; index++) integers[atInteger++] = pick(ODD); break; }
    case TAPE.made: integers[atInteger++] = pick(Object.values(MADE)); write(depth + 1); break;
  }
}

function writeShort(characters) {
  bytes[atByte++] = 0x80 + characters.length;
  for (const character of characters) bytes[atByte++] = character.charCodeAt(0);
}

/** Changes what was written, sometimes: what is left is no encoder's. */
function damage() {
  for (let times = below(4); times > 0; times--) {
    const place = below(3);
    if (place === 0) bytes[below(atByte + 2)] = pick([pick(TAGS), 23, 127, 128 + below(3)]);
    if (place === 1) integers[HEADER + below(atInteger - HEADER + 2)] = pick(ODD);
    if (place === 2) integers[below(HEADER)] = pick([...ODD, 400, 401, 208, 209, 100, 101]);
  }
}

using scope = new PythonScope();
python.run("import gc, sys", { scope });
const objects = [1.5, "text"];
const counts = { built: 0, refused: 0 };
function pass() {
  atByte = 0; atInteger = HEADER; atDouble = 0; text = "";
  while (atByte === 0 || below(3) > 0 && atByte < 100) write(0);
  integers.set([atByte, atInteger, atDouble, 0, 0, 0, text === "" ? 0 : 1, below(2)]);
  damage();
  // repr looks at everything that was built.
  const result = napi.run(1, "len(repr(x)) >= 0", undefined, ["x", undefined], TAPE_NUMBER, text, objects, undefined);
  if (result === true) counts.built++;
  else counts.refused++;
}
const blocks = () => python.eval("[gc.collect(), sys.getallocatedblocks()][1]", { scope });
// Rust keeps short strings for the next time: most are met here.
for (let time = 0; time < passes; time++) pass();
const before = blocks();
counts.built = counts.refused = 0;
for (let time = 0; time < passes; time++) pass();
console.log(JSON.stringify({ ...counts, left: blocks() - before }));
`;

for (const allocator of ALLOCATORS) {
  Deno.test(`tapes that no encoder wrote are built or refused, and leave nothing (PYTHONMALLOC=${allocator})`, async () => {
    const seed = Number(Deno.env.get("ONEHEAP_TEST_SEED") ?? 1);
    const passes = Number(
      Deno.env.get("ONEHEAP_TEST_FORGED_TAPES") ?? 200_000,
    );
    const { code, signal, stdout, stderr } = await run(
      PROGRAM.replaceAll("Deno.args.map(Number)", `[${seed}, ${passes}]`),
      { env: { PYTHONMALLOC: allocator } },
    );
    assertEquals([code, signal, stderr], [0, null, ""]);
    const { built, refused, left } = JSON.parse(stdout);
    assertGreater(Math.min(built, refused), 1_000, stdout);
    // A few strings are still met for the first time.
    assertLess(left, built / 100, stdout);
  });
}
