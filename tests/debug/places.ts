/** Where a test is, and what Python's tools say of it. */

import { fileURLToPath } from "node:url";
import { python, PythonScope } from "../../mod.ts";

/** A frame as Python has it. */
export interface PythonFrame {
  file: string;
  line: number;
  name: string;
}

/** Returns the line before the call of this function. */
export function previousLine(): number {
  const frame = new Error().stack!.split("\n")[2];
  return Number(frame.match(/:(\d+):\d+\)?$/)![1]) - 1;
}

/** Returns the path of a module, as Python has it. */
export function pathOf(module: ImportMeta): string {
  return fileURLToPath(module.url);
}

/** An expression that comes to the stack of who evaluates it, the outermost frame first. */
export const STACK =
  "[{'file': f.filename, 'line': f.lineno, 'name': f.name} for f in __import__('traceback').extract_stack()]";

/** `tracemalloc`, on as long as this lives. */
export class Tracemalloc implements Disposable {
  #scope = new PythonScope();

  constructor() {
    python.run(
      `
      import tracemalloc
      tracemalloc.start(32)

      def stacks(size):
          traces = tracemalloc.take_snapshot().traces
          return [
              [{"file": frame.filename, "line": frame.lineno} for frame in trace.traceback]
              for trace in traces
              if trace.size == size
          ]
      `,
      { scope: this.#scope },
    );
  }

  /** The stacks that memory of so many bytes was allocated from, each with the outermost frame first. */
  stacks(size: number): Omit<PythonFrame, "name">[][] {
    return python.eval("stacks(size)", {
      scope: this.#scope,
      names: { size },
      toJs: true,
    });
  }

  [Symbol.dispose](): void {
    python.run("tracemalloc.stop()", { scope: this.#scope });
    this.#scope[Symbol.dispose]();
  }
}
