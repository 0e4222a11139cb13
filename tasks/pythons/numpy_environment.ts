/**
 * A virtual environment with NumPy, pandas, SciPy and matplotlib from PyPI in it, and orjson and the profilers where they have a build, kept
 * for the next time.
 */

import { PLATFORM } from "../../ffi/loading/platform/host.ts";
import type { FoundPython } from "../../ffi/loading/find_python.ts";
import { cacheFolder, makeFolder } from "../lib/cache.ts";
import { JobError, runCommand } from "../lib/job_runner.ts";
import { pythonVersion } from "./version.ts";

/** How long a download may take, in seconds. */
const TIMEOUT = 300;

/** A Python that has NumPy. */
export interface NumPyEnvironment {
  /** The virtual environment's executable. */
  readonly executable: string;
  /** The shared library of the Python that it was made by. */
  readonly library: string;
  /** NumPy's version. */
  readonly numpy: string;
}

/** The virtual environment of a Python. Makes it if it is not there or NumPy can't be imported in it. */
export async function numpyEnvironment(
  { executable, library }: FoundPython,
): Promise<NumPyEnvironment> {
  const folder = cacheFolder(`numpy-pandas-${pythonVersion(executable)}`);
  const python = `${folder}/${PLATFORM.executable}`;
  const found = await numpyVersion(python);
  if (found === undefined) {
    console.log(
      `installing NumPy, pandas, SciPy and matplotlib from PyPI in ${folder}`,
    );
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    await makeFolder(folder, (unfinished) => install(executable, unfinished));
  }
  const numpy = found ?? await numpyVersion(python);
  if (numpy === undefined) {
    throw new JobError(
      `NumPy was installed in ${folder}, and can't be imported`,
    );
  }
  return { executable: python, library, numpy };
}

async function install(executable: string, folder: string): Promise<string> {
  await attempt(
    `${executable} can't make a virtual environment (Debian and Ubuntu have that in the package python3-venv)`,
    [executable, "-m", "venv", folder],
  );
  const pip = [
    ...[`${folder}/${PLATFORM.executable}`, "-m", "pip", "install"],
    ...["--quiet", "--disable-pip-version-check", "--retries=1"],
    "--only-binary=:all:",
  ];
  await attempt(
    "NumPy can't be installed from PyPI: is there a network, and a build of NumPy for this Python?",
    [...pip, "numpy"],
  );
  await attempt("pandas, SciPy and matplotlib can't be installed from PyPI", [
    ...pip,
    "pandas",
    "scipy",
    "matplotlib",
  ]);
  // The tests of values compare with it where it is there.
  await attempt("orjson can't be installed", [...pip, "orjson"]).catch(
    (error) => console.log(error.message),
  );
  // Tools that the tests of call sites use where they are there.
  await attempt(
    "memray, py-spy, pytest-memray, uv and jupyter_client can't be installed",
    [
      ...pip,
      "memray",
      "py-spy",
      "pytest-memray",
      // With it packages are required.
      "uv",
      // The client of the test of notebooks.
      "jupyter_client",
    ],
  ).catch((error) => console.log(error.message));
  return folder;
}

/** Run a command; where it fails, say what that means before what the command said. */
async function attempt(meaning: string, command: string[]): Promise<void> {
  try {
    await runCommand(command, { timeout: TIMEOUT });
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    throw new JobError(`${meaning}\n${error.message}`);
  }
}

async function numpyVersion(python: string): Promise<string | undefined> {
  const question =
    "import pandas, scipy, matplotlib, numpy; print(numpy.__version__)";
  try {
    const output = await runCommand([python, "-c", question], { timeout: 60 });
    return output.trim();
  } catch (error) {
    if (error instanceof JobError) return undefined;
    throw error;
  }
}
