/** `deno task bench:report`: measures everything, and writes `bench/report.md` and `bench/report.svg`. */

import project from "../deno.json" with { type: "json" };
import { chart } from "../bench/report/chart.ts";
import {
  fluentFigures,
  measureFluent,
} from "../bench/report/fluent_figures.ts";
import { measureImport } from "../bench/report/import_time.ts";
import { markdown, type Section } from "../bench/report/markdown.ts";
import { memoryFigures } from "../bench/report/memory_figures.ts";
import { pythonFigures } from "../bench/report/python_figures.ts";
import { runBenchmarks } from "../bench/report/results.ts";
import { measureSteadyState } from "../bench/report/steady_state.ts";
import {
  measureBesideJson,
  valuesFigures,
} from "../bench/report/values_figures.ts";
import { build } from "./build.ts";

/** How often the benchmarks are run, for the middle one of their ratios. */
const RUNS = 3;

const BENCH = new URL("../bench/", import.meta.url);

build();
// Importing the library needs it to be built.
const { python } = await import("../mod.ts");
const { countCopies } = await import("../bench/report/copies.ts");
const { numpyVersion } = await import("../bench/python/python_side.ts");

console.log("A million pairs beside 4,096 blocks");
const steadyState = measureSteadyState();
console.log("Import to first allocation");
const importTime = measureImport();
console.log("Documents beside JSON text");
const besideJson = measureBesideJson(RUNS);
console.log("Proxies and the template");
const fluent = measureFluent(RUNS);
const runs = [];
for (let run = 1; run <= RUNS; run++) {
  console.log(`Benchmarks, run ${run} of ${RUNS}`);
  runs.push(await runBenchmarks());
}

const date = new Date().toISOString().slice(0, 10);
const processor = `${runs[0].cpu}, ${navigator.hardwareConcurrency} cores`;
const { deno, v8 } = Deno.version;
const sections: Section[] = [
  {
    title: "Memory",
    note:
      "A block is made, written and freed. The thread is not attached unless it says so.",
    figures: memoryFigures(runs, steadyState, importTime),
  },
  {
    title: "Python",
    note:
      "Memory is shared and released again. Element by element, it goes by Python's C API through Deno's FFI, with the calls " +
      "that deno_python makes for each element.",
    figures: pythonFigures(
      runs,
      countCopies(),
      numpyVersion === null ? "memoryview" : "NumPy",
    ),
  },
  {
    title: "Values",
    note:
      "Documents of the shapes and sizes of orjson's fixtures, generated from a seed, and others. All ways of a document take turns in " +
      "random order, and of each the first decile counts; of what reads text in Python, the better of a string and of bytes.",
    figures: valuesFigures(besideJson),
  },
  {
    title: "Python's objects in TypeScript",
    note:
      "Proxies, the template and exceptions, beside what each stands for. Both ways of a pair take turns, and of each the first " +
      "decile counts.",
    figures: fluentFigures(fluent),
  },
];
Deno.writeTextFileSync(
  new URL("report.md", BENCH),
  markdown(sections, [
    ["date", date],
    ["machine", `${processor}, ${Deno.build.target}`],
    ["Deno", `${deno}, V8 ${v8}`],
    ["Python", python.version],
    [
      "NumPy",
      numpyVersion ?? "not there; memoryview and mmap are used in its place",
    ],
    ["oneheap", project.version],
  ], RUNS),
);
Deno.writeTextFileSync(
  new URL("report.svg", BENCH),
  chart(
    runs,
    `${processor} · Deno ${deno} · Python ${python.version} · oneheap ${project.version} · ${date}`,
  ),
);
const rows = sections.flatMap(({ figures }) => figures);
for (const { what, goal, measured, reached } of rows) {
  console.log(`${reached ? "ok " : "NO "} ${what}: ${measured} (${goal})`);
}
