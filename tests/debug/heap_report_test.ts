/** Heap reports: what is in them, and the formats that they are written in. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  type HeapPlace,
  type HeapReport,
  heapReport,
  recordCallSites,
} from "../../ffi/debug/debug.ts";
import { readTracedMemory } from "../../ffi/debug/traced_memory.ts";
import {
  alloc,
  type PyObjectRef,
  python,
  PythonScope,
  raw,
} from "../../mod.ts";
import { inFolder, run } from "../support/process.ts";
import { Tracemalloc } from "./places.ts";

/** The place whose stack has a function of that name, or a frame in Python, innermost. */
function placeIn(report: HeapReport, name: string): HeapPlace | undefined {
  return report.places.find(({ stack, language }) =>
    stack.at(-1)?.name === name && language === "typescript"
  );
}

Deno.test("a report has blocks by their functions, what was alive at the peak, and all that was allocated", () => {
  using _recording = recordCallSites({ frames: 1 });
  function loads() {
    return alloc(Uint8Array, 50_000_000, { zeroed: false });
  }
  for (let round = 0; round < 3; round++) loads().free();
  using _kept = loads();
  const second = loads();
  second.free();
  const report = heapReport();
  const place = placeIn(report, "loads")!;
  assertEquals(place.live, { bytes: 50_000_000, count: 1 });
  assertEquals(place.peak, { bytes: 100_000_000, count: 2 });
  assertEquals(place.allocated, { bytes: 250_000_000, count: 5 });
  assertEquals(place.language, "typescript");
  assertEquals(place.stack.length, 1);
  assertStringIncludes(place.stack[0].file, "heap_report_test.ts");
  assertGreater(report.peak!.bytes, 99_999_999);
  assertGreater(report.timeline.length, 0);
});

Deno.test("a report has Python's memory by its own lines, below those of TypeScript, and without the blocks", () => {
  using tracemalloc = new Tracemalloc();
  using _recording = recordCallSites({ frames: 1 });
  using scope = new PythonScope();
  using _block = alloc(Uint8Array, 7_000_000);
  function fills() {
    python.run(
      "def fill():\n    return [bytes(1000) for _ in range(1000)]\nkept = fill()",
      {
        scope,
      },
    );
  }
  fills();
  const report = heapReport();
  const python_ = report.places.filter(({ language }) => language === "python");
  const own = python_.find(({ stack }) =>
    stack.some(({ name }) => name === "fill")
  )!;
  assertGreater(own.live.bytes, 1_000_000);
  assert(own.live.bytes < 1_200_000, `${own.live.bytes}`);
  assertEquals(own.stack[0].name, "fills");
  assertEquals(own.stack[0].language, "typescript");
  const [typescript, pythonTotal] = report.totals;
  assertEquals(typescript.language, "typescript");
  assertGreater(typescript.live.bytes, 6_999_999);
  assert(pythonTotal.live.bytes < 7_000_000, "the block isn't Python's too");
  assert(tracemalloc.stacks(7_000_000).length > 0);
});

Deno.test("the sum of a report is what tracemalloc has", () => {
  using _tracemalloc = new Tracemalloc();
  using _recording = recordCallSites({ frames: 2 });
  const before = heapReport();
  using _one = alloc(Uint8Array, 3_000_000);
  const address = raw.malloc(2_000_000);
  using _list = python.eval(
    "[bytes(100) for _ in range(10000)]",
  ) as PyObjectRef;
  const traced = readTracedMemory()!;
  const sum = traced.amounts.reduce((sum, [bytes]) => sum + bytes, 0);
  const report = heapReport();
  const known = report.totals.reduce((sum, { live }) => sum + live.bytes, 0) -
    (before.totals[0].live.bytes);
  // What was allocated in between, for the reading itself, is little.
  assert(Math.abs(known / sum - 1) < 0.05, `${known} of ${sum}`);
  raw.free(address);
});

Deno.test("a report has what Python had at its peak, though it is gone", async () => {
  using _tracemalloc = new Tracemalloc();
  using _recording = recordCallSites({ frames: 1 });
  using scope = new PythonScope();
  let place: HeapPlace | undefined;
  // Looks come ten times a second, and later where the last one took long: on a busy machine some have to be waited for.
  for (const seconds of [1, 4, 20, 40]) {
    python.run("\n\n\nkept = [bytes(1000) for _ in range(50_000)]", { scope });
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    python.run("del kept", { scope });
    place = heapReport().places.find(({ stack, peak }) => {
      const { file, line } = stack.at(-1)!;
      return file.startsWith("<python.run") && line === 4 &&
        // Less by as much as one peak has to be above another.
        (peak?.bytes ?? 0) > 48_000_000;
    });
    if (place !== undefined) break;
  }
  assert(place !== undefined, "no look came in time");
  assert(place.peak!.bytes < 55_000_000, `${place.peak!.bytes}`);
  assert(place.live.bytes < 1_000_000, `${place.live.bytes}`);
  assertEquals(place.language, "python");
});

Deno.test("the peak of an earlier tracing is none of a later one's", async () => {
  using _recording = recordCallSites({ frames: 1 });
  {
    using _tracemalloc = new Tracemalloc();
    using _large = python.eval(
      "[bytes(1000) for _ in range(60_000)]",
    ) as PyObjectRef;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assertGreater(readTracedMemory()!.peakBytes, 60_000_000);
  }
  using _tracemalloc = new Tracemalloc();
  using _small = python.eval(
    "[bytes(1000) for _ in range(1_000)]",
  ) as PyObjectRef;
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert(readTracedMemory()!.peakBytes < 10_000_000);
});

Deno.test("a difference has what came and what went", () => {
  using _recording = recordCallSites({ frames: 1 });
  function goes() {
    return alloc(Uint8Array, 1_000);
  }
  function comes() {
    return alloc(Uint8Array, 3_000);
  }
  const gone = goes();
  const before = heapReport();
  gone.free();
  using _come = comes();
  const report = heapReport().since(before);
  assertEquals(placeIn(report, "comes")!.change, { bytes: 3_000, count: 1 });
  assertEquals(placeIn(report, "goes")!.change, { bytes: -1_000, count: -1 });
  assertEquals(report.totals[0].change, { bytes: 2_000, count: 0 });
});

Deno.test("without call sites and tracemalloc a report says what to do", async () => {
  const { code, stdout, stderr } = await run(
    `import { heapReport } from "@oneheap/oneheap/debug";
    import "@oneheap/oneheap";
    const { notes, places, timeline } = heapReport();
    console.log(JSON.stringify([places.length, timeline.length, notes]));`,
  );
  assertEquals([code, stderr], [0, ""]);
  const [places, timeline, notes] = JSON.parse(stdout);
  assertEquals([places, timeline], [0, 0]);
  assertStringIncludes(notes[0], "ONEHEAP_CALL_SITES=4");
  assertStringIncludes(notes[1], "PYTHONTRACEMALLOC=8");
});

/** A report of one place that is known. */
function reportOfOne(): HeapReport {
  using _recording = recordCallSites({ frames: 2 });
  function inner() {
    return alloc(Uint8Array, 12_345_678, { zeroed: false });
  }
  function outer() {
    return inner();
  }
  using _block = outer();
  return heapReport();
}

Deno.test("the formats have the place, its stack and its size", () =>
  inFolder(async (folder) => {
    const report = reportOfOne();
    const read = async (ending: string) => {
      const file = `${folder}/heap.${ending}` as `${string}.html`;
      await report.write(file);
      return await Deno.readTextFile(file);
    };
    const line = (await read("collapsed")).split("\n")
      .find((line) => line.endsWith(" 12345678"))!;
    assert(
      /^typescript;outer \(.*:\d+\);inner \(.*:\d+\) 12345678$/.test(line),
      line,
    );

    const speedscope = JSON.parse(await read("speedscope.json"));
    const [profile] = speedscope.profiles;
    const index = profile.weights.indexOf(12_345_678);
    assertEquals(
      profile.samples[index].map((frame: number) =>
        speedscope.shared.frames[frame].name.split(" ")[0]
      ),
      ["outer", "inner"],
    );
    assertEquals(profile.unit, "bytes");
    assertEquals(
      profile.endValue,
      profile.weights.reduce((a: number, b: number) => a + b),
    );
    assertEquals(speedscope.profiles[1].name, "at the peak");

    const { head, samples } = JSON.parse(await read("heapprofile"));
    type Node = {
      callFrame: { functionName: string; url: string };
      selfSize: number;
      id: number;
      children: Node[];
    };
    const find = (node: Node, name: string): Node | undefined =>
      node.callFrame.functionName === name
        ? node
        : node.children.map((it) => find(it, name)).find((it) => it);
    const inner = find(find(head, "outer")!, "inner")!;
    assertEquals(inner.selfSize, 12_345_678);
    assert(inner.callFrame.url.startsWith("file:///"));
    assert(
      samples.some(({ size, nodeId }: { size: number; nodeId: number }) =>
        size === 12_345_678 && nodeId === inner.id
      ),
    );

    const page = await read("html");
    assertStringIncludes(page, '"bytes":12345678');
    assert(!page.includes("__HEAP_DATA__"));
  }));

Deno.test("another ending is refused, and nothing is written", () =>
  inFolder(async (folder) => {
    const report = reportOfOne();
    const file = `${folder}/heap.txt`;
    await assertRejects(
      () => report.write(file as `${string}.html`),
      TypeError,
      ".speedscope.json",
    );
    await assertRejects(() => report.write(7 as never), TypeError, "7");
    assertEquals([...Deno.readDirSync(folder)], []);
  }));

Deno.test({
  name: "a progress line is shown on a terminal, and cleared in the end",
  ignore: !has("/usr/bin/script"),
  fn: async () => {
    const program = `import { heapReport } from "${
      import.meta.resolve("../../ffi/debug/debug.ts")
    }"; heapReport();`;
    const file = await Deno.makeTempFile({ suffix: ".ts" });
    await Deno.writeTextFile(file, program);
    const command = `${Deno.execPath()} run -A --no-check ${file}`;
    const { stdout } = await new Deno.Command("/usr/bin/script", {
      args: ["--quiet", "--return", "--command", command, "/dev/null"],
      stdin: "null",
    }).output();
    await Deno.remove(file);
    const shown = new TextDecoder().decode(stdout);
    assertStringIncludes(shown, "oneheap: heap report: what tracemalloc has (");
    assert(shown.trimEnd().endsWith("\x1b[K"), JSON.stringify(shown));
  },
});

function has(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
