/** Packages that a program requires: `rust/oneheap-deno/src/running/packages.py` installs them. */

import { describe } from "../checks.ts";
import { PackageError, type PackageErrorReason } from "../errors.ts";
import { cacheFolder } from "../loading/cache.ts";
import { callOwn } from "./own_function.ts";

const { parse, stringify } = JSON;

/** How a requirement begins: with the name of a distribution. An option of the installer's doesn't, nor does a path. */
const REQUIREMENT = /^[A-Za-z0-9][\w.-]*(?:$|[ \[<>=!~;@(])[^\n\r\0]*$/;

/** Why not, as the Python half says it; nothing where all is well. */
interface Refusal {
  readonly reason?: PackageErrorReason;
  readonly message: string;
  readonly output: string;
}

/** Have the packages found by imports. */
export function requirePackages(requirements: readonly unknown[]): void {
  if (requirements.length === 0) {
    throw new TypeError(
      'Name one requirement at least, as in require("numpy>=2")',
    );
  }
  const wanted = requirements.map(requireRequirement);
  const refusal: Refusal = parse(
    callOwn("require_packages", stringify(wanted), cacheFolder()) as string,
  );
  if (refusal.reason === undefined) return;
  const { message, reason, output } = refusal;
  throw new PackageError(message, wanted, reason, output);
}

function requireRequirement(value: unknown): string {
  const text = typeof value === "string" ? value.trim() : "";
  if (REQUIREMENT.test(text)) return text;
  throw new TypeError(
    `A requirement begins with a package's name, as numpy>=2 or mine @ file:///path; ${
      describe(value)
    } was given`,
  );
}
