/** What all histories of a program share: Python's scope, a FIFO, a Worker, the counting hook. */

import { python, PythonScope } from "../../../mod.ts";
import { CountingHook } from "../../support/counting_hook.ts";
import { Fifo } from "../../support/fifo.ts";
import { VARIABLES } from "./world.ts";
import type { Request } from "./worker.ts";

/** What Python is given before the first history. */
const PROLOGUE = `
import gc, sys, threading
from array import array

v = sys.oneheap_model = [None] * ${VARIABLES}

def keep(thing):
    return lambda: thing

def cycle(thing):
    it = [thing]
    it.append(it)
    return it

def fail(thing):
    view = memoryview(thing)
    raise ValueError("on purpose")

# Only the histories have garbage collected, so that they know when it is; and none but theirs, for that is quicker.
was_enabled = gc.isenabled()
gc.disable()
gc.collect()
gc.freeze()
`;

const EPILOGUE = `
del sys.oneheap_model
gc.unfreeze()
if was_enabled:
    gc.enable()
`;

/** Shared by the histories, which go one after the other. */
export class Surroundings implements AsyncDisposable {
  readonly scope: PythonScope = new PythonScope();
  readonly hook: CountingHook = new CountingHook();
  #fifo: Fifo | undefined;
  #worker: ModelWorker | undefined;

  constructor() {
    python.run(PROLOGUE, { scope: this.scope });
  }

  /** A FIFO, to read from what is written to it. */
  async fifo(): Promise<Fifo> {
    return this.#fifo ??= await Fifo.open();
  }

  /** A Worker. */
  async worker(): Promise<ModelWorker> {
    return this.#worker ??= await ModelWorker.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#worker?.[Symbol.dispose]();
    await this.#fifo?.[Symbol.asyncDispose]();
    this.hook[Symbol.dispose]();
    python.run(EPILOGUE, { scope: this.scope });
    this.scope[Symbol.dispose]();
  }
}

/** A Worker that is asked one thing at a time. */
export class ModelWorker implements Disposable {
  #worker = new Worker(new URL("worker.ts", import.meta.url), {
    type: "module",
  });

  static async start(): Promise<ModelWorker> {
    const worker = new ModelWorker();
    await worker.#answer();
    return worker;
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }) => resolve(data);
      this.#worker.onerror = reject;
    });
  }

  /** Has the Worker do something, and gives its answer. */
  ask(request: Request): Promise<unknown> {
    const answer = this.#answer();
    const transfer = "array" in request ? [request.array.buffer] : [];
    this.#worker.postMessage(request, transfer);
    return answer;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
