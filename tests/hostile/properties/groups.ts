/** All cases, in the groups that they are run in. */

import { CASES as BLOCKS } from "./blocks.ts";
import type { Case } from "./case.ts";
import { CASES as ELEMENTS } from "./elements.ts";
import { CASES as FORGED } from "./forged.ts";
import { CASES as PATCHED } from "./patched.ts";
import { CASES as REFERENCES } from "./references.ts";

/** The cases by their group's name. */
export const GROUPS: Readonly<Record<string, readonly Case[]>> = {
  "while a block is used": BLOCKS,
  "while references, scopes and borrowed memory are used": REFERENCES,
  "in elements": ELEMENTS,
  "in forged objects": FORGED,
  "in patched prototypes": PATCHED,
};
