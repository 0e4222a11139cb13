/** What the tests of interruptions share. */

import type { PythonScope } from "../../mod.ts";

/** A signal that is aborted as soon as the code in a scope has set its variable `begun`. */
export function abortOnceBegun(
  scope: PythonScope,
  reason?: unknown,
): AbortController {
  const controller = new AbortController();
  const look = () =>
    scope.get("begun") ? controller.abort(reason) : setTimeout(look, 5);
  setTimeout(look, 5);
  return controller;
}
