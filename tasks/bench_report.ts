/** `deno task bench:report`: measures everything, and writes `bench/report.md` and `bench/report.svg`. */

import project from "../deno.json" with { type: "json" };
import { chart } from "../bench/reporting/chart.ts";
import { figures } from "../bench/reporting/figures.ts";
import { measureImport } from "../bench/reporting/import_time.ts";
import { markdown } from "../bench/reporting/markdown.ts";
import { runBenchmarks } from "../bench/reporting/results.ts";
import { measureSteadyState } from "../bench/reporting/steady_state.ts";
import { build } from "./build.ts";

/** How often the benchmarks are run, for the middle one of their ratios. */
const RUNS = 3;

const BENCH = new URL("../bench/", import.meta.url);

build();
// Importing the library needs it to be built.
const { python } = await import("../mod.ts");

console.log("A million pairs beside 4,096 blocks");
const steadyState = measureSteadyState();
console.log("Import to first allocation");
const importTime = measureImport();
const runs = [];
for (let run = 1; run <= RUNS; run++) {
  console.log(`Benchmarks, run ${run} of ${RUNS}`);
  runs.push(await runBenchmarks());
}

const date = new Date().toISOString().slice(0, 10);
const processor = `${runs[0].cpu}, ${navigator.hardwareConcurrency} cores`;
const { deno, v8 } = Deno.version;
const rows = figures(runs, steadyState, importTime);
Deno.writeTextFileSync(
  new URL("report.md", BENCH),
  markdown(rows, [
    ["date", date],
    ["machine", `${processor}, ${Deno.build.target}`],
    ["Deno", `${deno}, V8 ${v8}`],
    ["Python", python.version],
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
for (const { what, goal, measured, reached } of rows) {
  console.log(`${reached ? "ok " : "NO "} ${what}: ${measured} (${goal})`);
}
