import "./importer.ts";
import { stats } from "@oneheap/oneheap";
import { length } from "./importer.ts";

/** A Worker's scope has what the Worker has on the other side. */
const scope = self as unknown as Worker;

let received = 0;
scope.onmessage = ({ data }) => {
  if (data === "how many?") return scope.postMessage(received);
  if (stats().bytes >= 0) received += length;
};
