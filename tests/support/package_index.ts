/** An index of packages, and a cache, for programs that require packages without a network. */

import { pathToFileURL } from "node:url";
import { python } from "../../mod.ts";
import { inFolder, run, type RunResult } from "./process.ts";

/** Debian has pip for virtual environments in a package of its own. */
const hasPip = python.import("importlib.util").find_spec("ensurepip") !== null;

/** Registers a test that installs packages. */
export const packageTest = hasPip
  ? Deno.test
  : Deno.test.ignore as typeof Deno.test;

/** What makes a wheel, as the file that it is. */
const wheels = python.module(`
import os, zipfile

def write(folder, name, version, body, requires=None):
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": body,
        f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n"
        + (f"Requires-Dist: {requires}\\n" if requires else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(os.path.join(folder, f"{name}-{version}-py3-none-any.whl"), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
`);

/** Where packages come from, and go to. */
export interface Place {
  readonly index: string;
  readonly cache: string;
  /** Run a program that may require what is in the index. */
  start(program: string, env?: Record<string, string>): Promise<RunResult>;
}

/** Gives the function an index, and a cache that is empty. */
export async function withIndex(
  use: (place: Place) => Promise<void>,
): Promise<void> {
  await inFolder(async (folder) => {
    const [index, cache] = [`${folder}/index`, `${folder}/cache`];
    await Deno.mkdir(index);
    for (const version of ["1.0", "2.0"]) {
      wheels.write(index, "fruit", version, `version = "${version}"`);
      wheels.write(index, "salad", version, "import fruit", "fruit<2");
    }
    wheels.write(index, "nut", "1.0", "kernel = 1");
    const start = (program: string, env: Record<string, string> = {}) =>
      run(PREAMBLE + program, {
        env: {
          ONEHEAP_CACHE: cache,
          PATH: "/usr/bin:/bin",
          PIP_NO_INDEX: "1",
          PIP_FIND_LINKS: pathToFileURL(index).href,
          UV_FIND_LINKS: pathToFileURL(index).href,
          UV_OFFLINE: "1",
          ...env,
        },
      });
    await use({ index, cache, start });
  });
}

const PREAMBLE = `
  import { python } from "@oneheap/oneheap";
  const failure = (...requirements) => {
    try {
      python.require(...requirements);
    } catch (error) {
      return error;
    }
    throw new Error("it was installed");
  };
`;

/** The folders of the environments in a cache. */
export function environments(cache: string): string[] {
  return [...Deno.readDirSync(`${cache}/environments`)]
    .filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
}
