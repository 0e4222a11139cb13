/** Runs some cases of a group, and prints what came of each. */

import { nameOf } from "./case.ts";
import { GROUPS } from "./groups.ts";
import { distancesOf, MODES } from "./modes.ts";
import { type Report, runCase } from "./runner.ts";

/** Which cases are run, and how. */
export interface Request {
  readonly group: string;
  readonly mode: string;
  readonly first: number;
  readonly count: number;
}

/** What is printed, as JSON, a line each. */
export type Message =
  | { readonly starts: string }
  | { readonly holds: string; readonly report: Report }
  | { readonly fails: string; readonly message: string };

/** Runs the cases until one fails. */
export async function runCases(
  { group, mode, first, count }: Request,
): Promise<void> {
  const distances = distancesOf(MODES[mode]);
  for (const it of GROUPS[group].slice(first, first + count)) {
    const name = nameOf(it);
    print({ starts: name });
    try {
      const report = await runCase(it, distances, {
        warmUp: MODES[mode].isOptimised,
      });
      print({ holds: name, report });
    } catch (error) {
      print({ fails: name, message: (error as Error).message });
      return;
    }
  }
}

function print(message: Message): void {
  console.log(JSON.stringify(message));
}
