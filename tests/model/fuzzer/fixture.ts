/** What the seeds of a thread share: Python's module `fuzz`, the callback, the failing of memory, the journal. */

import { attach, python, PythonScope } from "../../../mod.ts";
import { Marker } from "./outcome.ts";
import type { World } from "./world.ts";

/** The hook that fails requests for memory is in the library of the stress programs, `rust/stress/src/failing.rs`. */
const LIBRARY = new URL(
  `../../../rust/target/release/liboneheap_stress.${
    Deno.build.os === "darwin" ? "dylib" : "so"
  }`,
  import.meta.url,
);

const encoder = new TextEncoder();

/** Shared by the seeds of a thread, which run one after the other. */
export class Fixture implements Disposable {
  /** A scope that no operation touches. */
  readonly scope: PythonScope = new PythonScope();
  /** Where JavaScript's code for Python is. */
  readonly callbackAddress: number;
  /** Whether other threads have blocks, so that nobody can tell how many there should be. */
  isShared: boolean;
  /** The world of the seed that runs. */
  world: World | undefined;
  /** Where it isn't zero, Python calls nothing of JavaScript's. */
  readonly gate: Uint8Array<ArrayBuffer> = new Uint8Array(8);
  readonly #callback: Deno.UnsafeCallback<{
    parameters: ["i32"];
    result: "i32";
  }>;
  readonly #failing = Deno.dlopen(LIBRARY, {
    oneheap_failing_install: { parameters: [], result: "void" },
    oneheap_failing_arm: {
      parameters: [
        /* min_size */ "u32",
        /* one_in */ "u32",
        /* seed */ "u32",
      ],
      result: "void",
    },
    oneheap_failing_disarm: { parameters: [], result: "u32" },
  });
  readonly #python = Deno.dlopen(python.library, {
    PyGILState_Check: { parameters: [], result: "i32" },
  });

  constructor(
    readonly isVerbose: boolean,
    /** Kinds of what is hostile that are left out, to narrow a failure down. */
    readonly without: ReadonlySet<string> = new Set(),
    /** A Worker may end at any point: its functions can't be called by Python. */
    readonly isWorker = false,
  ) {
    this.isShared = isWorker;
    this.#callback = new Deno.UnsafeCallback(
      { parameters: ["i32"], result: "i32" } as const,
      (kind) => this.#enter(kind),
    );
    this.callbackAddress = addressOf(this.#callback.pointer);
    const gate = addressOf(Deno.UnsafePointer.of(this.gate)!);
    {
      using _attached = attach();
      this.#failing.symbols.oneheap_failing_install();
    }
    python.run(
      `
      import sys, types
      if "fuzz" not in sys.modules:
          fuzz = sys.modules["fuzz"] = types.ModuleType("fuzz")
          exec(compile(source, "fuzz.py", "exec"), fuzz.__dict__)
      import fuzz
      if address:
          fuzz.register(address, gate)
          # Python's collector looks at what the seeds make only, for that is quicker.
          fuzz.gc.collect()
          fuzz.gc.freeze()
      `,
      {
        scope: this.scope,
        names: {
          source: Deno.readTextFileSync(new URL("fuzz.py", import.meta.url)),
          address: isWorker ? 0 : this.callbackAddress,
          gate,
        },
      },
    );
  }

  /** Python calls. */
  #enter(kind: number): number {
    const { world } = this;
    if (world === undefined || world.isQuiet) return 0;
    try {
      return world.enter(kind) ? 1 : 0;
    } catch (error) {
      if (!(error instanceof Marker)) world.fail(error);
      return 1;
    }
  }

  /** Whether this thread is attached, by Python's own word. */
  isAttached(): boolean {
    return this.#python.symbols.PyGILState_Check() === 1;
  }

  /** Runs a function while one in `oneIn` of this thread's requests for `minSize` bytes or more fails. */
  whileFailing(
    minSize: number,
    oneIn: number,
    seed: number,
    act: () => void,
  ): void {
    const { oneheap_failing_arm, oneheap_failing_disarm } =
      this.#failing.symbols;
    oneheap_failing_arm(minSize, oneIn, seed);
    try {
      act();
    } finally {
      oneheap_failing_disarm();
    }
  }

  /** Python calls nothing of JavaScript's any more: not at the end of the process either. */
  [Symbol.dispose](): void {
    python.run("import fuzz; fuzz.unregister()");
    this.#callback.close();
    this.scope[Symbol.dispose]();
  }

  /** Prints a line at once. */
  print(line: string): void {
    Deno.stderr.writeSync(encoder.encode(`${line}\n`));
  }
}

function addressOf(pointer: Deno.PointerObject): number {
  return Number(Deno.UnsafePointer.value(pointer));
}
