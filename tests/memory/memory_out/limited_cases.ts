/** Large data where the system gives little memory more. */

import { python, PythonScope } from "../../../mod.ts";

const LARGE = 300_000_000;

/** A million bytes. */
export const MEGABYTE = 1_000_000;

const scope = new PythonScope();

/** From here on so much memory more can be had. */
function leave(megabytes: number): void {
  const pages = Number(
    Deno.readTextFileSync("/proc/self/statm").split(" ")[0],
  );
  python.run(
    "import resource; resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))",
    { names: { most: pages * 4096 + megabytes * MEGABYTE } },
  );
}

/** A string that V8 keeps in one piece. */
function flat(text: string): string {
  text.charCodeAt(5);
  return text;
}

/** Makes `x` in Python. */
function make(expression: string): void {
  python.run(`x = ${expression}`, { scope, names: { n: LARGE } });
}

/** Each leaves the process too little memory for what it does then. */
export const CASES: Record<string, () => unknown> = {
  "bytes as a name"() {
    const x = new Uint8Array(LARGE);
    leave(150);
    return python.eval("len(x)", { names: { x } });
  },
  "bytes as a name of evalAsync"() {
    const x = new Uint8Array(LARGE);
    leave(150);
    return python.evalAsync("len(x)", { names: { x } });
  },
  "text as a name"() {
    const x = flat("x".repeat(LARGE));
    leave(150);
    return python.eval("len(x)", { names: { x } });
  },
  "text that V8 keeps in parts"() {
    const x = "x".repeat(LARGE) + "y".repeat(LARGE / 2);
    leave(950);
    return python.eval("len(x)", { names: { x } });
  },
  "a bigint as a name"() {
    const x = 1n << 900_000_000n;
    leave(150);
    return python.eval("x.bit_length()", { names: { x } });
  },
  "a source"() {
    const source = flat("x=1#" + "y".repeat(LARGE));
    leave(150);
    return python.run(source);
  },
  "bytes as a result"() {
    make("bytes(n)");
    leave(150);
    return python.eval("x", { scope });
  },
  "text as a result"() {
    make("'x' * n");
    leave(150);
    return python.eval("x", { scope });
  },
  "text as a result, for which V8 has no memory"() {
    make("'x' * n");
    leave(400);
    return python.eval("x", { scope });
  },
  "two-byte text as a result of evalAsync, for which V8 has no memory"() {
    make("'日' * (n // 2)");
    leave(400);
    return python.evalAsync("x", { scope });
  },
  "a bigint as a result"() {
    make("1 << (3 * n)");
    leave(150);
    return python.eval("x", { scope });
  },
  "a bigint as a result, for which V8 has no memory"() {
    make("1 << (3 * n)");
    leave(330);
    return python.eval("x", { scope });
  },
  "the copy of a buffer"() {
    make("memoryview(bytes(n))");
    leave(150);
    return python.borrow("x", { scope, copy: true });
  },
};
