/**
 * Runs seeds in a process of its own: `program.ts FIRST_SEED COUNT [--verbose] [--until=MILLISECONDS] [--without=KINDS]`. Prints each seed before it
 * begins, so that the last one is known if the process crashes, and after it how many operations it had.
 */

import { runSeed } from "./seed.ts";
import { Fixture } from "./fixture.ts";

const [first, count] = Deno.args.slice(0, 2).map(Number);
const isVerbose = Deno.args.includes("--verbose");
const until = Number(
  Deno.args.find((it) => it.startsWith("--until="))?.slice(8) ?? Infinity,
);
const without = Deno.args.find((it) => it.startsWith("--without="))?.slice(10);
const fixture = new Fixture(isVerbose, new Set(without?.split(",")));
const encoder = new TextEncoder();

function say(line: string): void {
  Deno.stdout.writeSync(encoder.encode(`${line}\n`));
}

try {
  for (let seed = first; seed < first + count; seed++) {
    if (Date.now() > until) break;
    say(`seed ${seed}`);
    say(`did ${await runSeed(seed, fixture)}`);
  }
  fixture[Symbol.dispose]();
  say("end");
} catch (error) {
  Deno.stderr.writeSync(
    encoder.encode(`${(error as Error).stack}\n${shown(error)}\n`),
  );
  Deno.exit(1);
}

/** The causes of an error. */
function shown(error: unknown): string {
  const { cause } = error as Error;
  if (cause === undefined) return "";
  const stack = cause instanceof Error ? cause.stack : String(cause);
  return `caused by ${stack}\n${shown(cause)}`;
}
