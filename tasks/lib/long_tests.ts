/**
 * The tests that take long and ask little of the Python that they run on. They run once in continuous integration, in the first run of
 * `deno task test`.
 */

/** Their files and folders, as paths in the checkout. */
const LONG_TESTS = [
  "tests/docs/example_types_test.ts",
  "tests/docs/memory_guide_test.ts",
  "tests/doctor/memory_test.ts",
  "tests/debug/report_page_test.ts",
  "tests/hostile/forged_tape_test.ts",
  "tests/hostile/stack_end_test.ts",
  "tests/hostile/properties_test.ts",
  "tests/memory/memory_out_test.ts",
  "tests/memory/external_memory_test.ts",
  "tests/running/hostile_errors_test.ts",
  "tests/running/error_message_test.ts",
  "tests/running/error_traceback_test.ts",
  "tests/running/packages_test.ts",
  "tests/loading/virtual_environment_test.ts",
  "tests/model",
  "tests/tasks",
];

/** The flag of `deno test` that leaves them out, and the package's tests: the flag takes the place of what the configuration leaves out. */
export const WITHOUT_LONG_TESTS = `--ignore=${
  ["tests/package", ...LONG_TESTS].join(",")
}`;
