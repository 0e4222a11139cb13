/** A Python in a process of its own, asked by JSON over its pipes: the usual way to Python without an embedded one. */

const SOURCE = new URL("python_process.py", import.meta.url);

const NEWLINE = "\n".charCodeAt(0);

/** The process. It ends when this is disposed. */
export class PythonProcess implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  /** Start it with that Python. */
  constructor(executable: string) {
    this.#process = new Deno.Command(executable, {
      args: ["-c", Deno.readTextFileSync(SOURCE)],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#writer = this.#process.stdin.getWriter();
    this.#reader = this.#process.stdout.getReader();
  }

  /** Return what the function of that name in `python_process.py` makes of the argument. */
  async call(
    name: "sqrt" | "last" | "numbers",
    argument: unknown,
  ): Promise<unknown> {
    const request = JSON.stringify([name, argument]) + "\n";
    await this.#writer.write(new TextEncoder().encode(request));
    return JSON.parse(await this.#line());
  }

  async #line(): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    while (true) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("the Python process has ended");
      text += decoder.decode(value, { stream: true });
      if (value.at(-1) === NEWLINE) return text;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#reader.cancel();
    await this.#process.status;
  }
}
