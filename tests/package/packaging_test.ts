/** `deno task package`: what it takes, and what it refuses. It is run in a copy of the checkout. */

import { dirname } from "node:path";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { SYMBOLS } from "../../ffi/boundary/symbols.ts";
import { libraryName, type Target, TARGETS } from "../../ffi/loading/target.ts";
import { published } from "./publication.ts";
import { type Outcome, User } from "./user.ts";

const CARGO = new URL("../../rust/Cargo.toml", import.meta.url);
const TASKS = new URL("../../tasks/", import.meta.url);

/** No registry: nothing is fetched here. */
const NOWHERE = "http://127.0.0.1:9/";

/** The page of heap reports, which is built of libraries of npm. */
const VIEWER = ["viewer-licenses.txt", "viewer.ts"];

/** How a library's file begins, and where its header tells which machine it is for. */
const HEADERS: Record<
  Target,
  [start: number[], offset: number, machine: number[]]
> = {
  "x86_64-unknown-linux-gnu": [[0x7f, 0x45, 0x4c, 0x46], 18, [62, 0]],
  "aarch64-unknown-linux-gnu": [[0x7f, 0x45, 0x4c, 0x46], 18, [183, 0]],
  "x86_64-apple-darwin": [[0xcf, 0xfa, 0xed, 0xfe], 4, [7, 0, 0, 1]],
  "aarch64-apple-darwin": [[0xcf, 0xfa, 0xed, 0xfe], 4, [12, 0, 0, 1]],
  "x86_64-pc-windows-msvc": [
    [0x4d, 0x5a],
    0x80,
    [0x50, 0x45, 0, 0, 0x64, 0x86],
  ],
};

/** A file that passes for a target's library: the header, and the names of the functions. */
function imitation(target: Target): Uint8Array {
  const [start, offset, machine] = HEADERS[target];
  const file = new Uint8Array(4096);
  file[0x3c] = 0x80; // Where the header of a PE file is.
  file.set(start);
  file.set(machine, offset);
  file.set(new TextEncoder().encode(Object.keys(SYMBOLS).join("\0")), 1024);
  return file;
}

/** A copy of the checkout, and a folder beside it with a library for each target. */
class Workshop implements Disposable {
  readonly #user: User = new User(NOWHERE);
  readonly #checkout: string = `${this.#user.home}/checkout`;
  readonly #libraries: string = `${this.#user.home}/libraries`;

  constructor() {
    for (const [path, contents] of published.files) {
      if (!path.startsWith("/ffi/prebuilt/")) this.#add(path, contents);
    }
    this.#addFolder("/tasks/", TASKS);
    this.#add("/rust/Cargo.toml", Deno.readFileSync(CARGO));
    for (const target of TARGETS) this.give(target, imitation(target));
    for (const name of VIEWER) {
      this.#add(`/ffi/prebuilt/${name}`, new Uint8Array());
    }
  }

  /** Puts a library into a target's folder. */
  give(target: Target, contents: Uint8Array): void {
    write(`${this.#libraries}/${target}/${libraryName(target)}`, contents);
  }

  /** Removes what is in a target's folder. */
  take(target: Target): void {
    Deno.removeSync(`${this.#libraries}/${target}`, { recursive: true });
  }

  /** Changes a file of the checkout. */
  edit(path: string, from: string, to: string): void {
    const text = Deno.readTextFileSync(this.#checkout + path);
    Deno.writeTextFileSync(this.#checkout + path, text.replace(from, to));
  }

  /** Runs `deno task package --all` with the folder. */
  package(): Promise<Outcome> {
    const task = `${this.#checkout}/tasks/package.ts`;
    return this.#user.deno([
      "run",
      "-A",
      task,
      "--all",
      "--keep-viewer",
      this.#libraries,
    ]);
  }

  /** What it wrote. */
  prebuilt(): string[] {
    const folder = `${this.#checkout}/ffi/prebuilt`;
    return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    this.#user[Symbol.dispose]();
  }

  /** Adds the files of a folder, and of the folders in it. */
  #addFolder(path: string, folder: URL): void {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      if (isDirectory) {
        this.#addFolder(`${path}${name}/`, new URL(`${name}/`, folder));
      } else {
        this.#add(path + name, Deno.readFileSync(new URL(name, folder)));
      }
    }
  }

  #add(path: string, contents: Uint8Array): void {
    write(this.#checkout + path, contents);
  }
}

function write(path: string, contents: Uint8Array): void {
  Deno.mkdirSync(dirname(path), { recursive: true });
  Deno.writeFileSync(path, contents);
}

Deno.test("libraries for all targets come from a folder", async () => {
  using workshop = new Workshop();
  const { code, stderr } = await workshop.package();
  assertEquals(code, 0, stderr);
  const modules = TARGETS.map((target) => `${target}.ts`);
  assertEquals(
    workshop.prebuilt(),
    [...modules, "libraries.json", ...VIEWER].sort(),
  );
});

/** Any target but this one, whose library could be built. */
const OTHER = TARGETS.find((target) => target !== Deno.build.target)!;

const FAULTS: [
  name: string,
  make: (workshop: Workshop) => void,
  message: string,
][] = [
  [
    "a target without a library",
    (workshop) => workshop.take(OTHER),
    `There is no library for ${OTHER}.`,
  ],
  [
    "a library for another target",
    (workshop) => TARGETS.forEach((it) => workshop.give(it, imitation(OTHER))),
    `is built for ${OTHER}, not for `,
  ],
  [
    "a file that is no library",
    (workshop) => workshop.give(OTHER, new Uint8Array(10)),
    `is built for no known target, not for ${OTHER}`,
  ],
  [
    "a library of another version",
    (workshop) => workshop.give(OTHER, imitation(OTHER).fill(0, 1024)),
    "has no oneheap_abi: build it from this checkout",
  ],
  [
    "a library that is too large",
    (workshop) => workshop.give(OTHER, tooLarge(imitation(OTHER))),
    "bytes compressed, and 409600 are allowed",
  ],
  [
    "a crate of another version",
    (workshop) =>
      workshop.edit("/rust/Cargo.toml", 'version = "', 'version = "9'),
    "run deno task release:version",
  ],
  [
    "a package whose modules deno publish refuses to leave out",
    (workshop) => workshop.edit("/deno.json", '"!ffi/prebuilt"', ""),
    "deno publish would refuse",
  ],
  [
    "a package whose modules deno publish leaves out without a word",
    (workshop) => {
      const unignored = '"!ffi/prebuilt"';
      const left = `${unignored}, "ffi/prebuilt/${OTHER}.ts"`;
      workshop.edit("/deno.json", unignored, left);
      workshop.edit(
        "/ffi/loading/bundled_library.ts",
        `import("../prebuilt/${OTHER}.ts")`,
        "",
      );
    },
    `deno publish would leave out ${OTHER}.ts`,
  ],
];

function tooLarge(library: Uint8Array): Uint8Array {
  const file = new Uint8Array(600_000);
  for (let start = 0; start < file.length; start += 60_000) {
    crypto.getRandomValues(file.subarray(start, start + 60_000));
  }
  file.set(library);
  return file;
}

for (const [name, make, message] of FAULTS) {
  Deno.test(`deno task package refuses ${name}`, async () => {
    using workshop = new Workshop();
    make(workshop);
    const { code, stdout, stderr } = await workshop.package();
    assertEquals(code, 1);
    assertStringIncludes(stdout + stderr, message);
  });
}
