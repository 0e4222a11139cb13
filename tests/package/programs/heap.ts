// What a user does with the heap; ends with a line of what came of it.
import { alloc, free, python, realloc, stats } from "@oneheap/oneheap";

const block = alloc(Float64Array, [1.5, 2.5]);
realloc(block, 1_000);
block.view[999] = 4;
const sum = python.eval("sum(memoryview(block))", { names: { block } });
const { blocks } = stats();
free(block);
console.log(JSON.stringify({
  sum,
  blocks,
  after: stats().blocks,
  freed: block.freed,
  library: python.library,
}));
