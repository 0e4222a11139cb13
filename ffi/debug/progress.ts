/** A line on standard error that says what takes long, where that is a terminal. */

/** Goes to the beginning of the line, and clears it. */
const CLEAR = "\r\x1b[K";

/** The progress of something that may take long. */
export class Progress implements Disposable {
  #title: string;
  #start = performance.now();

  /** Begin something of that title. */
  constructor(title: string) {
    this.#title = title;
  }

  /** Say what is done now. */
  step(what: string): void {
    const seconds = ((performance.now() - this.#start) / 1_000).toFixed(1);
    this.#write(`${CLEAR}${this.#title}: ${what} (${seconds} s)`);
  }

  /** Remove the line. */
  [Symbol.dispose](): void {
    this.#write(CLEAR);
  }

  #write(text: string): void {
    if (!Deno.stderr.isTerminal()) return;
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}
