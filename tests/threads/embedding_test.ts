import { assertEquals } from "@std/assert";
import { inFolder, run } from "../support/process.ts";

Deno.test("lines of Python's and of Deno's come in the order in which they were written", async () => {
  const { stdout } = await run(
    `
    import { execute } from "@oneheap/c_api";
    for (let line = 0; line < 5; line++) {
      console.log("Deno", line);
      execute("print('Python', " + line + ")");
    }
    `,
    { env: { PYTHONUNBUFFERED: "" } },
  );
  const lines = [0, 1, 2, 3, 4].map((line) => `Deno ${line}\nPython ${line}\n`);
  assertEquals(stdout, lines.join(""));
});

Deno.test("Python's output is UTF-8 under a C locale, and so are paths", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/módulo.py`, "value = '☃'\n");
    const { stdout, stderr } = await run(
      `
      import { evaluate, execute } from "@oneheap/c_api";
      execute("import locale, módulo, os, sys");
      execute("print(módulo.value, os.path.dirname(módulo.__file__))");
      execute("print(sys.getfilesystemencoding(), sys.stdout.encoding)");
      execute("print(locale.getpreferredencoding(False))");
      console.log(evaluate("os.listdir(" + JSON.stringify(${
        JSON.stringify(folder)
      }) + ")"));
      `,
      {
        env: {
          LC_ALL: "C",
          PYTHONIOENCODING: "",
          PYTHONDONTWRITEBYTECODE: "1",
          PYTHONPATH: folder,
        },
      },
    );
    assertEquals(stderr, "");
    assertEquals(
      stdout,
      `☃ ${folder}\nutf-8 utf-8\nutf-8\n['módulo.py']\n`,
    );
  }));

Deno.test("SIGINT is Deno's: without a listener it ends the process", async () => {
  const { signal, stdout } = await run(`
    import { execute } from "@oneheap/c_api";
    execute("import signal; print(signal.getsignal(signal.SIGINT).name)");
    setTimeout(() => console.log("too late"), 5_000);
    Deno.kill(Deno.pid, "SIGINT");
  `);
  assertEquals(stdout, "SIG_DFL\n");
  assertEquals(signal, "SIGINT");
});

Deno.test("SIGINT is Deno's: its listener gets it, added before Python starts or after it", async () => {
  const add = `Deno.addSignalListener("SIGINT", () => {
    console.log("got it");
    Deno.exit(7);
  });`;
  for (const [before, after] of [[add, ""], ["", add]]) {
    const { code, stdout } = await run(`
      ${before}
      const { execute } = await import("@oneheap/c_api");
      execute("import signal");
      ${after}
      setTimeout(() => console.log("too late"), 5_000);
      Deno.kill(Deno.pid, "SIGINT");
    `);
    assertEquals(stdout, "got it\n");
    assertEquals(code, 7);
  }
});

Deno.test("deep recursion on Python's main thread ends as an exception", async () => {
  // Exit functions run on that thread. Each level of this takes a good part of C stack.
  const { code, signal, stdout } = await run(`
    import { execute } from "@oneheap/c_api";
    execute(\`
import atexit, sys, threading
sys.setrecursionlimit(10_000)
def descend(level):
    return sorted([level], key=lambda level: descend(level + 1))
def recurse():
    try:
        descend(0)
    except RecursionError:
        print(threading.current_thread() is threading.main_thread())
atexit.register(recurse)
\`);
  `);
  assertEquals({ code, signal }, { code: 0, signal: null });
  assertEquals(stdout, "True\n");
});

Deno.test("Python outlives the Worker that imported the library first", async () => {
  const { stdout, stderr } = await run(`
    const code = \`
      import { execute } from "@oneheap/c_api";
      execute("import sys, threading; sys.first = threading.main_thread()");
      postMessage("done");
      close();
    \`;
    const worker = new Worker(
      "data:text/javascript," + encodeURIComponent(code),
      { type: "module" },
    );
    await new Promise((resolve) => worker.onmessage = resolve);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { evaluate, execute } = await import("@oneheap/c_api");
    execute("import sys, threading");
    console.log(evaluate("sys.first is threading.main_thread()"));
    console.log(evaluate("sys.first.is_alive()"));
    console.log(evaluate("threading.current_thread() is sys.first"));
  `);
  assertEquals(stderr, "");
  assertEquals(stdout, "True\nTrue\nFalse\n");
});
