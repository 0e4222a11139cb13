/**
 * `deno task test:freethreaded [3.13]`: builds a CPython without the GIL from Debian's source package, once, and runs
 * the suite and the stress on it.
 */

import { assertionFlags } from "./lib/assertions.ts";
import { cargo } from "./build.ts";
import { cacheFolder, makeFolder } from "./lib/cache.ts";
import { installPackages, requireDebian } from "./pythons/debian.ts";
import { runCommand, Schedule } from "./lib/job_runner.ts";
import { fetchSource } from "./pythons/source_package.ts";
import { stressJob, suiteJob, type TestedPython } from "./pythons/suite.ts";
import { pythonVersion } from "./pythons/version.ts";

/** How long building may take, in seconds: enough for a machine that has other work. */
const TIMEOUT = 3600;

/** What the build needs, ctypes and zlib included. */
const PACKAGES = ["build-essential", "libffi-dev", "zlib1g-dev", "xz-utils"];

const release = parseArguments(Deno.args);
cargo("build", "--release", "--quiet", "--workspace");
const flags = assertionFlags();
const schedule = new Schedule(1);
let python: TestedPython | undefined;
await schedule.run({
  subject: `${release}t`,
  activity: "prepare",
  run: async () => (python = await freeThreaded(release)).name,
});
if (python) {
  await schedule.run(suiteJob(python, flags));
  await schedule.run(stressJob(python));
}
Deno.exit(schedule.report() ? 0 : 1);

function parseArguments([release = "3.13", ...others]: string[]): string {
  if (/^3\.\d+$/.test(release) && others.length === 0) return release;
  console.error("usage: test:freethreaded [3.13]");
  Deno.exit(2);
}

/** The free-threaded Python of a release. Builds it if it is not there. */
async function freeThreaded(release: string): Promise<TestedPython> {
  const folder = cacheFolder(`python-${release}t`);
  const executable = `${folder}/bin/python3`;
  if (!isThere(executable)) {
    await makeFolder(folder, (workshop) => build(release, folder, workshop));
  }
  const version = pythonVersion(executable);
  const library = `${folder}/lib/libpython${release}t.so.1.0`;
  const name = `${version}  ${executable}`;
  return { name, executable, library, enter: [] };
}

/** Build in the workshop what is to be at `folder`, and resolve to where it is meanwhile. */
async function build(
  release: string,
  folder: string,
  workshop: string,
): Promise<string> {
  requireDebian();
  await installPackages(PACKAGES);
  const source = await fetchSource(`python${release}`, workshop);
  console.log(`building ${source}; this takes a while`);
  const image = `${workshop}/image`;
  for (
    const command of [
      [
        ...["./configure", "--quiet", `--prefix=${folder}`],
        ...["--disable-gil", "--enable-shared", "--without-ensurepip"],
        `LDFLAGS=-Wl,-rpath,${folder}/lib`,
      ],
      ["make", "--silent", `--jobs=${navigator.hardwareConcurrency}`],
      ["make", "--silent", "install", `DESTDIR=${image}`],
    ]
  ) await runCommand(command, { cwd: source, timeout: TIMEOUT });
  return `${image}${folder}`;
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
