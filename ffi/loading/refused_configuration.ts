/** Which environment variables Python refuses to start with. */

import { type Attempt, LibraryError } from "../errors.ts";
import { MAX_SHOWN_VALUE_UNITS } from "../limits.ts";
import { granted } from "./permissions.ts";

/** A start that Python refused. */
export interface Refusal {
  /** Python's error message. */
  readonly message: string;
  /** The environment variables that it reads, by their names. */
  readonly variables: ReadonlyMap<string, string>;
}

/** Starts Python and does nothing. It reads the environment, and nothing of the current folder, as the embedded one. */
const START = ["-X", "utf8", "-P", "-c", ""];

/** Read a refusal as the Rust library writes it: the message, then names and values, each closed by a NUL. */
export function parseRefusal(description: string): Refusal {
  const [message, ...texts] = description.split("\0").slice(0, -1);
  const variables = new Map<string, string>();
  for (let index = 0; index < texts.length; index += 2) {
    variables.set(texts[index], texts[index + 1]);
  }
  return { message, variables };
}

/**
 * The error about a refusal. It names the variables that are wrong, where the executable may be run to find out; else
 * those that Python's message names, or all.
 */
export function refusalError(
  { message, variables }: Refusal,
  library: string,
  executable: string,
  tried: readonly Attempt[],
): LibraryError {
  const { causes, known } = findCauses(
    executable,
    [...variables.keys()],
    message,
  );
  if (causes.length === 0) {
    return new LibraryError(
      `Python (${library}) refuses to start. It says: ${message}. Mend that, or set ONEHEAP_PYTHON to another Python, and ` +
        "start the program again: in this process Python can't be started any more.",
      [...tried, { subject: executable || library, reason: message }],
    );
  }
  const attempts = causes.map(({ name, reason }) => {
    const value = variables.get(name)!;
    return { subject: `${name}=${shorten(value)}`, reason };
  });
  const because = known ? "because of" : "perhaps because of one of";
  const subjects = attempts.map(({ subject }) => subject).join(", ");
  return new LibraryError(
    `Python (${library}) refuses to start, ${because} ${subjects}. It says: ${message}. Unset what is wrong or correct it, ` +
      "and start the program again: in this process Python can't be started any more.",
    [...tried, ...attempts],
  );
}

/** A variable, and what Python says of it. */
interface Cause {
  readonly name: string;
  readonly reason: string;
}

/** The variables that are wrong, and whether that is known; none if Python starts or doesn't start whatever they are. */
function findCauses(
  executable: string,
  names: string[],
  message: string,
): { causes: Cause[]; known: boolean } {
  const blame = (names: string[]) =>
    names.map((name) => ({ name, reason: message }));
  const named = names.filter((name) => message.includes(name));
  const suspected = named.length > 0
    ? { causes: blame(named), known: true }
    : { causes: blame(names), known: false };
  if (executable === "" || !granted({ name: "run", command: executable })) {
    return suspected;
  }
  try {
    const without = (unset: string[]) => complaint(executable, unset);
    if (without([]) === undefined || without(names) !== undefined) {
      return { causes: [], known: true };
    }
    // Each by itself; then each that the failure needs, where it takes several.
    const alone = names.map((name) => ({
      name,
      reason: without(names.filter((other) => other !== name)),
    })).filter((it): it is Cause => it.reason !== undefined);
    if (alone.length > 0) return { causes: alone, known: true };
    const needed = names.filter((name) => without([name]) === undefined);
    return needed.length > 0
      ? { causes: blame(needed), known: true }
      : suspected;
  } catch {
    // Deno lets no command be run where LD_LIBRARY_PATH or the like is set, or the executable is gone.
    return suspected;
  }
}

/** What that Python says if it doesn't start in this environment without those variables. To it an empty one is none. */
function complaint(executable: string, unset: string[]): string | undefined {
  const { success, code, stderr } = new Deno.Command(executable, {
    args: START,
    env: Object.fromEntries(unset.map((name) => [name, ""])),
    stdin: "null",
    stdout: "null",
  }).outputSync();
  if (success) return undefined;
  const said = new TextDecoder().decode(stderr);
  return said.match(/^Fatal Python error: (.*)$/m)?.[1] ??
    `it ends with status ${code}`;
}

function shorten(value: string): string {
  return value.length > MAX_SHOWN_VALUE_UNITS
    ? `${value.slice(0, MAX_SHOWN_VALUE_UNITS)}…`
    : value;
}
