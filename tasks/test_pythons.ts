/**
 * `deno task test:pythons`: the suite and the stress with one build of the library on every CPython of this machine,
 * and the suite with NumPy, the fuzzer, and the suite on each of Python's allocators; with `--sid`, also on Debian's newest Pythons.
 */

import type { Attempt } from "../ffi/errors.ts";
import { assertionFlags } from "./lib/assertions.ts";
import { cargo } from "./build.ts";
import {
  type InstalledPython,
  installedPythons,
} from "./pythons/discover_pythons.ts";
import { Schedule } from "./lib/job_runner.ts";
import { numpyEnvironment } from "./pythons/numpy_environment.ts";
import { sidPythons } from "./pythons/debian_sid.ts";
import {
  fuzzJob,
  stressJob,
  suiteJob,
  type TestedPython,
} from "./pythons/suite.ts";

/** What `PYTHONMALLOC` is set to, besides being left alone, which is `pymalloc`. */
const ALLOCATORS = ["debug", "malloc"];

/** How many jobs run at a time: one more than cores, for the tests mostly wait. */
const AT_ONCE = navigator.hardwareConcurrency + 1;

const withSid = parseArguments(Deno.args);
cargo("build", "--release", "--quiet", "--workspace");
// For the test that has memray show the lines of Rust.
cargo("build", "--profile=line-tables", "--quiet", "--package=oneheap-deno");
const flags = assertionFlags();
const pythons = findPythons();
const newest = pythons.find(({ version }) => !version.endsWith("t"))!;
const schedule = new Schedule(AT_ONCE);
await Promise.all([
  ...(withSid ? [testSid()] : []),
  schedule.run(fuzzJob(installed(newest))),
  testNewest(newest),
  ...pythons.filter((it) => it !== newest).map((python) =>
    testPython(installed(python))
  ),
  ...ALLOCATORS.map((it) => testAllocator(installed(newest), it)),
]);
Deno.exit(schedule.report() ? 0 : 1);

function parseArguments(args: string[]): boolean {
  const unknown = args.filter((argument) => argument !== "--sid");
  if (unknown.length === 0) return args.includes("--sid");
  console.error(`unknown: ${unknown.join(" ")}\nusage: test:pythons [--sid]`);
  Deno.exit(2);
}

/** Every Python of this machine, one with a GIL at least; ends the process where there is none. */
function findPythons(): InstalledPython[] {
  const refused: Attempt[] = [];
  const found = installedPythons(refused);
  for (const { subject, reason } of refused) {
    console.log(`left out ${subject}: ${reason}`);
  }
  if (found.some(({ version }) => !version.endsWith("t"))) return found;
  console.error("no CPython 3.11 or later with a shared library was found");
  Deno.exit(1);
}

function installed(python: InstalledPython): TestedPython {
  const name = `${python.version}  ${python.executable}`;
  return { ...python, name, enter: [] };
}

async function testPython(python: TestedPython): Promise<void> {
  await Promise.all([
    schedule.run(suiteJob(python, flags)),
    schedule.run(stressJob(python)),
  ]);
}

async function testAllocator(
  python: TestedPython,
  allocator: string,
): Promise<void> {
  const env = { PYTHONMALLOC: allocator };
  const activity = `suite, PYTHONMALLOC=${allocator}`;
  await schedule.run(suiteJob(python, flags, { env, activity }));
}

/** The suite with NumPy has all tests of the one without; where NumPy can't be installed, that one runs. */
async function testNewest(python: InstalledPython): Promise<void> {
  const stress = schedule.run(stressJob(installed(python)));
  if (!await testNumPy(python)) {
    await schedule.run(suiteJob(installed(python), flags));
  }
  await stress;
}

/** Whether there was a NumPy to test with. */
async function testNumPy(python: InstalledPython): Promise<boolean> {
  const [environment] = await prepare("NumPy", async () => {
    const { numpy, ...environment } = await numpyEnvironment(python);
    const name = `${python.version} (NumPy ${numpy})`;
    return [{ ...environment, name, enter: [] }];
  });
  if (environment === undefined) return false;
  const env = { ONEHEAP_TEST_NUMPY: "1" };
  const activity = "suite, NumPy on blocks";
  await schedule.run(suiteJob(environment, flags, { env, activity }));
  return true;
}

async function testSid(): Promise<void> {
  const pythons = await prepare("sid", sidPythons);
  await Promise.all(pythons.map(testPython));
}

/** Make Pythons to test, as a job of its own; none where that failed. */
async function prepare(
  subject: string,
  make: () => Promise<TestedPython[]>,
): Promise<TestedPython[]> {
  let made: TestedPython[] = [];
  await schedule.run({
    subject,
    activity: "prepare",
    run: async () => {
      made = await make();
      return made.map(({ name }) => name).join(", ");
    },
  });
  return made;
}
