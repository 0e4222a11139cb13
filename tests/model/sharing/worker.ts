/** The model test's Worker: holds what it is given, and uses the same Python. */

import { alloc, type PyObjectRef, python, PythonScope } from "../../../mod.ts";

/** What the Worker is asked to do. */
export type Request =
  /** To hold an array. */
  | { kind: "hold array"; array: Uint8Array<ArrayBuffer> }
  /** To give it back. */
  | { kind: "give array back" }
  /** To release it. */
  | { kind: "let array go" }
  /** To hold what a variable of Python's has. */
  | { kind: "hold variable"; at: number }
  /** To release it. */
  | { kind: "let variable go" }
  /** To put a block of its own into a variable, and free it. */
  | { kind: "put block"; at: number; bytes: number; value: number }
  /** To borrow a variable's memory, and fill it. */
  | { kind: "fill"; at: number; value: number };

declare const self: DedicatedWorkerGlobalScope;

interface DedicatedWorkerGlobalScope {
  onmessage: (event: MessageEvent<Request>) => void;
  postMessage(message: unknown, transfer?: Transferable[]): void;
}

const scope = new PythonScope();
python.run("import sys; v = sys.oneheap_model", { scope });

let array: Uint8Array<ArrayBuffer> | undefined;
let reference: PyObjectRef | undefined;

self.onmessage = ({ data }) => {
  switch (data.kind) {
    case "hold array":
      array = data.array;
      break;
    case "give array back": {
      const back = array!;
      array = undefined;
      return self.postMessage(back, [back.buffer]);
    }
    case "let array go":
      array!.buffer.transfer(0);
      array = undefined;
      break;
    case "hold variable":
      reference = python.eval("v[at]", {
        scope,
        names: { at: data.at },
      }) as PyObjectRef;
      break;
    case "let variable go":
      reference![Symbol.dispose]();
      break;
    case "put block": {
      using block = alloc(Uint8Array, data.bytes);
      if (data.value % 2 === 0) block.view.fill(data.value);
      python.run("v[at] = given; del given", {
        scope,
        names: { at: data.at, given: block },
      });
      block.view.fill(data.value);
      break;
    }
    case "fill": {
      using borrowed = python.borrow("v[at]", {
        scope,
        names: { at: data.at },
      });
      const { view } = borrowed;
      new Uint8Array(view.buffer).fill(data.value);
      break;
    }
  }
  self.postMessage("done");
};

self.postMessage("ready");
