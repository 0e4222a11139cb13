/**
 * `deno task demo:numpy`: shows a million numbers on their way through NumPy and back. Installs NumPy in a virtual
 * environment, unless it has done so before.
 */

import { LibraryError } from "../ffi/errors.ts";
import { executableOf, findPython } from "../ffi/loading/find_python.ts";
import { build } from "./build.ts";
import { JobError } from "./lib/job_runner.ts";
import { numpyEnvironment } from "./pythons/numpy_environment.ts";

try {
  const { executable, library } = findPython();
  const environment = await numpyEnvironment({
    executable: executable || executableOf(library),
    library,
  });
  build();
  Deno.env.set("ONEHEAP_PYTHON", environment.executable);
  const { demonstrateRoundTrip } = await import("./demo/round_trip.ts");
  demonstrateRoundTrip();
} catch (error) {
  if (!(error instanceof JobError || error instanceof LibraryError)) {
    throw error;
  }
  console.error(error.message);
  Deno.exitCode = 1;
}
