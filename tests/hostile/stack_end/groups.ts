/** All cases, in the groups that they are run in. */

import type { Case } from "./case.ts";
import { CASES as BLOCKS } from "./cases/blocks.ts";
import { CASES as ERRORS } from "./cases/errors.ts";
import { CASES as FLUENT } from "./cases/fluent.ts";
import { CASES as MEMORY } from "./cases/memory.ts";
import { CASES as OBJECTS } from "./cases/objects.ts";
import { CASES as OPERATIONS } from "./cases/operations.ts";
import { CASES as RUNNING } from "./cases/running.ts";
import { CASES as SCOPES } from "./cases/scopes.ts";

/** The cases by their group's name. */
export const GROUPS: Readonly<Record<string, readonly Case<unknown>[]>> = {
  "blocks": BLOCKS,
  "other memory and attachments": MEMORY,
  "Python's objects": OBJECTS,
  "what is done with objects": OPERATIONS,
  "proxies, templates and regions": FLUENT,
  "scopes": SCOPES,
  "running Python code": RUNNING,
  "errors": ERRORS,
};
