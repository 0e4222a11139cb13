import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Diagnosis } from "../../ffi/doctor/doctor.ts";
import { ABI } from "../../ffi/boundary/symbols.ts";
import { python } from "../../mod.ts";

const ROOT = new URL("../../", import.meta.url);

/** Runs the doctor in a process of its own. */
async function doctor(
  args: string[] = [],
  env: Record<string, string> = {},
  flags = ["-A"],
): Promise<{ code: number; text: string }> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--quiet",
      ...flags,
      "ffi/doctor/doctor.ts",
      ...args,
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stderr: "inherit",
  }).output();
  return { code, text: new TextDecoder().decode(stdout) };
}

async function diagnosis(
  env?: Record<string, string>,
  flags?: string[],
): Promise<{ code: number; found: Diagnosis }> {
  const { code, text } = await doctor(["--json"], env, flags);
  return { code, found: JSON.parse(text) };
}

Deno.test("where everything works, the doctor tells all of it and passes its self-test", async () => {
  const { code, found } = await diagnosis();
  assertEquals(code, 0);
  assertEquals(found.problems, []);
  assert(found.works);
  assertEquals(found.python?.version, python.version);
  assertEquals(found.python?.library, python.library);
  assertEquals(found.library?.abi, ABI);
  assertEquals(found.library?.sha256?.length, 64);
  assert(found.selfTestMilliseconds! > 0);
  assertStringIncludes(found.search.at(-1)!.reason, "taken");
});

Deno.test("the text says the same as the JSON", async () => {
  const { code, text } = await doctor();
  assertEquals(code, 0);
  assertStringIncludes(text, python.library);
  assertStringIncludes(text, "Nothing is wrong");
});

Deno.test("the doctor names the allocator in force", async () => {
  // Free-threaded builds have no pymalloc.
  const own = /t\.so/.test(python.library) ? "mimalloc" : "pymalloc";
  const plain = await diagnosis({ PYTHONMALLOC: own });
  assertEquals(plain.found.python?.allocator, own);
  const debug = await diagnosis({ PYTHONMALLOC: "debug" });
  assertStringIncludes(debug.found.python!.allocator!, "debug");
});

Deno.test("without Python, the doctor says where it looked, and its status is 1", async () => {
  const env = {
    PATH: "/nowhere",
    VIRTUAL_ENV: "/nowhere",
    ONEHEAP_PYTHON: "",
    CONDA_PREFIX: "",
  };
  const { code, found } = await diagnosis(env);
  assertEquals(code, 1);
  assertEquals(found.works, false);
  assertEquals(found.search.map(({ subject }) => subject), [
    "/nowhere/bin/python3",
    "python3",
  ]);
  assertStringIncludes(found.problems[0].remedy, "Install Python 3.11");
  assert(found.library !== null);
});

Deno.test("a library that is none is a problem with its remedy", async () => {
  const { code, found } = await diagnosis({ ONEHEAP_LIBRARY: "/etc/passwd" });
  assertEquals(code, 1);
  assertEquals(found.library?.origin, "ONEHEAP_LIBRARY");
  assertEquals(found.problems.length, 1);
  assertStringIncludes(found.problems[0].remedy, "/etc/passwd");
});

Deno.test("an ONEHEAP_PYTHON that names a folder is a problem that says so", async () => {
  const { code, found } = await diagnosis({ ONEHEAP_PYTHON: "/tmp" });
  assertEquals(code, 1);
  assertEquals(found.problems.length, 1);
  assertStringIncludes(found.problems[0].remedy, "names a folder, /tmp");
});

Deno.test("a missing permission is named with its flag, and nothing is thrown", async () => {
  const { code, found } = await diagnosis({}, [
    "--allow-env",
    "--allow-read",
    "--allow-run",
  ]);
  assertEquals(code, 1);
  const ffi = found.permissions.find(({ flag }) => flag === "--allow-ffi");
  assertEquals(ffi?.granted, false);
  assertStringIncludes(found.problems[0].remedy, "--allow-ffi");
});
