/** Runs some cases of a group, and prints what came of each. */

import { runNamed } from "../../support/case_programs/messages.ts";
import { nameOf } from "./case.ts";
import { GROUPS } from "./groups.ts";
import { distancesOf, MODES } from "./modes.ts";
import { runCase } from "./runner.ts";

/** Which cases are run, and how. */
export interface Request {
  readonly group: string;
  readonly mode: string;
  readonly first: number;
}

/** Runs the cases until one fails. */
export async function runCases(
  { group, mode, first }: Request,
): Promise<void> {
  const distances = distancesOf(MODES[mode]);
  for (const it of GROUPS[group].slice(first)) {
    const { isOptimised } = MODES[mode];
    const holds = await runNamed(
      nameOf(it),
      () => runCase(it, distances, { warmUp: isOptimised }),
    );
    if (!holds) return;
  }
}
