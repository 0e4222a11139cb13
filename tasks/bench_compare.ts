/**
 * `deno task bench:compare OLD [--rounds N] [--filter TEXT]`: measures this checkout beside an older one, by this one's
 * benchmarks, and fails where something is slower.
 *
 * Each round starts two processes for each checkout, one pair after the other. In a pair the two alternate at each
 * benchmark, and the time of a round is that of the fastest batch. Over all rounds, a benchmark is slower where the whole
 * confidence interval of its median ratio is above 1.03. One that seems so is measured in as many rounds again, for among a
 * hundred benchmarks chance alone has one seem slower now and then; all of its rounds count.
 *
 * `ONEHEAP_LIBRARY` is not used: each checkout has its own library, which is built if need be.
 */

import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Comparison, NAMES, ratiosOf } from "../bench/compare/comparison.ts";
import { type Checkout, Layout } from "../bench/compare/layout.ts";
import {
  BOUND,
  MAX_ROUNDS,
  medianOf,
  MIN_ROUNDS,
  rankOfLow,
  spreadOf,
  verdictOf,
} from "../bench/compare/statistics.ts";
import { formatTime } from "../bench/report/numbers.ts";
import { libraryName } from "../ffi/loading/target.ts";
import { build } from "./build.ts";

const ROOT = new URL("../", import.meta.url);

const USAGE =
  "usage: deno task bench:compare OLD [--rounds N] [--filter TEXT]\n" +
  "OLD is the folder of another checkout of this project.";

/** What the command line asks for. */
interface Arguments {
  readonly old: string;
  readonly rounds: number;
  readonly filter: string;
}

const { old, rounds, filter } = parseArguments(Deno.args);
const names = NAMES.filter((name) => name.includes(filter));
if (names.length === 0) refuse(`no benchmark's name has "${filter}" in it`);
// It would have both sides use the same library.
Deno.env.delete("ONEHEAP_LIBRARY");
build();
buildOther(old);
const comparison = await compare();
printTable();
Deno.exit(summarize() ? 0 : 1);

function parseArguments(args: readonly string[]): Arguments {
  const folders: string[] = [];
  let rounds = MIN_ROUNDS;
  let filter = "";
  const rest = args.flatMap((it) =>
    it.startsWith("--") && it.includes("=")
      ? [it.slice(0, it.indexOf("=")), it.slice(it.indexOf("=") + 1)]
      : [it]
  );
  while (rest.length > 0) {
    const argument = rest.shift()!;
    if (argument === "--rounds") rounds = roundsOf(rest.shift());
    else if (argument === "--filter") {
      filter = rest.shift() ?? refuse("--filter needs a text");
    } else if (argument.startsWith("-")) refuse(`unknown: ${argument}`);
    else folders.push(argument);
  }
  if (folders.length !== 1) refuse(`${folders.length} folders were given`);
  return { old: checkoutAt(folders[0]), rounds, filter };
}

function roundsOf(text: string | undefined): number {
  const rounds = Number(text);
  if (
    Number.isInteger(rounds) && rounds >= MIN_ROUNDS && rounds <= MAX_ROUNDS
  ) return rounds;
  return refuse(
    `--rounds ${
      text ?? ""
    }: give a whole number from ${MIN_ROUNDS} to ${MAX_ROUNDS}; fewer rounds show too little`,
  );
}

/** The folder as an absolute path. */
function checkoutAt(folder: string): string {
  const path = resolve(folder);
  for (const file of ["mod.ts", "tasks/build.ts"]) {
    try {
      Deno.statSync(`${path}/${file}`);
    } catch {
      refuse(`${path} is no checkout of this project: it has no ${file}`);
    }
  }
  return path;
}

function refuse(reason: string): never {
  console.error(`${reason}\n${USAGE}`);
  Deno.exit(2);
}

/** Build the other checkout's library, as that checkout does; a library that is older than its source would mislead. */
function buildOther(folder: string): void {
  const { success, code } = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", "tasks/build.ts"],
    cwd: folder,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).outputSync();
  if (success) return;
  console.error(`the checkout at ${folder} could not be built`);
  Deno.exit(code);
}

/** Run all rounds. Ends the process where a process that is measured ends or hangs. */
async function compare(): Promise<Comparison> {
  using layout = new Layout([checkoutIn(old), checkoutIn(fileURLToPath(ROOT))]);
  Deno.addSignalListener("SIGINT", () => {
    layout[Symbol.dispose]();
    Deno.exit(130);
  });
  const comparison = new Comparison(layout);
  try {
    await runRounds(comparison, names, "round");
    const suspects = comparison.slower(names);
    if (suspects.length === 0) return comparison;
    console.error(`${suspects.length} may be slower; they are measured again`);
    await runRounds(comparison, suspects, "further round");
    return comparison;
  } catch (error) {
    console.error((error as Error).message);
    layout[Symbol.dispose]();
    Deno.exit(1);
  }
}

function checkoutIn(folder: string): Checkout {
  const name = libraryName(Deno.build.target);
  return { folder, library: join(folder, "rust/target/release", name) };
}

async function runRounds(
  comparison: Comparison,
  names: readonly string[],
  what: string,
): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    console.error(`${what} ${round} of ${rounds}`);
    await comparison.round(names);
  }
}

function printTable(): void {
  const rank = rankOfLow(rounds);
  console.log(
    `\nOLD is ${old}. The ratio is the median of NEW to OLD in ${rounds} rounds; its spread goes from the ${
      ordinal(rank)
    } to the ${
      ordinal(rounds + 1 - rank)
    } of them, the median's confidence interval of 95 % or more.\n`,
  );
  const rows = [["benchmark", "OLD", "NEW", "ratio", "spread", "verdict"]];
  for (const name of names) {
    const pairs = comparison.measured.get(name);
    if (comparison.failed.has(name)) {
      rows.push([name, "", "", "", "", "FAILED"]);
    } else if (comparison.onlyNew.has(name)) {
      rows.push([name, "", "", "", "", "new"]);
    } else if (pairs !== undefined) {
      const spread = spreadOf(ratiosOf(pairs));
      rows.push([
        name,
        formatTime(medianOf(pairs.map(([old]) => old))),
        formatTime(medianOf(pairs.map(([, fresh]) => fresh))),
        spread.median.toFixed(3),
        `${spread.low.toFixed(3)} to ${spread.high.toFixed(3)}`,
        verdictOf(spread) +
        (pairs.length > rounds ? `, ${pairs.length} rounds` : ""),
      ]);
    }
  }
  const widths = rows[0].map((_, column) =>
    Math.max(...rows.map((row) => row[column].length))
  );
  for (const row of rows) {
    const cells = row.map((cell, column) => {
      const numeric = column > 0 && column < 4;
      return numeric
        ? cell.padStart(widths[column])
        : cell.padEnd(widths[column]);
    });
    console.log(cells.join("  ").trimEnd());
  }
  console.log();
}

/** Print what is slower and what failed. Returns whether nothing is slower and nothing failed. */
function summarize(): boolean {
  for (const [name, error] of comparison.onlyNew) {
    console.log(`new: ${name}: OLD can't run it: ${error}`);
  }
  for (const [name, error] of comparison.failed) {
    console.log(`FAILED: ${name}: ${error}`);
  }
  const slower = comparison.slower(names);
  for (const name of slower) {
    const { median, low, high } = spreadOf(
      ratiosOf(comparison.measured.get(name)!),
    );
    console.log(
      `SLOWER: ${name}: ${percent(median)} (${percent(low)} to ${
        percent(high)
      })`,
    );
  }
  const compared = names.filter((name) =>
    comparison.measured.has(name) && !comparison.failed.has(name)
  );
  const undecided = compared.filter((name) =>
    verdictOf(spreadOf(ratiosOf(comparison.measured.get(name)!))) ===
      "undecided"
  );
  console.log(
    `${compared.length} compared, ${slower.length} slower, ${undecided.length} undecided: their spread has ${BOUND} in it`,
  );
  return slower.length === 0 && comparison.failed.size === 0;
}

function percent(ratio: number): string {
  const change = (ratio - 1) * 100;
  return `${change < 0 ? "-" : "+"}${Math.abs(change).toFixed(1)} %`;
}

function ordinal(number: number): string {
  const last = number % 100 >= 11 && number % 100 <= 13 ? 0 : number % 10;
  return `${number}${["th", "st", "nd", "rd"][last] ?? "th"}`;
}
