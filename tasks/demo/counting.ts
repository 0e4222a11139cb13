/** Counting a block's bytes in Python, where they are. */

import {
  type Block,
  type Borrowed,
  type PyObjectRef,
  python,
  PythonScope,
} from "../../mod.ts";
import type { Progress } from "./streaming.ts";

/** So many bytes are counted at a time, for NumPy makes an integer of 8 bytes of each. */
const STEP = 1024 * 1024;

const scope = new PythonScope();
python.run(
  Deno.readTextFileSync(new URL("counting.py", import.meta.url)),
  { scope },
);
const Counting = scope.get("Counting") as PyObjectRef;

/** What counts: NumPy, or plain Python. */
export const tool = scope.get("tool") as string;

/** A block in Python's hands, which hold its memory until this is disposed. */
export class PythonCounting implements Disposable {
  /** Where Python has the bytes. */
  readonly address: number;
  readonly #counting: PyObjectRef;
  readonly #length: number;

  /** Return a block to Python. */
  constructor(block: Block<Uint8Array<ArrayBuffer>>) {
    this.#counting = Counting.call(block) as PyObjectRef;
    this.address = this.#counting.get("address") as number;
    this.#length = block.length;
  }

  /** How often each byte value occurs: the array that Python has counted in. */
  count(progress: Progress): Borrowed<Float64Array<ArrayBuffer>> {
    using add = this.#counting.get("add") as PyObjectRef;
    for (let start = 0; start < this.#length; start += STEP) {
      const end = Math.min(start + STEP, this.#length);
      add.call(start, end);
      progress(end);
    }
    using counts = this.#counting.get("counts") as PyObjectRef;
    return python.borrow<Float64Array<ArrayBuffer>>(counts, Float64Array);
  }

  [Symbol.dispose](): void {
    this.#counting[Symbol.dispose]();
  }
}
