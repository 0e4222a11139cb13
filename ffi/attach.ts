/** Holding the thread attached to Python across many calls. */

import { failure } from "./checks.ts";
import { symbols } from "./library.ts";

class Attachment implements Disposable {
  #held = true;

  [Symbol.dispose](): void {
    if (!this.#held) return;
    this.#held = false;
    symbols.oneheap_detach();
  }
}

/**
 * Attaches this thread to Python until the returned attachment is disposed.
 *
 * Each call of this library attaches by itself for its own length, which costs about as much as a small allocation.
 * Across a hot loop, attach once. Attachments nest, and may be disposed in any order; disposing one twice does nothing.
 *
 * While a thread is attached it holds the GIL, on builds of Python that have one: no other thread runs Python code, and
 * no other thread can attach. So don't `await` and don't wait for another thread while attached: a Worker that you wait
 * for may be waiting for the GIL. An attachment that is never disposed lasts until its thread ends.
 *
 * @returns The attachment; `using` disposes it at the end of the scope.
 * @throws {LibraryError} If Python is ending in this process.
 *
 * @example
 * ```ts
 * import { attach, raw } from "@oneheap/oneheap";
 *
 * using _attached = attach();
 * for (let index = 0; index < 1_000; index++) {
 *   raw.free(raw.malloc(64));
 * }
 * ```
 */
export function attach(): Disposable {
  const code = symbols.oneheap_attach();
  if (code !== 1) throw failure(code, 0);
  return new Attachment();
}

/**
 * Lets go of Python on this thread until the returned attachment is disposed: the inverse of {@linkcode attach}, for a thread
 * that somebody else keeps attached.
 *
 * A library that starts Python itself may leave the thread attached for good. Other threads can then run no Python code
 * while JavaScript computes or waits, and {@linkcode python}'s `runAsync` never settles. Put the `await` into the scope of a
 * `detach()`; that other library must touch nothing of Python's in it, also not to let go of what was lost (the README's
 * "Beside deno_python" says how). On a thread that isn't attached, it does nothing.
 *
 * @returns What attaches the thread again; `using` disposes it at the end of the scope.
 * @throws {LibraryError} If Python is ending in this process.
 *
 * @example
 * ```ts
 * import { attach, detach, python } from "@oneheap/oneheap";
 *
 * using _attached = attach();
 * {
 *   using _detached = detach();
 *   console.log(await python.evalAsync("6 * 7")); // 42
 * }
 * ```
 */
export function detach(): Disposable {
  const code = symbols.oneheap_let_go();
  if (code !== 1) throw failure(code, 0);
  return new Attachment();
}
