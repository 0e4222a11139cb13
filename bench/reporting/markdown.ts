/** The report's text. */

import type { Figure } from "./figures.ts";

/** Where and when something was measured, a line each. */
export type Circumstances = readonly (readonly [what: string, value: string])[];

/** The report as Markdown. */
export function markdown(
  figures: readonly Figure[],
  circumstances: Circumstances,
  runs: number,
): string {
  const reached = figures.filter((figure) => figure.reached).length;
  return `# Benchmarks

Written by \`deno task bench:report\`. Every ratio is of two average times of one and the same run of \`deno bench\`, and
every difference of the fastest ones; of ${runs} runs, the middle one is given. A block is made, written and freed. The
thread is not attached unless it says so.

${circumstances.map(([what, value]) => `- ${what}: ${value}`).join("\n")}

![Times of oneheap beside JavaScript's own memory](report.svg)

| what | goal | measured | reached |
| --- | --- | --- | --- |
${figures.map(row).join("\n")}

${reached} of ${figures.length} reached.
`;
}

function row({ what, goal, measured, reached }: Figure): string {
  return `| ${what} | ${goal} | ${measured} | ${reached ? "yes" : "**no**"} |`;
}
