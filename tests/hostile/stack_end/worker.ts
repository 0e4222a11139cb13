/** Runs the cases in a Worker. */

import { runCases } from "./run_cases.ts";

declare const self: {
  onmessage: (event: MessageEvent) => void;
  postMessage(message: unknown): void;
};

self.onmessage = async ({ data }) => {
  await runCases(data);
  self.postMessage("ended");
};
