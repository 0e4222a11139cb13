import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  parseRefusal,
  refusalError,
} from "../../ffi/loading/refused_configuration.ts";
import { python } from "../../mod.ts";
import { load, NO_PYTHON, writePython3 } from "../support/installation.ts";
import { inFolder, run } from "../support/process.ts";

const MINOR = Number(python.version.split(".")[1]);

/** Variables that Python refuses, with a message of its own about each. */
const REFUSED: [variable: string, value: string, reason: string][] = [
  ["PYTHONHOME", "/nonexistent", "No module named 'encodings'"],
  ["PYTHONHASHSEED", "x", 'must be "random" or an integer'],
  ["PYTHONIOENCODING", "x", "LookupError: unknown encoding: x"],
  ["PYTHONMALLOC", "x", "unknown allocator"],
  ["PYTHONTRACEMALLOC", "x", "invalid number of frames"],
  ["PYTHONINTMAXSTRDIGITS", "x", "PYTHONINTMAXSTRDIGITS: invalid limit"],
  ["PYTHONPLATLIBDIR", "nowhere", "No module named 'encodings'"],
];

/** Those that 3.13 and later read. */
const NEWER: typeof REFUSED = [
  ["PYTHON_GIL", "x", 'PYTHON_GIL / -X gil must be "0" or "1"'],
  ["PYTHON_CPU_COUNT", "x", "PYTHON_CPU_COUNT"],
];

/** Imports the library twice, once in a Worker, and tells of both, and that the process goes on. */
const IMPORT = `
  const code = \`
    const said = await import("@oneheap/oneheap").catch((error) => error);
    postMessage(said.name + ": " + said.message);
  \`;
  try {
    await import("@oneheap/oneheap");
  } catch ({ name, message, tried }) {
    console.log(JSON.stringify({ name, message, tried }));
  }
  const url = "data:text/javascript," + encodeURIComponent(code);
  const worker = new Worker(url, { type: "module" });
  console.log(await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data)));
  console.log("alive");
  Deno.exit();
`;

for (
  const [variable, value, reason] of MINOR < 13
    ? REFUSED
    : REFUSED.concat(NEWER)
) {
  Deno.test(`${variable} that Python refuses is an error that names it, and the process goes on`, async () => {
    const env = { ...NO_PYTHON, ONEHEAP_PYTHON: python.executable };
    const { code, stdout } = await run(IMPORT, {
      env: { ...env, PYTHONUNBUFFERED: "1", [variable]: value },
    });
    const [thrown, inWorker, last] = stdout.trim().split("\n");
    const { name, message, tried } = JSON.parse(thrown);
    assertEquals(name, "LibraryError");
    assertStringIncludes(message, `because of ${variable}=${value}. It says`);
    assertStringIncludes(message, reason);
    assertStringIncludes(message, "start the program again");
    assertEquals(tried.length, 1);
    assertEquals(tried[0].subject, `${variable}=${value}`);
    assertStringIncludes(inWorker, `LibraryError: Python`);
    assertStringIncludes(stdout, "alive");
    assert(last !== undefined);
    assertEquals(code, 0);
  });
}

Deno.test("a PYTHONPATH with a module that keeps Python from starting is named", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/encodings`);
    await Deno.writeTextFile(`${folder}/encodings/__init__.py`, "1 / 0");
    const { error } = await load({
      env: { ONEHEAP_PYTHON: python.executable, PYTHONPATH: folder },
    });
    assertStringIncludes(error, `because of PYTHONPATH=${folder}`);
    assertStringIncludes(error, "ZeroDivisionError: division by zero");
  }));

Deno.test("of several variables those that Python refuses are named, each with its message, and no others", async () => {
  const { error } = await load({
    env: {
      ONEHEAP_PYTHON: python.executable,
      PYTHONDONTWRITEBYTECODE: "1",
      PYTHONHASHSEED: "x",
      PYTHONMALLOC: "y",
    },
  });
  assertStringIncludes(error, "because of PYTHONHASHSEED=x, PYTHONMALLOC=y");
  assertStringIncludes(error, "\n  PYTHONHASHSEED=x: config_init_hash_seed");
  assertStringIncludes(error, "\n  PYTHONMALLOC=y: preconfig_init_allocator");
  assertEquals(error.includes("PYTHONDONTWRITEBYTECODE"), false);
});

Deno.test("where only the library is known, its executable tells which variable it is", async () => {
  const { error } = await load({
    env: {
      ONEHEAP_PYTHON: python.library,
      PYTHONIOENCODING: "x",
      PYTHONUNBUFFERED: "1",
    },
  });
  assertStringIncludes(error, "because of PYTHONIOENCODING=x. It says");
});

Deno.test("without --allow-run the variable that Python's message names is named, else all that are set", async () => {
  const flags = ["--allow-ffi", "--allow-env=ONEHEAP_PYTHON"];
  const env = { ONEHEAP_PYTHON: python.library, PYTHONUNBUFFERED: "1" };
  const seed = await load({ flags, env: { ...env, PYTHONHASHSEED: "x" } });
  assertStringIncludes(seed.error, "because of PYTHONHASHSEED=x. It says");
  const encoding = await load({
    flags,
    env: { ...env, PYTHONIOENCODING: "x" },
  });
  assertStringIncludes(encoding.error, "perhaps because of one of ");
  assertStringIncludes(encoding.error, "PYTHONIOENCODING=x");
  assertStringIncludes(encoding.error, "PYTHONUNBUFFERED=1");
});

Deno.test("variables that Python takes are obeyed, and Python is asked no more than without them", () =>
  inFolder(async (folder) => {
    const path = await writePython3(folder);
    const { stdout, stderr } = await run(
      `
      import { python } from "@oneheap/oneheap";
      console.log(python.eval("hash('oneheap')"), python.eval("__import__('sys').flags.optimize"));
      `,
      {
        env: {
          ...NO_PYTHON,
          PATH: folder,
          PYTHONHASHSEED: "7",
          PYTHONOPTIMIZE: "2",
        },
      },
    );
    const { stdout: expected } = await new Deno.Command(python.executable, {
      args: ["-c", "print(hash('oneheap'), 2)"],
      env: { PYTHONHASHSEED: "7" },
    }).output();
    assertEquals(stderr, "");
    const text = new TextDecoder().decode(expected);
    assertEquals(stdout.replace("n ", " "), text);
    assertEquals(await Deno.readTextFile(`${path}.log`), "started\n");
  }));

Deno.test("the doctor lives to tell of a variable that Python refuses", async () => {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-prompt",
      "--quiet",
      "ffi/doctor/doctor.ts",
      "--json",
    ],
    cwd: new URL("../../", import.meta.url),
    env: { ONEHEAP_PYTHON: python.executable, PYTHONHASHSEED: "x" },
    stdin: "null",
    stderr: "null",
  }).output();
  const { problems, settings } = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals(code, 1);
  assertEquals(problems.length, 1);
  assertStringIncludes(problems[0].remedy, "because of PYTHONHASHSEED=x");
  assertEquals(settings.PYTHONHASHSEED, "x");
});

Deno.test("what Python refuses beside its variables is an error without one", async () => {
  const { stdout } = await new Deno.Command("sh", {
    args: [
      "-c",
      'exec "$0" eval "import(\'./mod.ts\').catch((error) => console.log(error.message))" < /',
      Deno.execPath(),
    ],
    cwd: new URL("../../", import.meta.url),
    env: { ONEHEAP_PYTHON: python.executable, PYTHONUNBUFFERED: "1" },
    stderr: "null",
  }).output();
  const message = new TextDecoder().decode(stdout);
  assertStringIncludes(message, "<stdin> is a directory");
  assertEquals(message.includes("PYTHONUNBUFFERED"), false);
});

/** A Python that doesn't start where the shell's condition holds. */
async function writeRefusing(
  folder: string,
  condition: string,
): Promise<string> {
  const path = `${folder}/refusing`;
  const script = `#!/bin/sh
if ${condition}; then echo "Fatal Python error: f: no" >&2; exit 1; fi
`;
  await Deno.writeTextFile(path, script, { mode: 0o755 });
  return path;
}

/** The subjects of the error about such a Python, where these variables are set. */
async function subjectsOf(
  condition: string,
  variables: Record<string, string>,
): Promise<string[]> {
  const subjects: string[] = [];
  await inFolder(async (folder) => {
    const refusal = {
      message: "no",
      variables: new Map(Object.entries(variables)),
    };
    const path = await writeRefusing(folder, condition);
    const error = refusalError(refusal, "libpython", path, []);
    subjects.push(
      ...error.tried.map(({ subject }) => subject.replace(path, "")),
    );
  });
  return subjects;
}

Deno.test("variables that Python refuses only together are named together", async () => {
  // Set in this process alone, and of no Python's.
  const variables = { PYTHON_A: "1", PYTHON_B: "1", PYTHON_C: "1" };
  for (const [name, value] of Object.entries(variables)) {
    Deno.env.set(name, value);
  }
  try {
    const condition = '[ -n "$PYTHON_A" ] && [ -n "$PYTHON_C" ]';
    const subjects = await subjectsOf(condition, variables);
    assertEquals(subjects, ["PYTHON_A=1", "PYTHON_C=1"]);
  } finally {
    for (const name of Object.keys(variables)) Deno.env.delete(name);
  }
});

Deno.test("no variable is blamed where it makes no difference to the start", async () => {
  assertEquals(await subjectsOf("true", { PYTHONHASHSEED: "1" }), [""]);
  assertEquals(await subjectsOf("false", { PYTHONHASHSEED: "1" }), [""]);
});

Deno.test("a refusal is read as the Rust library writes it", () => {
  const { message, variables } = parseRefusal(
    "no\0PYTHONHOME\0/a=b\0PYTHONX\0\0",
  );
  assertEquals(message, "no");
  assertEquals([...variables], [["PYTHONHOME", "/a=b"], ["PYTHONX", ""]]);
});
