/** The figures of nested values: what is to be reached, and what was measured. */

import type { BesideJson, Measured } from "../values/beside_json.ts";
import type { Figure } from "./comparisons.ts";
import { significant } from "./numbers.ts";
import { measureInProcesses } from "./own_process.ts";
import { median } from "./results.ts";

const PROGRAM = `${import.meta.dirname}/../values/beside_json.ts`;

/** What part of the rival's time each document may take, to Python and to JavaScript. */
const GOALS: Readonly<Record<string, readonly [there: number, back: number]>> =
  {
    "small object": [0.40, 0.32],
    "github": [0.75, 0.40],
    "twitter": [0.55, 0.30],
    "citm_catalog": [0.60, 0.45],
    "canada": [0.40, 0.20],
    "100,000 records": [0.50, 0.30],
    "1,000,000 doubles": [0.15, 0.10],
    "long Latin-1 strings": [0.25, 0.35],
  };

/** The documents of which text alone is not to be faster. */
const BESIDE_PARSING = [
  "github",
  "twitter",
  "citm_catalog",
  "canada",
  "100,000 records",
];

/** A small object there and back takes no longer than so many calls with None. */
const CALLS_OF_A_ROUND_TRIP = 3;

/** Measure documents beside JSON text, in a process of their own, so many times. */
export function measureBesideJson(runs: number): BesideJson[] {
  return measureInProcesses(PROGRAM, runs);
}

/** Every figure of nested values. Of the runs, the middle one of each ratio is shown. */
export function valuesFigures(runs: readonly BesideJson[]): Figure[] {
  const { rival } = runs[0];
  const ratio = (what: string, goal: number, of: (run: BesideJson) => number) =>
    partOf(what, goal, median(runs.map(of)));
  const names = Object.keys(GOALS);
  return [
    ...names.map((name) =>
      ratio(
        `${name} to Python, against \`JSON.stringify\` and ${rival}`,
        GOALS[name][0],
        (run) =>
          documentOf(run, name).there.values / documentOf(run, name).there.text,
      )
    ),
    ...names.map((name) =>
      ratio(
        `${name} to JavaScript, against ${rival} and \`JSON.parse\``,
        GOALS[name][1],
        (run) =>
          documentOf(run, name).back.values / documentOf(run, name).back.text,
      )
    ),
    ...BESIDE_PARSING.map((name) =>
      ratio(
        `${name}: building it in Python, against \`marshal.loads\``,
        1,
        (run) =>
          documentOf(run, name).there.building /
          documentOf(run, name).there.marshal,
      )
    ),
    ...BESIDE_PARSING.map((name) =>
      ratio(
        `${name}: all of the way to JavaScript, against \`JSON.parse\` alone`,
        1,
        (run) =>
          documentOf(run, name).back.values /
          documentOf(run, name).back.parsing,
      )
    ),
    ratio(
      "small object to Python, and one to JavaScript, against a call with None",
      CALLS_OF_A_ROUND_TRIP,
      (run) => {
        const { there, back } = documentOf(run, "small object");
        return (there.values + back.values) / run.call;
      },
    ),
  ];
}

function documentOf({ documents }: BesideJson, name: string): Measured {
  const found = documents.find((document) => document.name === name);
  if (found !== undefined) return found;
  throw new Error(`"${name}" wasn't measured`);
}

function partOf(what: string, goal: number, measured: number): Figure {
  return {
    what,
    goal: `at most ${goal} times its time`,
    measured: `${significant(measured)} times`,
    reached: measured <= goal,
  };
}
