/** The report's text. */

import type { Figure } from "./comparisons.ts";

/** Where and when something was measured, a line each. */
export type Circumstances = readonly (readonly [what: string, value: string])[];

/** Figures of one kind. */
export interface Section {
  readonly title: string;
  /** How they were measured. */
  readonly note: string;
  readonly figures: readonly Figure[];
}

/** The report as Markdown. */
export function markdown(
  sections: readonly Section[],
  circumstances: Circumstances,
  runs: number,
): string {
  const figures = sections.flatMap(({ figures }) => figures);
  const reached = figures.filter((figure) => figure.reached).length;
  return `# Benchmarks

Written by \`deno task bench:report\`. Unless a section says otherwise, every ratio is of two average times of one and the same run
of \`deno bench\`, and every difference of the fastest ones; of ${runs} runs, the middle one is shown. ${reached} of ${figures.length} goals are reached.

${circumstances.map(([what, value]) => `- ${what}: ${value}`).join("\n")}

![Times of oneheap beside the other ways](report.svg)
${sections.map(table).join("")}`;
}

function table({ title, note, figures }: Section): string {
  return `
## ${title}

${note}

| what | goal | measured | reached |
| --- | --- | --- | --- |
${figures.map(row).join("\n")}
`;
}

function row({ what, goal, measured, reached }: Figure): string {
  return `| ${what} | ${goal} | ${measured} | ${reached ? "yes" : "**no**"} |`;
}
