/**
 * Every operation of the public API at every distance from the end of JavaScript's stack: it is done, or it has changed nothing. See
 * `stack_end/case.ts`.
 *
 * A failure names the case and its distance. `ONEHEAP_STACK_STEP=8` tries all distances there are near the end of the stack.
 */

import { assert, assertEquals } from "@std/assert";
import * as api from "../mod.ts";
import { type Case, nameOf } from "./stack_end/case.ts";
import { GROUPS } from "./stack_end/groups.ts";
import { MODES } from "./stack_end/modes.ts";
import { publicOperations } from "./stack_end/operations.ts";
import type { Message } from "./stack_end/run_cases.ts";

const PROGRAM = new URL("stack_end/program.ts", import.meta.url);

/** A program that prints nothing for so long hangs. */
const SILENCE_MILLISECONDS = 30_000;

const CASES = Object.values(GROUPS).flat();

Deno.test("every operation of the public API has a case at the end of the stack, and every case has its operation", () => {
  const operations = publicOperations(api);
  const covered = new Set(CASES.map(({ operation }) => operation));
  const uncovered = operations.filter((it) => !covered.has(it));
  const vanished = [...covered].filter((it) => !operations.includes(it));
  assertEquals({ uncovered, vanished }, { uncovered: [], vanished: [] });
});

Deno.test("the listing of the public API has constructors, static and prototype members, accessors, and functions of objects", () => {
  class Thing {
    static make() {}
    get size() {
      return 0;
    }
    set size(_size: number) {}
    use() {}
    [Symbol.dispose]() {}
  }
  const listed = publicOperations({
    Thing,
    act: (_argument: unknown) => {},
    grab: () => new Thing(),
    count: () => ({ things: 0 }),
    tools: { version: "1", mend() {} },
  });
  const members = ["size", "use", "[Symbol.dispose]"];
  const expected = [
    ...["new Thing", "Thing.make", "set Thing.prototype.size"],
    ...["Thing.prototype.size", "Thing.prototype.use"],
    "Thing.prototype[Symbol.dispose]",
    ...["act", "count", "grab", "tools.mend", "set grab().size"],
    ...members.map((it) => it.startsWith("[") ? `grab()${it}` : `grab().${it}`),
  ];
  assertEquals(listed, expected.sort());
});

Deno.test("no two cases have the same name", () => {
  const names = CASES.map(nameOf);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  assertEquals(twice, []);
});

for (const [group, cases] of Object.entries(GROUPS)) {
  Deno.test(`near the end of the stack, ${group}: each operation is done, or it has changed nothing`, async () => {
    const modes = Object.keys(MODES);
    const failures = await Promise.all(
      modes.map((mode) => failuresOf(group, mode, cases)),
    );
    assertEquals(failures.flat(), []);
  });
}

/** Runs all cases of a group; those after one that failed in a process of their own. */
async function failuresOf(
  group: string,
  mode: string,
  cases: readonly Case<unknown>[],
): Promise<string[]> {
  const failures: string[] = [];
  for (let first = 0; first < cases.length;) {
    const { messages, end } = await runProgram(group, mode, first);
    const started = messages.filter((it) => "starts" in it).length;
    const held = messages.filter((it) => "holds" in it).length;
    const failed = messages.find((it) => "fails" in it);
    if (failed !== undefined) {
      failures.push(`${failed.fails}, ${mode}: ${failed.message}`);
    } else if (held < cases.length - first) {
      const name = nameOf(cases[first + Math.max(started - 1, 0)]);
      failures.push(`${name}, ${mode}: the process ended: ${end}`);
    }
    first += Math.max(started, 1);
  }
  return failures;
}

/** What a program printed, and how it ended. */
interface ProgramRun {
  readonly messages: readonly Message[];
  readonly end: string;
}

async function runProgram(
  group: string,
  mode: string,
  first: number,
): Promise<ProgramRun> {
  const flags = [
    "--expose-gc",
    "--allow-natives-syntax",
    ...MODES[mode].v8Flags,
  ];
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--allow-all", "--no-check", "--quiet"],
      ...[`--v8-flags=${flags.join(",")}`, PROGRAM.href],
      ...[group, mode, String(first)],
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  const messages: Message[] = [];
  let isSilent = false;
  const kill = () => {
    isSilent = true;
    child.kill("SIGKILL");
  };
  let deadline = setTimeout(kill, SILENCE_MILLISECONDS);
  for await (const line of linesOf(child.stdout)) {
    clearTimeout(deadline);
    deadline = setTimeout(kill, SILENCE_MILLISECONDS);
    messages.push(JSON.parse(line));
  }
  const { code, signal } = await child.status;
  clearTimeout(deadline);
  const how = isSilent ? "it hangs" : signal ?? `code ${code}`;
  return { messages, end: `${how}\n${(await stderr).trim()}` };
}

async function* linesOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  assert(rest === "", `an unfinished line: ${rest}`);
}
