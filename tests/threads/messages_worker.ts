/** The Worker of workers_test.ts that imports the library as a program does, and tells which messages it received. */

import { alloc } from "../../mod.ts";

declare const self: {
  onmessage: (event: MessageEvent<number>) => void;
  postMessage(message: number[]): void;
};

const received = alloc(Float64Array, 100);
let count = 0;

self.onmessage = ({ data }) => {
  received.view[count++] = data;
  if (data === 99) self.postMessage([...received.view.subarray(0, count)]);
};
