/** The Pythons on this machine: version managers' and the system's. */

import type { Attempt } from "../../ffi/errors.ts";
import { fromExecutable } from "../../ffi/loading/find_python.ts";
import { pythonVersion } from "./version.ts";

/** A CPython that can be embedded. */
export interface InstalledPython {
  /** Its version, with a `t` for a free-threaded build. */
  readonly version: string;
  /** The executable, as it calls itself. */
  readonly executable: string;
  /** The shared library. */
  readonly library: string;
}

/** Who installs Pythons: each has a folder in the first of the roots that is set, and its executable below that. */
interface Manager {
  readonly roots: (string | undefined)[];
  readonly executables: string[];
}

const EXECUTABLE = "bin/python3";

/** Find each Python once, the newest first. Adds to `refused` those that can't be embedded. */
export function installedPythons(refused: Attempt[]): InstalledPython[] {
  const byLibrary = new Map<string, InstalledPython>();
  for (const candidate of candidates()) {
    const found = fromExecutable(candidate, refused);
    if (found === undefined) continue;
    const { executable, library } = found;
    const file = Deno.realPathSync(library);
    if (byLibrary.has(file)) continue;
    const version = pythonVersion(executable);
    byLibrary.set(file, { version, executable, library });
  }
  return [...byLibrary.values()].sort((one, other) =>
    other.version.localeCompare(one.version, "en", { numeric: true })
  );
}

/** Executables that may be Pythons: those of the version managers, then the one on the `PATH` and the system's. */
function candidates(): string[] {
  const paths = managers().flatMap(({ roots, executables }) => {
    const root = roots.find((it) => it !== undefined);
    if (root === undefined) return [];
    return entries(root).flatMap((name) =>
      executables.map((executable) => `${root}/${name}/${executable}`)
    );
  });
  return [...paths.filter(isFile), "python3", ...systemPythons()];
}

function managers(): Manager[] {
  const home = Deno.env.get("HOME");
  const data = Deno.env.get("XDG_DATA_HOME") || under(home, ".local/share");
  return [
    { // pyenv
      roots: [
        under(Deno.env.get("PYENV_ROOT"), "versions"),
        under(home, ".pyenv/versions"),
      ],
      executables: [EXECUTABLE],
    },
    { // asdf
      roots: [
        under(Deno.env.get("ASDF_DATA_DIR"), "installs/python"),
        under(home, ".asdf/installs/python"),
      ],
      executables: [EXECUTABLE],
    },
    { // mise
      roots: [
        under(Deno.env.get("MISE_DATA_DIR"), "installs/python"),
        under(data, "mise/installs/python"),
      ],
      executables: [EXECUTABLE],
    },
    { // uv
      roots: [
        Deno.env.get("UV_PYTHON_INSTALL_DIR") || undefined,
        under(data, "uv/python"),
      ],
      executables: [EXECUTABLE],
    },
    { // GitHub's runners
      roots: [under(Deno.env.get("RUNNER_TOOL_CACHE"), "Python")],
      executables: ["x64", "x64-freethreaded", "arm64", "arm64-freethreaded"]
        .map((folder) => `${folder}/${EXECUTABLE}`),
    },
  ];
}

function under(folder: string | undefined, name: string): string | undefined {
  return folder ? `${folder}/${name}` : undefined;
}

function systemPythons(): string[] {
  return ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"].flatMap((folder) =>
    entries(folder).filter((name) => /^python3\.\d+t?$/.test(name))
      .map((name) => `${folder}/${name}`)
  );
}

/** The names in a folder, in order; none if it is not there. */
function entries(folder: string): string[] {
  try {
    return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
  } catch {
    return [];
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
