/** A user of the package: an account of its own, as far as folders and variables make one. */

import { dirname } from "node:path";
import { assertEquals } from "@std/assert";

const PROGRAMS = new URL("programs/", import.meta.url);

/** Where users have their caches, below their home. */
const CACHES: Record<string, string> = {
  darwin: "/Library/Caches",
  windows: "",
  linux: "/.cache",
};

/** No command takes nearly as long, unless it hangs. */
const TIMEOUT = 120_000;

/** The outcome of a command. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command is run, where it isn't as always. */
export interface Circumstances {
  readonly env?: Record<string, string>;
  /** A command that runs the one that is appended to it. */
  readonly within?: string[];
  /** The number of the system's user that runs it. */
  readonly uid?: number;
}

/** A home with a project, outside the checkout, with every cache empty, and no cargo on the `PATH`. */
export class User implements Disposable {
  readonly home: string;
  readonly project: string;
  /** Where the package unpacks its library to, unless it is told another place. */
  readonly cache: string;
  readonly #denoDir: string;
  readonly #env: Record<string, string>;

  /** Makes a user whose JSR is at that URL, with the programs of `programs/` in the project. */
  constructor(registry: string) {
    this.home = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "oneheap-" }));
    this.project = `${this.home}/project`;
    this.cache = `${this.home}${CACHES[Deno.build.os]}/oneheap`;
    this.#denoDir = `${this.home}/deno`;
    this.#env = {
      HOME: this.home,
      LOCALAPPDATA: this.home,
      PATH: pathWithoutCargo(this.home),
      DENO_DIR: this.#denoDir,
      JSR_URL: registry,
      NO_COLOR: "1",
      VIRTUAL_ENV: "",
      CONDA_PREFIX: "",
      XDG_CACHE_HOME: "",
      ONEHEAP_CACHE: "",
      ONEHEAP_LIBRARY: "",
      ONEHEAP_PYTHON: "",
    };
    Deno.mkdirSync(this.project);
    this.copyPrograms("jsr:@oneheap/oneheap");
  }

  /** Writes the programs into the project. They import the package by that specifier. */
  copyPrograms(specifier: string): void {
    for (const { name } of Deno.readDirSync(PROGRAMS)) {
      const text = Deno.readTextFileSync(new URL(name, PROGRAMS));
      this.write(name, text.replaceAll("@oneheap/oneheap", specifier));
    }
  }

  /** Writes a file into the project. */
  write(name: string, text: string): void {
    Deno.writeTextFileSync(`${this.project}/${name}`, text);
  }

  /** Runs Deno in the project. */
  deno(args: string[], circumstances: Circumstances = {}): Promise<Outcome> {
    return this.run([Deno.execPath(), ...args], circumstances);
  }

  /** Runs a command in the project. */
  async run(
    command: string[],
    { env, within = [], uid }: Circumstances = {},
  ): Promise<Outcome> {
    const [program, ...args] = [...within, ...command];
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args,
      cwd: this.project,
      env: { ...this.#env, ...env },
      stdin: "null",
      signal: AbortSignal.timeout(TIMEOUT),
      ...(uid === undefined ? {} : { uid, gid: uid }),
    }).output();
    const decoder = new TextDecoder();
    return {
      code,
      stdout: decoder.decode(stdout),
      stderr: decoder.decode(stderr),
    };
  }

  /** The names of the files in the package's cache. */
  cached(): string[] {
    try {
      return [...Deno.readDirSync(this.cache)].map(({ name }) => name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  /** Empties the package's cache. */
  forgetUnpacked(): void {
    for (const name of this.cached()) Deno.removeSync(`${this.cache}/${name}`);
  }

  /** Removes what Deno has made of the modules that it has downloaded, as a newer Deno would. */
  forgetCompiled(): void {
    for (const { name } of Deno.readDirSync(this.#denoDir)) {
      if (name !== "gen" && !name.includes("_cache_v")) continue;
      Deno.removeSync(`${this.#denoDir}/${name}`, { recursive: true });
    }
  }

  /** Removes everything that Deno has downloaded, too. */
  forgetDownloaded(): void {
    Deno.removeSync(this.#denoDir, { recursive: true });
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.home, { recursive: true });
  }
}

/** What a command printed that succeeded. */
export function output({ code, stdout, stderr }: Outcome): string {
  assertEquals(code, 0, stderr);
  return stdout;
}

/** Fails unless the program `heap.ts` did what it should. */
export function heapUsed(outcome: Outcome): void {
  const { sum, blocks, after, freed } = JSON.parse(output(outcome));
  assertEquals([sum, blocks, after, freed], [8, 1, 0, true]);
}

/** A `PATH` that has `python3` and nothing else; on Windows, where links need a privilege, what lies beside it too. */
function pathWithoutCargo(home: string): string {
  const python = pythonExecutable();
  if (Deno.build.os === "windows") return dirname(python);
  Deno.mkdirSync(`${home}/bin`);
  Deno.symlinkSync(python, `${home}/bin/python3`);
  return `${home}/bin`;
}

/** The executable that `ONEHEAP_PYTHON` names, or that `python3` is. */
function pythonExecutable(): string {
  const command = Deno.env.get("ONEHEAP_PYTHON") || "python3";
  const { success, stdout } = new Deno.Command(command, {
    args: ["-c", "import sys; print(sys.executable)"],
  }).outputSync();
  if (!success) throw new Error(`${command} can't be run`);
  return new TextDecoder().decode(stdout).trim();
}
