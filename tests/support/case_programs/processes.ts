/** Running cases in processes of their own, which may crash or hang. */

import type { Message } from "./messages.ts";

/** A program that prints nothing for so long hangs. */
const SILENCE_MILLISECONDS = 30_000;

/**
 * A program that runs cases in their order, from one on until one fails, as `runNamed` does. Its last argument is the first case's
 * index.
 */
export interface CaseProgram {
  readonly url: URL;
  readonly args: readonly string[];
  readonly v8Flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs all cases; those after one that failed, crashed or hung in a process of their own. Tells of each failure. */
export async function failuresOf(
  program: CaseProgram,
  names: readonly string[],
): Promise<string[]> {
  const failures: string[] = [];
  for (let first = 0; first < names.length;) {
    const { messages, end, hasEnded } = await run(program, first);
    const started = messages.filter((it) => "starts" in it).length;
    const held = messages.filter((it) => "holds" in it).length;
    const failed = messages.find((it) => "fails" in it);
    if (failed !== undefined) {
      failures.push(`${failed.fails}: ${failed.message}`);
    } else if (held < names.length - first) {
      const name = names[first + Math.max(started - 1, 0)];
      failures.push(`${name}: the process ended: ${end}`);
    } else if (!hasEnded) {
      failures.push(`${names.at(-1)}, after it: the process ended: ${end}`);
    }
    first += Math.max(started, 1);
  }
  return failures;
}

async function run(
  { url, args, v8Flags = [], env = {} }: CaseProgram,
  first: number,
): Promise<{ messages: readonly Message[]; end: string; hasEnded: boolean }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--allow-all", "--no-check", "--quiet"],
      ...[`--v8-flags=${["--expose-gc", ...v8Flags].join(",")}`, url.href],
      ...[...args, String(first)],
    ],
    env: { NO_COLOR: "1", ...env },
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
    if (line.startsWith("{")) messages.push(JSON.parse(line));
  }
  const { code, signal } = await child.status;
  clearTimeout(deadline);
  const how = isSilent ? "it hangs" : signal ?? `code ${code}`;
  // Near the end of the stack Deno itself prints warnings, which are no failure.
  const hasEnded = how === "code 0";
  return { messages, end: `${how} ${(await stderr).trim()}`.trim(), hasEnded };
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
}
