/** Python's identifiers, in the form that Python has them in. */

import { describe } from "../checks.ts";
import { normalize } from "../intrinsics.ts";
import { MAX_KEPT_NAME_UNITS, MAX_KEPT_NAMES } from "../limits.ts";
import { napi } from "../loading/native.ts";

/** What Python takes for a name: `identifier` of its language reference, "Lexical analysis". */
const IDENTIFIER = /^[\p{XID_Start}_]\p{XID_Continue}*$/u;

/** The normal forms of names that were used before, so that they needn't be checked again. */
const normalForms = new Map<string, string>();

/** Return the form in which Python has a name, which is NFKC; throw a `RangeError` that begins with the `rule` for what is no identifier. */
export function normalIdentifier(rule: string, name: string): string {
  const known = normalForms.get(name);
  if (known !== undefined) return known;
  // V8 compiles the expression when it is used, and throws something else than a `RangeError` where that has too little stack.
  napi.ensureStack();
  const normal = normalize(name, "NFKC");
  if (!IDENTIFIER.test(normal)) {
    throw new RangeError(`${rule}; ${describe(name)} was given`);
  }
  if (name.length <= MAX_KEPT_NAME_UNITS) {
    if (normalForms.size >= MAX_KEPT_NAMES) normalForms.clear();
    normalForms.set(name, normal);
  }
  return normal;
}
