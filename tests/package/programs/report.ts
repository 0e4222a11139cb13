// What a user does to see the heap; ends with a line of what came of it.
import { alloc } from "@oneheap/oneheap";
import { heapReport, recordCallSites } from "@oneheap/oneheap/debug";

using _recording = recordCallSites();
function load() {
  return alloc(Uint8Array, 5_000_000);
}
using _block = load();
const report = heapReport();
const { stack, live } = report.places[0];
await report.write("heap.html");
const page = await Deno.readTextFile("heap.html");
console.log(
  JSON.stringify([
    stack.at(-1)!.name,
    live.bytes,
    page.startsWith("<!doctype"),
  ]),
);
