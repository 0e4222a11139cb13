/** Runs the cases of a group until one fails: `program.ts GROUP FIRST`. */

import { runNamed } from "../../support/case_programs/messages.ts";
import { GROUPS } from "./groups.ts";

const [group, first] = Deno.args;
for (const { name, run } of GROUPS[group].slice(Number(first))) {
  if (!await runNamed(name, run)) break;
}
