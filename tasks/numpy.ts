/** A virtual environment with NumPy from PyPI in it. */

import { cacheFolder, makeFolder } from "./cache.ts";
import type { InstalledPython } from "./installed.ts";
import { JobError, runCommand } from "./jobs.ts";
import type { TestedPython } from "./suite.ts";

/** How long a download may take, in seconds. */
const TIMEOUT = 300;

/** The virtual environment of a Python. Makes it if it is not there or NumPy can't be imported in it. */
export async function numpyEnvironment(
  { version, executable, library }: InstalledPython,
): Promise<TestedPython> {
  const folder = cacheFolder(`numpy-${version}`);
  const python = `${folder}/bin/python3`;
  const found = await numpyVersion(python);
  if (found === undefined) {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    await makeFolder(folder, (unfinished) => install(executable, unfinished));
  }
  const numpy = found ?? await numpyVersion(python);
  if (numpy === undefined) {
    throw new JobError(
      `NumPy was installed in ${folder}, and can't be imported`,
    );
  }
  return {
    name: `${version} (NumPy ${numpy})`,
    executable: python,
    library,
    enter: [],
  };
}

async function install(executable: string, folder: string): Promise<string> {
  await runCommand([executable, "-m", "venv", folder], { timeout: TIMEOUT });
  await runCommand([
    ...[`${folder}/bin/python3`, "-m", "pip", "install", "--quiet"],
    ...["--disable-pip-version-check", "--only-binary=:all:", "numpy"],
  ], { timeout: TIMEOUT });
  return folder;
}

async function numpyVersion(python: string): Promise<string | undefined> {
  const question = "import numpy; print(numpy.__version__)";
  try {
    const output = await runCommand([python, "-c", question], { timeout: 60 });
    return output.trim();
  } catch (error) {
    if (error instanceof JobError) return undefined;
    throw error;
  }
}
