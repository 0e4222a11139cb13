/** A real Chromium, driven by its DevTools protocol: https://chromedevtools.github.io/devtools-protocol/ */

/** The program: Debian's, or the one that is named. */
const PROGRAM = Deno.env.get("ONEHEAP_TEST_CHROMIUM") ?? "/usr/bin/chromium";

/** Whether there is one. */
export const hasChromium: boolean = isFile(PROGRAM);

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** What the browser sends by itself. */
interface Event {
  readonly method: string;
  readonly params: Record<string, unknown>;
}

/** A page in a browser of its own. */
export class Page implements AsyncDisposable {
  readonly events: Event[] = [];
  #process: Deno.ChildProcess;
  #profile: string;
  #socket: WebSocket;
  #waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  #number = 0;

  private constructor(
    process: Deno.ChildProcess,
    profile: string,
    socket: WebSocket,
  ) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
  }

  /** Starts a browser, and opens an empty page of that size in it. */
  static async open(width = 1200, height = 900): Promise<Page> {
    const profile = await Deno.makeTempDir();
    const process = new Deno.Command(PROGRAM, {
      args: [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--remote-debugging-port=0",
        `--user-data-dir=${profile}`,
        `--window-size=${width},${height}`,
        "about:blank",
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const port = await portOf(profile);
    const list = await (await fetch(`http://127.0.0.1:${port}/json/list`))
      .json() as { type: string; webSocketDebuggerUrl: string }[];
    const target = list.find(({ type }) => type === "page")!;
    const socket = new WebSocket(target.webSocketDebuggerUrl);
    await new Promise((resolve) => socket.onopen = resolve);
    const page = new Page(process, profile, socket);
    for (const domain of ["Page", "Runtime", "Network", "Log"]) {
      await page.send(`${domain}.enable`);
    }
    await page.resize(width, height);
    return page;
  }

  /** Sends a command, and returns its result. */
  send(
    method: string,
    params: Record<string, unknown> = {},
  ): Promise<Record<string, unknown>> {
    const id = ++this.#number;
    const answer = Promise.withResolvers<Record<string, unknown>>();
    this.#waiting.set(id, answer);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return answer.promise;
  }

  /** Opens an address, and waits until an expression is true there. */
  async goto(url: string, isReady: string): Promise<void> {
    await this.send("Page.navigate", { url });
    await this.waitFor(isReady);
  }

  /** Evaluates an expression in the page, and returns its value. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    }) as {
      result: { value: Value };
      exceptionDetails?: { exception: { description: string } };
    };
    if (exceptionDetails !== undefined) {
      throw new Error(exceptionDetails.exception.description);
    }
    return result.value;
  }

  /** Waits until an expression is true; fails after a while. */
  async waitFor(expression: string): Promise<void> {
    for (let attempt = 0; attempt < 200; attempt++) {
      if (await this.evaluate(`Boolean(${expression})`)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`waited in vain: ${expression}`);
  }

  /** Clicks into the middle of what an expression comes to, as a mouse does. */
  async click(expression: string): Promise<void> {
    const { x, y } = await this.evaluate<{ x: number; y: number }>(
      `(() => {
        const element = ${expression};
        element.scrollIntoView({ block: "center" });
        const { x, y, width, height } = element.getBoundingClientRect();
        return { x: x + width / 2, y: y + height / 2 };
      })()`,
    );
    const at = { x, y, button: "left", clickCount: 1 };
    for (const type of ["mouseMoved", "mousePressed", "mouseReleased"]) {
      await this.send("Input.dispatchMouseEvent", { type, ...at });
    }
  }

  /** Presses and releases a key. */
  async press(key: string, text?: string): Promise<void> {
    const code =
      { Tab: 9, Enter: 13, End: 35, Home: 36, ArrowLeft: 37, ArrowRight: 39 }[
        key
      ];
    const event = { key, code: key, windowsVirtualKeyCode: code, text };
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", ...event });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  /** Types a text where the focus is. */
  async type(text: string): Promise<void> {
    await this.send("Input.insertText", { text });
  }

  /** Gives the page another size. */
  async resize(width: number, height: number): Promise<void> {
    await this.send("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: width < 500,
    });
  }

  /** Has the system prefer a theme. */
  async prefer(theme: "light" | "dark"): Promise<void> {
    await this.send("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: theme }],
    });
  }

  /** Writes a picture of the page, PNG. */
  async screenshot(file: string): Promise<void> {
    const { data } = await this.send("Page.captureScreenshot");
    await Deno.writeFile(file, Uint8Array.fromBase64(data as string));
  }

  /** What went wrong in the page: exceptions, and errors of the console. */
  problems(): Event[] {
    return this.events.filter(({ method, params }) =>
      method === "Runtime.exceptionThrown" ||
      method === "Log.entryAdded" &&
        (params.entry as { level: string }).level === "error"
    );
  }

  /** The addresses that the page asked for. */
  requests(): string[] {
    return this.events
      .filter(({ method }) => method === "Network.requestWillBeSent")
      .map(({ params }) => (params.request as { url: string }).url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    this.#process.kill("SIGKILL");
    await this.#process.status;
    // Its children may write for another moment.
    for (let attempt = 0; attempt < 20; attempt++) {
      try {
        await Deno.remove(this.#profile, { recursive: true });
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  #receive(message: Event & { id?: number; result: Record<string, unknown> }) {
    if (message.id === undefined) {
      this.events.push(message);
      return;
    }
    this.#waiting.get(message.id)?.resolve(message.result ?? {});
    this.#waiting.delete(message.id);
  }
}

/** Waits for the port that the browser listens at. */
async function portOf(profile: string): Promise<string> {
  for (let attempt = 0; attempt < 300; attempt++) {
    try {
      const text = await Deno.readTextFile(`${profile}/DevToolsActivePort`);
      if (text.includes("\n")) return text.split("\n")[0];
    } catch {
      // Not yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${PROGRAM} doesn't listen`);
}
