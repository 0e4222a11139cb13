/** The Worker of holders_test.ts: holds memory that it is given, or gives away memory of its own. */

import { alloc, python } from "../../mod.ts";

/** What the Worker is asked to do. */
export type Request =
  | { kind: "fill and give back"; view: Uint8Array<ArrayBuffer> }
  | { kind: "keep"; view: Uint8Array<ArrayBuffer> }
  | { kind: "make" }
  | { kind: "make for Python"; name: string; bytes: number };

declare const self: DedicatedWorkerGlobalScope & { kept?: unknown };

interface DedicatedWorkerGlobalScope {
  onmessage: (event: MessageEvent<Request>) => void;
  postMessage(message: unknown, transfer?: Transferable[]): void;
}

self.onmessage = ({ data }) => {
  switch (data.kind) {
    case "fill and give back":
      data.view.fill(7);
      return self.postMessage(data.view, [data.view.buffer]);
    case "keep":
      self.kept = data.view;
      return self.postMessage("kept");
    case "make": {
      const { view } = alloc(Uint8Array, 5_000);
      view.fill(7);
      return self.postMessage(view, [view.buffer]);
    }
    case "make for Python": {
      const block = alloc(Uint8Array, data.bytes);
      block.view.fill(7);
      python.run("import sys; setattr(sys, name, memoryview(block))", {
        names: { name: data.name, block },
      });
      self.kept = block;
      return self.postMessage("made");
    }
  }
};

self.postMessage("ready");
