import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { dirname } from "node:path";
import type { Diagnosis } from "../../ffi/doctor/doctor.ts";
import { python } from "../../mod.ts";
import {
  load,
  makeVirtualEnvironment,
  NO_PYTHON,
  ofVersion,
  WITHOUT_LIBRARY,
  writePython3,
} from "../support/installation.ts";
import { inFolder, openedLibrary, run } from "../support/process.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** An executable that can be embedded, at the place where an environment has its own. */
async function writeEnvironment(root: string, prelude = ""): Promise<string> {
  await Deno.mkdir(`${root}/bin`, { recursive: true });
  return await writePython3(`${root}/bin`, prelude);
}

/** Whether a Python of `writePython3` was asked. */
async function wasAsked(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(`${path}.log`)).isFile;
  } catch {
    return false;
  }
}

/** Gives a file to another user, which takes a user who may; or puts a link to another user's in its place. */
async function makeForeign(path: string): Promise<void> {
  if (Deno.uid() === 0) return await Deno.chown(path, 1, null);
  await Deno.remove(path, { recursive: true });
  await Deno.symlink("/usr", path);
}

/** What the doctor finds there. */
async function diagnose(
  cwd: string,
  env: Record<string, string>,
  flags = ["-A"],
): Promise<{ code: number; found: Diagnosis }> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--quiet",
      ...flags,
      `${ROOT}ffi/doctor/doctor.ts`,
      "--json",
    ],
    cwd,
    env: { NO_COLOR: "1", ...NO_PYTHON, ...env },
    stdin: "null",
    stderr: "null",
  }).output();
  return { code, found: JSON.parse(new TextDecoder().decode(stdout)) };
}

Deno.test("a .venv beside the main module is taken, with its packages", () =>
  inFolder(async (folder) => {
    const root = await makeVirtualEnvironment(`${folder}/.venv`);
    const { stdout, stderr } = await run(
      `
      import { python } from "@oneheap/oneheap";
      console.log(python.prefix, python.eval("__import__('marker').value"));
      `,
      { env: { ...NO_PYTHON, PATH: "/nowhere" }, folder },
    );
    assertEquals(stderr, "");
    assertEquals(stdout, `${root} 42\n`);
  }));

Deno.test("a .venv is looked for from the main module's folder up to the first .git, then from the current folder", () =>
  inFolder(async (folder) => {
    const above = `${folder}/.venv`;
    const project = `${folder}/project/.venv`;
    const current = `${folder}/current/.venv`;
    for (const root of [above, project, current]) {
      await makeVirtualEnvironment(root);
    }
    const source = `${folder}/project/source/deep`;
    await Deno.mkdir(source, { recursive: true });
    const prefix = async () => {
      const { python, error } = await load({
        env: { PATH: "/nowhere" },
        folder: source,
        cwd: dirname(current),
      });
      assertEquals(error, "");
      return python?.prefix;
    };
    assertEquals(await prefix(), project);
    await Deno.writeTextFile(`${folder}/project/source/.git`, "gitdir: x");
    assertEquals(await prefix(), current);
    await Deno.remove(`${folder}/project/source/.git`);
    await Deno.remove(project, { recursive: true });
    assertEquals(await prefix(), above);
  }));

Deno.test("a .venv is looked for up to the home folder, and not above it", () =>
  inFolder(async (folder) => {
    const home = `${folder}/home`;
    const source = `${home}/source`;
    await Deno.mkdir(source, { recursive: true });
    await makeVirtualEnvironment(`${folder}/.venv`);
    await writePython3(folder);
    const options = {
      env: { PATH: folder, HOME: home, DENO_DIR: `${folder}/deno` },
      folder: source,
      cwd: source,
    };
    assertEquals((await load(options)).python?.prefix, python.prefix);
    await makeVirtualEnvironment(`${home}/.venv`);
    assertEquals((await load(options)).python?.prefix, `${home}/.venv`);
  }));

Deno.test("a Worker that imports the library first looks from its own main module's folder", () =>
  inFolder(async (folder) => {
    const root = await makeVirtualEnvironment(`${folder}/.venv`);
    await Deno.writeTextFile(
      `${folder}/worker.ts`,
      `import { python } from "${ROOT}mod.ts"; postMessage(python.prefix); close();`,
    );
    const { stdout, stderr } = await run(
      `
      const worker = new Worker(${
        JSON.stringify(`file://${encodeURI(folder)}/worker.ts`)
      }, { type: "module" });
      worker.onmessage = ({ data }) => console.log(data);
      `,
      { env: { ...NO_PYTHON, PATH: "/nowhere" } },
    );
    assertEquals(stderr, "");
    assertEquals(stdout, `${root}\n`);
  }));

Deno.test("the library is imported although the current folder has been removed", () =>
  inFolder(async (folder) => {
    await Deno.symlink(python.executable, `${folder}/python3`);
    const { stdout, stderr } = await run(
      `
      const folder = Deno.makeTempDirSync();
      Deno.chdir(folder);
      Deno.removeSync(folder);
      const { python } = await import("@oneheap/oneheap");
      console.log(python.version);
      `,
      {
        // Deno runs no command then.
        flags: ["-A", "--deny-run"],
        env: { ...NO_PYTHON, PATH: folder },
      },
    );
    assertEquals(stderr, "");
    assertEquals(stdout, `${python.version}\n`);
  }));

Deno.test("VIRTUAL_ENV goes before a .venv, that before CONDA_PREFIX, and that before the PATH", () =>
  inFolder(async (folder) => {
    const active = `${folder}/active`;
    const conda = `${folder}/conda`;
    const pythons = [
      await writeEnvironment(active),
      await writeEnvironment(`${folder}/.venv`),
      await writeEnvironment(conda),
      await writePython3(folder),
    ];
    const env = { VIRTUAL_ENV: active, CONDA_PREFIX: conda, PATH: folder };
    const removals = [
      () => Promise.resolve(void (env.VIRTUAL_ENV = "")),
      () => Deno.remove(`${folder}/.venv`, { recursive: true }),
      () => Promise.resolve(void (env.CONDA_PREFIX = "")),
    ];
    for (const [index, path] of pythons.entries()) {
      assertEquals((await load({ env, folder })).error, "");
      assertEquals(await wasAsked(path), true, path);
      for (const later of pythons.slice(index + 1)) {
        assertEquals(await wasAsked(later), false, later);
      }
      await removals[index]?.();
    }
  }));

/** Environments that can't be used, with the reason. */
const UNUSABLE: [
  what: string,
  make: (root: string) => Promise<unknown>,
  reason: string,
][] = [
  ["is not there", () => Promise.resolve(), "bin/python3: there is none"],
  [
    "is of Python 3.10",
    (root) => writeEnvironment(root, ofVersion(3, 10)),
    "bin/python3: it is Python 3.10; 3.11 or later is needed",
  ],
  [
    "is of a Python without a shared library",
    (root) => writeEnvironment(root, WITHOUT_LIBRARY),
    "has no shared library; install the package",
  ],
  [
    "was made from a Python that is gone",
    async (root) => {
      await makeVirtualEnvironment(root);
      await Deno.remove(`${root}/bin/python3`);
      await Deno.symlink("/nowhere/python3", `${root}/bin/python3`);
    },
    "bin/python3: the Python that it links to is gone",
  ],
];

for (const [what, make, reason] of UNUSABLE) {
  for (const variable of ["VIRTUAL_ENV", "CONDA_PREFIX"]) {
    Deno.test(`a ${variable} that ${what} is reported in one warning, with what was taken instead`, () =>
      inFolder(async (folder) => {
        const root = `${folder}/environment`;
        await make(root);
        await writePython3(folder);
        const env = { [variable]: root, PATH: folder };
        const loading = await load({ env });
        assertEquals(loading.python?.prefix, python.prefix);
        const warning = loading.error;
        assertStringIncludes(warning, `oneheap: ${variable} (${root}) can't`);
        assertStringIncludes(warning, reason);
        assertStringIncludes(
          warning,
          `Taken instead: Python ${python.version} (${python.executable})`,
        );
        assertStringIncludes(warning, `or unset ${variable}`);
        assertEquals(warning.trim().split("\n").length, 1);
        const { code, found } = await diagnose(folder, env);
        assertEquals(code, 1);
        assertEquals(found.problems.length, 1);
        assertStringIncludes(found.problems[0].what, reason);
        assertStringIncludes(found.problems[0].remedy, `unset ${variable}`);
        assertStringIncludes(found.search.at(-1)!.reason, "taken");
      }));
  }
}

Deno.test("a .venv that can't be used is reported in one warning, and the next is taken", () =>
  inFolder(async (folder) => {
    await writePython3(folder);
    const root = `${folder}/.venv`;
    const made: [make: () => Promise<unknown>, reason: string][] = [
      [() => writeEnvironment(root, ofVersion(3, 10)), "it is Python 3.10"],
      [() => Deno.mkdir(root), "bin/python3: there is none"],
      [() => Deno.writeTextFile(root, "name"), "it is no folder"],
      [() => Deno.symlink("/nowhere", root), "it is a link to nothing"],
    ];
    for (const [make, reason] of made) {
      await make();
      const { python: loaded, error } = await load({
        env: { PATH: folder },
        folder,
        cwd: folder,
      });
      assertEquals(loaded?.prefix, python.prefix);
      assertStringIncludes(error, `oneheap: ${root} can't be used: `);
      assertStringIncludes(error, reason);
      assertEquals(error.trim().split("\n").length, 1);
      const { code, found } = await diagnose(folder, { PATH: folder });
      assertEquals(code, 1);
      assertStringIncludes(found.problems[0].what, reason);
      await Deno.remove(root, { recursive: true });
    }
  }));

Deno.test("where nothing else is found the error lists each environment with its reason", () =>
  inFolder(async (folder) => {
    const active = await writeEnvironment(
      `${folder}/active`,
      ofVersion(3, 10),
    );
    const { error } = await load({
      env: {
        VIRTUAL_ENV: `${folder}/active`,
        CONDA_PREFIX: "/nowhere",
        PATH: "",
      },
    });
    assertStringIncludes(error, `${active}: it is Python 3.10`);
    assertStringIncludes(error, "/nowhere/bin/python3: there is none");
    assertStringIncludes(error, "python3: there is none");
  }));

Deno.test("one thread of the process warns, however many import the library", () =>
  inFolder(async (folder) => {
    await writePython3(folder);
    const { stdout, stderr } = await run(
      `
      const code = \`
        import { python } from "@oneheap/oneheap";
        postMessage(python.version);
        setInterval(() => {}, 1_000);
      \`;
      const url = "data:text/javascript," + encodeURIComponent(code);
      const inWorker = () => new Promise((resolve) => {
        new Worker(url, { type: "module" }).onmessage = ({ data }) => resolve(data);
      });
      const versions = await Promise.all([inWorker(), inWorker(), inWorker()]);
      versions.push(await inWorker(), (await import("@oneheap/oneheap")).python.version);
      console.log(versions.length);
      Deno.exit();
      `,
      { env: { ...NO_PYTHON, VIRTUAL_ENV: "/nowhere", PATH: folder } },
    );
    assertEquals(stdout, "5\n");
    assertEquals(stderr.match(/oneheap: /g)?.length, 1, stderr);
  }));

Deno.test("a .venv that belongs to another user, or in a folder or with a Python that does, is not run, and said", () =>
  inFolder(async (folder) => {
    await writePython3(folder);
    const project = `${folder}/project`;
    const root = `${project}/.venv`;
    const foreign = [root, `${root}/bin`, `${root}/bin/python3`];
    if (Deno.uid() === 0) foreign.push(project, `${root}/pyvenv.cfg`);
    for (const path of foreign) {
      const own = await writeEnvironment(root);
      await Deno.writeTextFile(`${root}/pyvenv.cfg`, "");
      await makeForeign(path);
      const { python: loaded, error } = await load({
        env: { PATH: folder },
        cwd: project,
      });
      assertEquals(loaded?.version, python.version);
      assertMatch(error, /belongs to another user/, path);
      assertStringIncludes(error, `oneheap: ${root} can't be used`);
      assertStringIncludes(error, `Set ONEHEAP_PYTHON to ${root}/bin/python3`);
      assertEquals(await wasAsked(own), false, path);
      const { code, found } = await diagnose(project, { PATH: folder });
      assertEquals(code, 1);
      assertStringIncludes(found.problems[0].what, "another user");
      await Deno.remove(project, { recursive: true });
    }
  }));

Deno.test("a .venv that links to a folder of another user's is not run", () =>
  inFolder(async (folder) => {
    await writePython3(folder);
    await Deno.mkdir(`${folder}/theirs`);
    const own = await writeEnvironment(`${folder}/theirs/environment`);
    await makeForeign(`${folder}/theirs`);
    const project = `${folder}/project`;
    await Deno.mkdir(project);
    await Deno.symlink("../theirs/environment", `${project}/.venv`);
    const { error } = await load({ env: { PATH: folder }, cwd: project });
    assertStringIncludes(error, `oneheap: ${project}/.venv can't be used`);
    assertEquals(await wasAsked(own), false);
  }));

Deno.test("a .venv is not looked for above a folder of another user's", {
  ignore: Deno.uid() !== 0,
}, () =>
  inFolder(async (folder) => {
    const above = await writeEnvironment(`${folder}/.venv`);
    const theirs = `${folder}/theirs`;
    await Deno.mkdir(`${theirs}/mine`, { recursive: true });
    await makeForeign(theirs);
    const path = await writePython3(theirs);
    const { error } = await load({
      env: { PATH: theirs },
      cwd: `${theirs}/mine`,
    });
    assertEquals(error, "");
    assertEquals(await wasAsked(path), true);
    assertEquals(await wasAsked(above), false);
  }));

Deno.test("without --allow-read or --allow-sys=uid a .venv is passed over, and the doctor says so", () =>
  inFolder(async (folder) => {
    await writePython3(folder);
    const own = await writeEnvironment(`${folder}/.venv`);
    const cases = [
      [
        ["--allow-ffi", "--allow-run", "--allow-env", `--allow-read=${ROOT}`],
        `it may not be looked for (--allow-read=${folder})`,
      ],
      [
        ["--allow-ffi", "--allow-run", "--allow-env", "--allow-read"],
        "it may not be asked whose it is (--allow-sys=uid)",
      ],
    ] as const;
    for (const [flags, reason] of cases) {
      const options = { env: { PATH: folder }, cwd: folder };
      const loading = await load({ ...options, flags: [...flags] });
      assertEquals(loading.error, "");
      assertEquals(loading.python?.version, python.version);
      assertEquals(await wasAsked(own), false);
      const { code, found } = await diagnose(folder, options.env, [...flags]);
      assertEquals(code, 0);
      const note = found.search.find((it) => it.subject === `${folder}/.venv`);
      assertEquals(note?.reason, reason);
    }
  }));

Deno.test("a VIRTUAL_ENV that gives way to a libpython that is in the process already is reported", () =>
  inFolder(async (folder) => {
    await writeEnvironment(`${folder}/active`);
    const copy = `${folder}/${python.library.split("/").at(-1)}`;
    await Deno.copyFile(python.library, copy);
    const { stdout, stderr } = await run(
      `
      Deno.dlopen(${JSON.stringify(copy)}, {});
      const { python } = await import("@oneheap/oneheap");
      console.log(python.library);
      `,
      { env: { ...NO_PYTHON, VIRTUAL_ENV: `${folder}/active` } },
    );
    assertEquals(stdout, `${copy}\n`);
    assertStringIncludes(stderr, "oneheap: VIRTUAL_ENV");
    assertStringIncludes(stderr, `${copy} is in this process already`);
  }));

/** Runs a program whose Worker imports the library after it, and tells what that read of the environment. */
async function readByWorker(
  options: Parameters<typeof run>[1],
): Promise<string> {
  const code = `
    const read = [];
    const { get } = Deno.env;
    Deno.env.get = (name) => (read.push(name), get.call(Deno.env, name));
    const { python } = await import("@oneheap/oneheap");
    // Deno's own, when anything of Node's is imported.
    const own = read.filter((name) => name !== "NODE_OPTIONS");
    postMessage([python.eval("6 * 7"), ...own].join());
    close();
  `;
  const { stdout, stderr } = await run(
    `
    import "@oneheap/oneheap";
    const code = ${JSON.stringify(code)};
    const worker = new Worker("data:text/javascript," + encodeURIComponent(code), { type: "module" });
    worker.onmessage = ({ data }) => console.log(data);
    `,
    options,
  );
  assertEquals(stderr, "");
  return stdout;
}

Deno.test("where Python runs already, a Worker's import reads no environment", async () => {
  const library = openedLibrary("/liboneheap_deno.so");
  const env = { ...NO_PYTHON, ONEHEAP_PYTHON: python.library };
  const flags = [
    `--allow-ffi=${library},${python.library}`,
    "--allow-env",
    `--allow-read=${ROOT}`,
  ];
  assertEquals(await readByWorker({ env, flags }), "42\n");
});

Deno.test("that holds for another library than the checkout's, too", () =>
  inFolder(async (folder) => {
    const ONEHEAP_LIBRARY = `${folder}/library.so`;
    await Deno.copyFile(openedLibrary("/liboneheap_deno.so"), ONEHEAP_LIBRARY);
    assertEquals(await readByWorker({ env: { ONEHEAP_LIBRARY } }), "42\n");
  }));
