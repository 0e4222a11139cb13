/** What every Python has to pass: the Deno suite, and the stress on Python's debug allocator. */

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { type Job, JobError, runCommand } from "../lib/job_runner.ts";
import { WITHOUT_LONG_TESTS } from "../lib/long_tests.ts";

const ROOT = new URL("../../", import.meta.url);

/** The stress programs; `rust/stress/README.md` describes them. */
const STRESS = fileURLToPath(new URL("rust/target/release/stress", ROOT));

/** How long the suite may take, and each of the stress programs, in seconds: ten times what they need and more. */
const SUITE_TIMEOUT = 900;
const STRESS_TIMEOUT = 60;

/** How long a minute of the fuzzer may take, in seconds: its last seeds end after it. */
const FUZZ_TIMEOUT = 240;

/** What the stress programs do. */
const SCENARIOS = ["plain", "tracemalloc", "subinterpreter", "lives"];

/** How many operations each of them does. */
const OPERATIONS = "200000";

/** A Python that the suite is run on. */
export interface TestedPython {
  /** What the table calls it. */
  readonly name: string;
  /** Its executable. */
  readonly executable: string;
  /** Its shared library. */
  readonly library: string;
  /** What is put before a command that is to run where it is. */
  readonly enter: string[];
}

/** The Deno suite, without the package's tests and the long ones: they depend on no Python. */
export function suiteJob(
  python: TestedPython,
  flags: string[],
  { env = {}, activity = "suite" }: {
    env?: Record<string, string>;
    activity?: string;
  } = {},
): Job {
  const command = [
    ...[Deno.execPath(), "test", "--allow-all", "--no-check"],
    ...["--sanitize-ops", "--sanitize-resources", "--v8-flags=--expose-gc"],
    WITHOUT_LONG_TESTS,
    ...flags,
    "tests",
  ];
  return {
    subject: python.name,
    activity,
    run: async () =>
      testSummary(
        await runWith(python, command, env, SUITE_TIMEOUT).catch(nameFailures),
      ),
  };
}

/** The stress programs on the allocator, under `PYTHONMALLOC=debug`: many threads that attach and detach at random. */
export function stressJob(python: TestedPython): Job {
  return {
    subject: python.name,
    activity: "stress, PYTHONMALLOC=debug",
    run: async () => {
      for (const scenario of SCENARIOS) {
        await runWith(
          python,
          [STRESS, python.library, scenario, "--operations", OPERATIONS],
          { PYTHONMALLOC: "debug" },
          STRESS_TIMEOUT,
        );
      }
      return `${SCENARIOS.join(", ")}: ${OPERATIONS} operations each`;
    },
  };
}

/** The hostile fuzzer on Python's debug allocator, for a minute. */
export function fuzzJob(python: TestedPython): Job {
  return {
    subject: python.name,
    activity: "fuzzer, PYTHONMALLOC=debug",
    run: async () => {
      const command = [
        ...[Deno.execPath(), "run", "--allow-all", "--no-check"],
        ...["tasks/fuzz.ts", "--minutes", "1", "--jobs", "1"],
      ];
      const env = { PYTHONMALLOC: "debug" };
      const output = await runWith(python, command, env, FUZZ_TIMEOUT);
      return output.trim().split("\n").at(-1) ?? "";
    },
  };
}

/** Run a command with that Python as the one to embed, and as `python3`; no virtual environment is active. */
function runWith(
  { executable, enter }: TestedPython,
  command: string[],
  env: Record<string, string>,
  timeout: number,
): Promise<string> {
  return runCommand([...enter, ...command], {
    cwd: ROOT,
    env: {
      NO_COLOR: "1",
      ONEHEAP_PYTHON: executable,
      PATH: `${dirname(executable)}:${Deno.env.get("PATH")}`,
      VIRTUAL_ENV: "",
      CONDA_PREFIX: "",
      ...env,
    },
    timeout,
  });
}

/** Put the tests that failed, and what they said, before all that the run printed: a log may keep the beginning alone. */
function nameFailures(error: unknown): never {
  if (!(error instanceof JobError)) throw error;
  const [reason, ...lines] = error.message.split("\n");
  const output = lines.join("\n");
  const errors = output.match(/^ ERRORS $[\s\S]*^ FAILURES $[\s\S]*/m)?.[0];
  if (errors === undefined) throw error;
  const names = [...errors.matchAll(/^(.+) => \.\/tests\//gm)].map(([, name]) =>
    name
  );
  throw new JobError(
    `${reason}: ${[...new Set(names)].join("; ")}\n${errors}\n${output}`,
  );
}

/** The last line of a test run. A run in which nothing passed has not passed. */
function testSummary(output: string): string {
  const summary = output.match(/^ok \| ([1-9]\d* passed.*?) \(.*\)$/m)?.[1];
  if (summary === undefined) throw new JobError(`no tests ran\n${output}`);
  return summary;
}
