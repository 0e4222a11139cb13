/**
 * Python code that does next to nothing, run from TypeScript and within Python.
 *
 * A call takes nanoseconds, so each iteration makes many, on both sides in the plainest loop that there is.
 */

import { attach, python } from "../../mod.ts";
import { CALLS } from "../counts.ts";
import { callMany, evaluateMany, none } from "./python_side.ts";

const expression = "expression 1+1";

Deno.bench({ name: "within Python", group: expression, baseline: true }, () => {
  evaluateMany.call(CALLS);
});

Deno.bench({ name: "python.eval", group: expression }, () => {
  for (let call = 0; call < CALLS; call++) python.eval("1+1");
});

const callable = "call of a function that returns None";

Deno.bench({ name: "within Python", group: callable, baseline: true }, () => {
  callMany.call(CALLS);
});

Deno.bench({ name: "call, attached", group: callable }, () => {
  using _attached = attach();
  for (let call = 0; call < CALLS; call++) none.call();
});

Deno.bench({ name: "call", group: callable }, () => {
  for (let call = 0; call < CALLS; call++) none.call();
});
