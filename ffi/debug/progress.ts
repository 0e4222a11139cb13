/** A line on standard error that says what takes long, where that is a terminal. */

import { MIN_PROGRESS_MILLISECONDS } from "../limits.ts";

/** Goes to the beginning of the line, and clears it. */
const CLEAR = "\r\x1b[K";

/** The progress of something that may take long. It is shown from the moment on that it does. */
export class Progress implements Disposable {
  #title: string;
  #start = performance.now();
  #isShown = false;

  /** Begin something of that title. */
  constructor(title: string) {
    this.#title = title;
  }

  /** Say what is done now. */
  step(what: string): void {
    const elapsed = performance.now() - this.#start;
    if (elapsed < MIN_PROGRESS_MILLISECONDS || !Deno.stderr.isTerminal()) {
      return;
    }
    this.#write(
      `${CLEAR}${this.#title}: ${what} (${(elapsed / 1_000).toFixed(1)} s)`,
    );
    this.#isShown = true;
  }

  /** Remove the line. */
  [Symbol.dispose](): void {
    if (this.#isShown) this.#write(CLEAR);
  }

  #write(text: string): void {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}
