import { alloc } from "@oneheap/oneheap";

/** A Worker's scope has what the Worker has on the other side. */
const scope = self as unknown as Worker;

let received = 0;
scope.onmessage = ({ data }) => {
  if (data === "how many?") return scope.postMessage(received);
  using block = alloc(Float64Array, [data]);
  received += block.length;
};
