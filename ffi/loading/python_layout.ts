/** Finding an installation's version and library by its files, where its Python may not be run. They are read as far as that is allowed. */

import { isFile } from "./paths.ts";
import { environment, granted } from "./permissions.ts";
import { PLATFORM } from "./platform/host.ts";

/** An installation of Python. */
export interface Installation {
  /** Its folder. */
  readonly root: string;
  /** Its version without the leading 3, as its library's name has it: `11`, or `13t`. */
  readonly version: string;
}

/** Where an installation may have its library, below its root. */
const LIBRARY_FOLDERS = ["lib", "lib64", `lib/${Deno.build.arch}-linux-gnu`];

/** The path of an executable; one without a folder is looked for on the `PATH`. None if it isn't seen. */
export function locate(executable: string): string | undefined {
  if (executable.includes("/")) {
    return isFile(executable) ? executable : undefined;
  }
  return environment("PATH")?.split(PLATFORM.pathSeparator)
    .map((folder) => `${folder}/${executable}`).find(isFile);
}

/** Why an executable isn't seen, with the flags that would let it be. */
export function whyNotLocated(executable: string): string {
  const path = executable.includes("/") ? executable : undefined;
  const flags: string[] = [];
  if (path === undefined && !granted({ name: "env", variable: "PATH" })) {
    flags.push("--allow-env=PATH");
  }
  if (!granted({ name: "read", path })) {
    flags.push(path === undefined ? "--allow-read" : `--allow-read=${path}`);
  }
  if (flags.length === 0) return "there is none";
  return `its file may not be looked at (${flags.join(" ")})`;
}

/** The installation that an executable belongs to: a virtual environment's is the one that it was made from. */
export function installationOf(path: string): Installation | undefined {
  return fromRealName(path) ?? fromConfiguration(path);
}

/** Follows an executable's links, which end at `bin/python3.N`. */
function fromRealName(path: string): Installation | undefined {
  return fromName(Deno.realPathSync(path));
}

/** Read the `pyvenv.cfg` of a virtual environment whose executable is a copy. */
function fromConfiguration(path: string): Installation | undefined {
  const file = path.replace(/bin\/[^/]*$/, "pyvenv.cfg");
  if (!isFile(file)) return undefined;
  const line = /^(?:base-)?executable *= *(.*)$/m;
  return fromName(Deno.readTextFileSync(file).match(line)?.[1] ?? "");
}

function fromName(path: string): Installation | undefined {
  const match = path.match(/^(.*)\/bin\/python3\.(\d+[a-z]*)$/);
  return match ? { root: match[1], version: match[2] } : undefined;
}

/** Every path that an installation's library of this name may have. */
export function libraryPlaces({ root }: Installation, name: string): string[] {
  return LIBRARY_FOLDERS.map((folder) => `${root}/${folder}/${name}`);
}
