import { assert, assertEquals, assertMatch } from "@std/assert";
import { runTask } from "../support/process.ts";

Deno.test("the demonstration shows one block in three languages, freed by using, and figures", async () => {
  const { code, stdout, stderr } = await runTask("demo.ts");
  assertEquals([code, stderr], [0, ""]);
  const addresses = [...stdout.matchAll(/has it at +(0x[0-9a-f]+)$/gm)];
  assertEquals(addresses.length, 2);
  assertEquals(addresses[0][1], addresses[1][1]);
  const traced = [...stdout.matchAll(/tracemalloc counts +([\d,]+) bytes/g)]
    .map(([, bytes]) => Number(bytes.replaceAll(",", "")));
  assertEquals(traced.length, 3);
  assert(Math.abs(traced[0] - 8e6) < 5_000, `${traced[0]} bytes while it is`);
  assert(traced[1] < 5_000, `${traced[1]} bytes when it is freed`);
  assert(traced[2] > 1e7, `${traced[2]} bytes of the document`);
  assertMatch(stdout, /Rust's counters say +1 block, 8,000,000 bytes\n/);
  assertMatch(stdout, /Rust's counters say +0 blocks, 0 bytes\n/);
  const documents = stdout.match(
    /^(oneheap: nested values|JSON text).* ([\d.]+) ms +([\d.]+) ms +([\d,]+) +7$/gm,
  );
  assertEquals(documents?.length, 2);
  const rows = stdout.match(/^(1,000,000|the same|a call).*$/gm) ?? [];
  const times = rows.map((row) => row.match(/[\d.]+ (µs|ms)/g)?.length);
  assertEquals(times, [4, 4, 2]);
});
