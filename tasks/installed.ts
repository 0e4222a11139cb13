/** The Pythons on this machine: version managers' and the system's. */

import type { Attempt } from "../ffi/errors.ts";
import { fromExecutable } from "../ffi/python.ts";
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

/** A folder of folders, and where each of them has its executable; `root` is tried in order. */
interface Manager {
  readonly root: (string | undefined)[];
  readonly below: string;
}

/** Finds each Python once, the newest first. Adds to `refused` those that can't be embedded. */
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
  const paths = managers().flatMap(({ root, below }) => {
    const folder = root.find((it) => it !== undefined);
    if (folder === undefined) return [];
    return entries(folder).map((entry) => `${folder}/${entry}/${below}`)
      .filter(isFile);
  });
  return [...paths, "python3", ...systemPythons()];
}

function managers(): Manager[] {
  const home = Deno.env.get("HOME");
  const data = Deno.env.get("XDG_DATA_HOME") || under(home, ".local/share");
  return [
    { // pyenv
      root: [
        under(Deno.env.get("PYENV_ROOT"), "versions"),
        under(home, ".pyenv/versions"),
      ],
      below: "bin/python3",
    },
    { // asdf
      root: [
        under(Deno.env.get("ASDF_DATA_DIR"), "installs/python"),
        under(home, ".asdf/installs/python"),
      ],
      below: "bin/python3",
    },
    { // mise
      root: [
        under(Deno.env.get("MISE_DATA_DIR"), "installs/python"),
        under(data, "mise/installs/python"),
      ],
      below: "bin/python3",
    },
    { // uv
      root: [
        Deno.env.get("UV_PYTHON_INSTALL_DIR") || undefined,
        under(data, "uv/python"),
      ],
      below: "bin/python3",
    },
    { // GitHub's runners
      root: [under(Deno.env.get("RUNNER_TOOL_CACHE"), "Python")],
      below: `${Deno.build.arch === "x86_64" ? "x64" : "arm64"}/bin/python3`,
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
