/**
 * The process that is measured: it imports the library whose URL is its argument, and does what its standard input asks.
 * Two of them alternate, one for each checkout, and one waits for its next line while the other measures.
 */

import type { Library, Run } from "./benchmark.ts";
import { BENCHMARKS } from "./benchmarks.ts";
import { linesOf, type Reply, type Request } from "./messages.ts";

/** As V8's `--expose-gc` has it. */
declare const gc: () => void;

const library: Library = await import(Deno.args[0]);
let resources = new DisposableStack();
let run: Run = () => {};

for await (const line of linesOf(Deno.stdin.readable)) {
  console.log(JSON.stringify(await reply(JSON.parse(line))));
}
// A Worker of a failed benchmark would keep the process.
Deno.exit();

async function reply(request: Request): Promise<Reply> {
  try {
    switch (request.ask) {
      case "prepare":
        return { nanoseconds: await prepare(request.name, request.warmUp) };
      case "measure":
        return { nanoseconds: await measure(request.batches, request.times) };
      case "finish":
        resources.dispose();
        return { nanoseconds: 0 };
    }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/** Prepares a benchmark, and runs it until `warmUp` milliseconds have passed: V8 compiles it then. */
async function prepare(name: string, warmUp: number): Promise<number> {
  resources = new DisposableStack();
  const benchmark = BENCHMARKS.find((it) => it.name === name)!;
  run = await benchmark.prepare(library, resources);
  // What earlier benchmarks left is not collected in this one's time.
  gc();
  const end = performance.now() + warmUp;
  let nanoseconds = await measure(1, 1);
  for (let times = 2; performance.now() < end;) {
    nanoseconds = await measure(1, times);
    // A batch of several milliseconds is enough.
    if (nanoseconds * times < 4e6) times *= 2;
  }
  return nanoseconds;
}

/** The time of an iteration in the fastest batch: whatever else the machine does makes batches slower, never faster. */
async function measure(batches: number, times: number): Promise<number> {
  let fastest = Infinity;
  for (let batch = 0; batch < batches; batch++) {
    const begin = performance.now();
    const done = run(times);
    if (done !== undefined) await done;
    fastest = Math.min(fastest, performance.now() - begin);
  }
  return fastest * 1e6 / times;
}
