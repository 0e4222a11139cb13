/** Workers: each scenario runs in a process of its own, which a crash or a hang would end. */

import { assertEquals } from "@std/assert";
import { python } from "../../mod.ts";
import { run, type RunOptions } from "../support/process.ts";

const INTERPRETER = import.meta.resolve("../support/c_api.ts");

/** What the two sides of a scenario have at hand. */
const PRELUDE = `
  const importLibrary = () => import("@oneheap/oneheap");
  const importInterpreter = () => import("${INTERPRETER}");
  const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  function startWorker() {
    const worker = new Worker(import.meta.url + "#worker", { type: "module" });
    worker.onerror = (event) => event.preventDefault();
    return worker;
  }

  function messageOf(worker) {
    return new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
  }

  async function until(condition) {
    while (!condition()) await sleep(5);
  }

  /** Uses the library and Python from the main thread, which has to be able to attach. */
  async function use() {
    const { alloc, attach, stats } = await importLibrary();
    const { evaluate } = await importInterpreter();
    {
      using _attached = attach();
      using block = alloc(Float64Array, [1, 2, 3]);
      if (block.view[2] !== 3) throw new Error("a block is wrong");
    }
    if (evaluate("6 * 7") !== "42") throw new Error("Python is wrong");
    await until(() => stats().blocks === 0);
  }
`;

/** Runs a scenario, of which \`worker\` is what each Worker runs; it has to end by itself with "done". */
async function play(
  { main, worker }: { main: string; worker: string },
  options?: RunOptions,
): Promise<void> {
  const { code, signal, stdout, stderr } = await run(
    `${PRELUDE}
    if (import.meta.url.endsWith("#worker")) {
      ${worker}
    } else {
      ${main}
      console.log("done");
    }`,
    options,
  );
  assertEquals({ code, signal, stdout }, {
    code: 0,
    signal: null,
    stdout: "done\n",
  }, stderr);
}

Deno.test("several Workers allocate at once while Python's threads run", () =>
  play({
    worker: `
      const { alloc, Arena, attach, raw } = await importLibrary();
      self.onmessage = ({ data: seed }) => {
        const random = (limit) => (seed = seed * 48271 % 2147483647) % limit;
        const blocks = [];
        using arena = new Arena({ chunkBytes: 1_000 });
        for (let step = 0; step < 4_000; step++) {
          const index = random(50);
          const block = blocks[index];
          if (block === undefined) {
            blocks[index] = alloc(Uint32Array, random(3_000), { zeroed: false });
            blocks[index].view.fill(index);
          } else if (!block.view.every((element) => element === index)) {
            throw new Error("another thread's memory");
          } else if (random(3) === 0) {
            block.realloc(random(3_000));
            block.view.fill(index);
          } else {
            block.free();
            blocks[index] = undefined;
          }
          if (arena.alloc(Float64Array, 4).some((element) => element !== 0)) {
            throw new Error("an arena's memory is not zero");
          }
          if (step % 100 === 0) arena.reset();
          if (random(20) === 0) {
            using _attached = attach();
            raw.free(raw.realloc(raw.malloc(random(100)), random(1_000)));
          }
        }
        for (const block of blocks) block?.free();
        self.postMessage("finished");
      };
      self.postMessage("ready");`,
    main: `
      const { stats } = await importLibrary();
      const { execute } = await importInterpreter();
      execute(\`
import threading
_stop = False
def _work():
    while not _stop:
        if bytes(sorted(bytearray(5_000))) != bytes(5_000):
            raise SystemError("another thread's memory")
_threads = [threading.Thread(target=_work) for _ in range(2)]
for _thread in _threads: _thread.start()
\`);
      const workers = Array.from({ length: 4 }, startWorker);
      await Promise.all(workers.map(messageOf));
      const ends = workers.map(messageOf);
      workers.forEach((worker, index) => worker.postMessage(index + 1));
      await Promise.all(ends);
      for (const worker of workers) worker.terminate();
      execute("_stop = True\\nfor _thread in _threads: _thread.join()");
      await until(() => stats().blocks === 0);
      await use();`,
  }));

Deno.test("several Workers import the library at once, first of all", () =>
  play({
    worker: `
      const { alloc, python } = await importLibrary();
      using block = alloc(Int32Array, [1, 2, 3]);
      if (block.view[1] !== 2) throw new Error("a block is wrong");
      self.postMessage(python.version);
      self.close();`,
    main: `
      const workers = Array.from({ length: 4 }, startWorker);
      const versions = new Set(await Promise.all(workers.map(messageOf)));
      const { python } = await importLibrary();
      if (versions.size !== 1 || !versions.has(python.version)) throw new Error("different Pythons");
      await use();`,
  }));

Deno.test("messages that are posted while a Worker imports the library are not lost", () =>
  play({
    worker: "",
    main: `
      for (const turn of ["first to import", "not first"]) {
        const worker = new Worker("${
      import.meta.resolve("./messages_worker.ts")
    }", { type: "module" });
        const answer = messageOf(worker);
        for (let index = 0; index < 100; index++) {
          worker.postMessage(index);
          if (index % 10 === 0) await sleep(5);
        }
        const received = await answer;
        if (received.length !== 100 || received.some((data, index) => data !== index)) {
          throw new Error("received " + received);
        }
        worker.terminate();
      }
      await use();`,
  }));

Deno.test("Python is asked where it is once, however many threads import the library", async () => {
  const folder = await Deno.makeTempDir();
  const [executable, log] = [`${folder}/python3`, `${folder}/log`];
  await Deno.writeTextFile(
    executable,
    `#!/bin/sh\necho asked >>${log}\nexec "${python.executable}" "$@"\n`,
    { mode: 0o755 },
  );
  try {
    await play({
      worker: `
        const { alloc } = await importLibrary();
        alloc(Float64Array, 1).free();
        self.postMessage("imported");`,
      main: `
        for (const turn of [1, 2, 3]) {
          const worker = startWorker();
          await messageOf(worker);
          worker.terminate();
        }
        await use();`,
    }, { env: { ONEHEAP_PYTHON: executable } });
    assertEquals(await Deno.readTextFile(log), "asked\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** How a Worker ends. Each has its turn to be the one that imports the library first. */
const ENDS = ["closes", "throws", "is terminated"];

for (const state of ["holding blocks", "attached and holding blocks"]) {
  for (const [index, first] of ENDS.entries()) {
    const ends = [first, ...ENDS.toSpliced(index, 1)];
    Deno.test(`the first Worker that imports the library ${first} while ${state}, others end otherwise, and the process goes on`, () =>
      play({
        worker: `
          const { alloc, attach } = await importLibrary();
          self.onmessage = ({ data: end }) => {
            const blocks = [1, 10, 100_000].map((length) => alloc(Float64Array, length));
            blocks[1].view.fill(1);
            if (${state.startsWith("attached")}) attach(), attach();
            self.postMessage("there");
            if (end === "closes") self.close();
            if (end === "throws") throw new Error("on purpose");
          };`,
        main: `
          for (const end of ${JSON.stringify(ends)}) {
            const worker = startWorker();
            worker.postMessage(end);
            await messageOf(worker);
            if (end === "is terminated") worker.terminate();
            await use();
          }`,
      }));
  }
}

// Deno 2.9 doesn't interrupt a Worker that never comes back to its event loop, whatever it runs. This one comes back.
Deno.test("a Worker is terminated in the middle of its work, attached and not", () =>
  play({
    worker: `
      const { alloc, attach, raw } = await importLibrary();
      self.postMessage("there");
      for (let step = 0;; step++) {
        using attached = step % 2 === 0 ? attach() : undefined;
        for (let length = 0; length < 100; length++) {
          const block = alloc(Uint8Array, length * 50);
          if (length % 2 === 0) block.view.fill(1);
          if (length % 3 === 0) block.realloc(100);
          if (length % 5 !== 0) block.free();
          raw.free(raw.malloc(100));
        }
        await sleep(0);
      }`,
    main: `
      for (let turn = 0; turn < 4; turn++) {
        const workers = [startWorker(), startWorker()];
        await messageOf(workers[0]);
        await sleep(turn * 3);
        for (const worker of workers) worker.terminate();
      }
      await use();`,
  }));

Deno.test("Deno.exit ends the process although a Worker never releases its attachment", () =>
  play({
    worker: `
      const { attach } = await importLibrary();
      attach();
      self.postMessage("there");
      for (;;);`,
    main: `
      const worker = startWorker();
      await messageOf(worker);
      worker.terminate();
      console.log("done");
      Deno.exit();`,
  }));

Deno.test("a Worker is terminated while Python works for it", () =>
  play({
    worker: `
      const { execute } = await importInterpreter();
      self.postMessage("there");
      execute("import time; time.sleep(0.2); sum(range(1_000_000))");`,
    main: `
      for (const milliseconds of [0, 100]) {
        const worker = startWorker();
        await messageOf(worker);
        await sleep(milliseconds);
        worker.terminate();
        await use();
      }`,
  }));

Deno.test("a Worker is terminated at any point of its import, first of all", () =>
  play({
    worker: `
      await importLibrary();
      self.postMessage("imported");`,
    main: `
      for (let milliseconds = 0; milliseconds < 120; milliseconds += 10) {
        const worker = startWorker();
        await sleep(milliseconds);
        worker.terminate();
      }
      await use();`,
  }));

Deno.test("what a Worker that ends held or lost is released", () =>
  play({
    worker: `
      const { alloc, Arena } = await importLibrary();
      const kept = [];
      for (let index = 0; index < 100; index++) {
        const blocks = [alloc(Uint8Array, index), alloc(Uint8Array, 100_000 + index)];
        for (const block of blocks) if (index % 2 === 0) block.view.fill(1);
        const arena = new Arena({ chunkBytes: 100 });
        const array = arena.alloc(Float64Array, 4);
        if (index % 3 === 0) kept.push(blocks, array);
      }
      self.postMessage("there");`,
    main: `
      const { stats } = await importLibrary();
      for (const turn of [1, 2]) {
        const worker = startWorker();
        await messageOf(worker);
        const { blocks } = stats();
        if (blocks < 100 || blocks > 300) throw new Error(blocks + " blocks are alive");
        worker.terminate();
        await until(() => stats().blocks === 0);
        if (stats().bytes !== 0) throw new Error("bytes are left");
      }
      await use();`,
  }));

Deno.test("a Worker's Python thread state ends with it", () =>
  play({
    worker: `
      const { alloc, attach } = await importLibrary();
      attach();
      self.postMessage("there");
      self.close();`,
    main: `
      const { attach, python } = await importLibrary();
      const c = Deno.dlopen(python.library, {
        PyInterpreterState_Main: { parameters: [], result: "pointer" },
        PyInterpreterState_ThreadHead: { parameters: ["pointer"], result: "pointer" },
        PyThreadState_Next: { parameters: ["pointer"], result: "pointer" },
      }).symbols;
      const threadStates = () => {
        using _attached = attach();
        let count = 0;
        let state = c.PyInterpreterState_ThreadHead(c.PyInterpreterState_Main());
        for (; state !== null; state = c.PyThreadState_Next(state)) count++;
        return count;
      };
      const before = threadStates();
      for (let turn = 0; turn < 10; turn++) await messageOf(startWorker());
      await until(() => threadStates() === before);
      await use();`,
  }));
