/**
 * What is lost instead of disposed: each batch ends with V8's collection and what is run after it, so that the time shows
 * what an object costs until it is gone.
 */

import { type Benchmark, keep, type Library } from "./benchmark.ts";

/** As V8's `--expose-gc` has it. */
declare const gc: () => void;

/** The benchmarks of lost objects. */
export const LOSING: readonly Benchmark[] = [
  losing("block", ({ alloc }) => () => keep(alloc(Float64Array, 8))),
  losing("block with a view", ({ alloc }) => () => {
    alloc(Float64Array, 8).view[0] = 1.5;
  }),
  losing("block of 64 KiB with a view", ({ alloc }) => () => {
    alloc(Uint8Array, 65_536, { zeroed: false }).view[0] = 1;
  }),
  losing(
    "list from eval",
    ({ python }) => () => keep(python.eval("[1, 2]")),
  ),
  losing(
    "1 KB of bytes from eval",
    ({ python }) => () => keep(python.eval("bytes(1000)")),
  ),
  losing("scope", ({ PythonScope }) => () => keep(new PythonScope())),
  losing(
    "borrowed bytearray",
    ({ python }) => () => keep(python.borrow("bytearray(64)")),
  ),
];

function losing(
  what: string,
  make: (library: Library) => () => void,
): Benchmark {
  return {
    name: `lost: ${what}`,
    batch: 25,
    prepare(library) {
      const operation = make(library);
      return async (times) => {
        for (let index = 0; index < times; index++) operation();
        keep(undefined);
        gc();
        await finalizers();
      };
    },
  };
}

/** Resolve when what V8 found lost has been finalized: those tasks come before a message that is sent now. */
function finalizers(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port2.onmessage = () => {
      port1.close();
      port2.close();
      resolve();
    };
    port1.postMessage(null);
  });
}
