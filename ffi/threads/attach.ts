/** Holding the thread attached to Python across many calls. */

import { errorForStatus } from "../boundary/result.ts";
import { STATUS } from "../boundary/status.ts";
import { napi, symbols } from "../loading/native.ts";
import { tracker } from "../tracker.ts";

/** Set the number that disposing an attachment ends; throw the error for a status in its place. */
let begin: (attachment: Attachment, number: number) => Disposable;

class Attachment implements Disposable {
  /** Its number in native code; 0 before it has begun, and when it has ended. */
  #number = 0;

  static {
    begin = (attachment, number) => {
      if (number <= 0) throw errorForStatus(number, 0);
      attachment.#number = number;
      if (tracker !== undefined) tracker.began(attachment, "attachment", 0);
      return attachment;
    };
  }

  [Symbol.dispose](): void {
    const number = this.#number;
    if (number === 0) return;
    const status = symbols.oneheap_end_attachment(number);
    this.#number = 0;
    if (tracker !== undefined) tracker.ended(this);
    if (status !== 1) throw errorForStatus(status, 0);
  }
}

/**
 * Attach this thread to Python until the returned attachment is disposed.
 *
 * Each call of this library attaches by itself for its own length, which costs about as much as a small allocation.
 * Across a hot loop, attach once. Attachments nest, and may be disposed in any order: the newest that isn't disposed says
 * whether the thread is attached. Disposing one twice does nothing.
 *
 * While a thread is attached it holds the GIL, on builds of Python that have one: no other thread runs Python code, and
 * no other thread can attach. So don't `await` and don't wait for another thread while attached: a Worker that you wait
 * for may be waiting for the GIL. An attachment that is never disposed lasts until its thread ends.
 *
 * In a callback that Python code makes, the thread stays as Python has left it between two calls, and each call attaches by itself:
 * an attachment of a callback has no effect, and ends with the callback at the latest. One from outside that is disposed in a
 * callback ends when the Python code has returned.
 *
 * @returns The attachment; `using` disposes it at the end of the scope.
 * @throws {LibraryError} If Python is ending in this process.
 * @throws {RangeError} At the end of the stack: then the thread is as it was.
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
  const attachment = new Attachment();
  let number = symbols.oneheap_attach();
  if (number === STATUS.stackEnd) {
    napi.ensureStack();
    number = symbols.oneheap_attach();
  }
  return begin(attachment, number);
}

/**
 * Detach this thread from Python until the returned attachment is disposed: the inverse of {@linkcode attach}, for a thread
 * that somebody else keeps attached.
 *
 * A library that starts Python itself may leave the thread attached for good. Other threads can then run no Python code
 * while JavaScript computes or waits, and {@linkcode python}'s `runAsync` never settles. Put the `await` into the scope of a
 * `detach()`; that other library must touch nothing of Python's in it, also not to release what was lost
 * (`docs/guide/beside-deno_python.md` says how). On a thread that isn't attached, it does nothing.
 *
 * @returns What attaches the thread again; `using` disposes it at the end of the scope.
 * @throws {LibraryError} If Python is ending in this process, or in a callback that Python makes while the thread is attached: it could
 * not be undone when the callback returns.
 * @throws {RangeError} At the end of the stack: then the thread is as it was.
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
  const attachment = new Attachment();
  let number = symbols.oneheap_detach();
  if (number === STATUS.stackEnd) {
    napi.ensureStack();
    number = symbols.oneheap_detach();
  }
  return begin(attachment, number);
}
