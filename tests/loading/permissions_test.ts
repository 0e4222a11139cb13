import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dirname } from "node:path";
import { python } from "../../mod.ts";
import { load, writePython3 } from "../support/installation.ts";
import { inFolder, openedLibrary, run } from "../support/process.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const LIBRARY = openedLibrary("liboneheap_deno.so");

/** The two libraries, as Deno is told of them. */
const LIBRARIES = `--allow-ffi=${LIBRARY},${python.library}`;

/** Fails unless the flags are enough to embed the Python of this process. */
async function assertLoads(
  flags: string[],
  env: Record<string, string>,
): Promise<void> {
  const loading = await load({ flags, env });
  assertEquals(loading.error, "");
  assertEquals(loading.python?.version, python.version);
  assertEquals(
    await Deno.realPath(loading.python!.library),
    await Deno.realPath(python.library),
  );
}

/** Fails unless the flags are too few, and the error has all the parts. */
async function assertFails(
  flags: string[],
  env: Record<string, string>,
  parts: string[],
): Promise<void> {
  const { error } = await load({ flags, env });
  assertStringIncludes(error, "LibraryError");
  for (const part of parts) assertStringIncludes(error, part);
}

Deno.test("--allow-ffi and --allow-run=python3 are enough", () =>
  inFolder(async (folder) => {
    await writePython3(folder);
    const env = { PATH: folder };
    await assertLoads(["--allow-ffi", "--allow-run=python3"], env);
    await assertLoads([LIBRARIES, "--allow-run=python3"], env);
  }));

Deno.test("--allow-ffi for the two libraries and ONEHEAP_PYTHON are enough", async () => {
  const flags = [LIBRARIES, "--allow-env=ONEHEAP_PYTHON"];
  await assertLoads(flags, { ONEHEAP_PYTHON: python.library, PATH: "" });
});

Deno.test("with --allow-ffi for the two libraries everything works, in Workers too", async () => {
  const source = `
    import { alloc, Arena, attach, PyObjectRef, python, PythonScope, raw, realloc } from "@oneheap/oneheap";
    using block = alloc(Float64Array, [1, 2, 3], { align: 64 });
    block.view[0] += block.address % 64 + (block.pointer === null ? 1 : 0);
    realloc(block, 1_000).view[999] = 4;
    using arena = new Arena();
    arena.alloc(Int32Array, 4)[0] = 5;
    {
      using _attached = attach();
      raw.free(raw.realloc(raw.malloc(16), 32));
    }
    using scope = new PythonScope();
    python.run("numbers = bytearray(block)", { scope, names: { block } });
    using numbers = python.borrow("numbers", Uint8Array, { scope });
    using shown = new PyObjectRef(block.toPython({ readonly: true }));
    using borrowed = python.borrow(scope.get("numbers").pointer);
    const lengths = [numbers.view.length, borrowed.view.length, await python.evalAsync("len(memoryview(shown))", { names: { shown } })];
    const { buffer } = block.view;
    const copy = new Float64Array(structuredClone(buffer, { transfer: [buffer] }));
    const outcome = [copy[0], copy[2], copy[999], block.freed, ...lengths].join();
  `;
  const { stdout, stderr } = await run(
    `
    ${source}
    console.log(outcome);
    const code = ${JSON.stringify(`${source} postMessage(outcome); close();`)};
    const worker = new Worker("data:text/javascript," + encodeURIComponent(code), { type: "module" });
    worker.onmessage = ({ data }) => console.log(data);
    `,
    {
      flags: [LIBRARIES, "--allow-env=ONEHEAP_PYTHON", `--allow-read=${ROOT}`],
      env: { ONEHEAP_PYTHON: python.library },
    },
  );
  assertEquals(stderr, "");
  const outcome = "1,3,4,true,8000,8000,1000\n";
  assertEquals(stdout, outcome + outcome);
});

Deno.test("without --allow-ffi for both libraries the error names the permission and the flag", async () => {
  const env = { ONEHEAP_PYTHON: python.executable, PATH: "" };
  const flags = [
    "--allow-env=ONEHEAP_PYTHON",
    `--allow-run=${python.executable}`,
  ];
  const other = `--allow-ffi=${python.library},${LIBRARY}`;
  const missing = (file: string) =>
    `The permission "ffi" is missing for ${file}`;
  await Promise.all([
    assertFails(flags, env, [missing(python.library), other]),
    assertFails([...flags, `--allow-ffi=${LIBRARY}`], env, [
      missing(python.library),
      other,
    ]),
    assertFails([...flags, `--allow-ffi=${python.library}`], env, [
      missing(LIBRARY),
      LIBRARIES,
    ]),
  ]);
});

Deno.test("without any permission the error names each flag that would allow more", async () => {
  await assertFails([], {}, [
    "python3: it may not be asked (--allow-run=python3)",
    "its file may not be looked at (--allow-env=PATH --allow-read)",
    "(--allow-ffi)",
    "ONEHEAP_PYTHON: it may not be read (--allow-env=ONEHEAP_PYTHON)",
    "VIRTUAL_ENV: it may not be read (--allow-env=VIRTUAL_ENV)",
  ]);
});

Deno.test("without --allow-run the files around python3 tell where its library is", () =>
  inFolder(async (folder) => {
    await Deno.symlink(python.executable, `${folder}/python3`);
    const env = { PATH: folder };
    const flags = ["--allow-ffi", "--allow-env=PATH", "--allow-read"];
    await assertLoads(flags, env);
    await assertLoads([LIBRARIES, ...flags.slice(1)], env);
  }));

Deno.test("without --allow-run a virtual environment's configuration tells where the library is", () =>
  inFolder(async (folder) => {
    const root = `${folder}/environment`;
    const { success } = await new Deno.Command(python.executable, {
      args: ["-m", "venv", "--without-pip", "--copies", root],
    }).output();
    assert(success);
    const loading = await load({
      flags: ["--allow-ffi", "--allow-env", "--allow-read"],
      env: { VIRTUAL_ENV: root, PATH: "" },
    });
    assertEquals(loading.error, "");
    assertEquals(loading.python?.prefix, root);
    assertEquals(loading.python?.version, python.version);
  }));

Deno.test(
  "without --allow-run and --allow-read the newest library that the system knows is taken",
  {
    ignore: /t\.so/.test(python.library),
  },
  () =>
    inFolder(async (folder) => {
      // The system's loader looks there first. There may be a newer one elsewhere.
      const [name, minor] =
        python.library.match(/libpython3\.(\d+)\.so\.1\.0$/) ??
          [];
      await Deno.symlink(python.library, `${folder}/${name}`);
      const { python: loaded, error } = await load({
        flags: ["--allow-ffi"],
        env: { LD_LIBRARY_PATH: folder },
      });
      assertEquals(error, "");
      assert(Number(loaded!.version.split(".")[1]) >= Number(minor));
    }),
);

Deno.test("without --allow-run an executable that ONEHEAP_PYTHON names needs --allow-read", () =>
  inFolder(async (folder) => {
    const ONEHEAP_PYTHON = await Deno.realPath(python.executable);
    const flags = ["--allow-ffi", "--allow-env=ONEHEAP_PYTHON"];
    const env = { ONEHEAP_PYTHON, PATH: "" };
    await assertFails(flags, env, [
      `it may not be asked (--allow-run=${ONEHEAP_PYTHON})`,
      `its file may not be looked at (--allow-read=${ONEHEAP_PYTHON})`,
    ]);
    const root = dirname(dirname(ONEHEAP_PYTHON));
    await assertFails([...flags, `--allow-read=${ONEHEAP_PYTHON}`], env, [
      `may not be looked for (--allow-read=${root})`,
    ]);
    const { error, python: loaded } = await load({
      flags: [...flags, `--allow-read=${root}`],
      env,
    });
    assertEquals(error, "");
    assertEquals(loaded?.version, python.version);
    const script = await writePython3(folder);
    await assertFails([...flags, "--allow-read"], { ONEHEAP_PYTHON: script }, [
      "its name tells no version",
    ]);
  }));

Deno.test("where Deno refuses the command for a variable as LD_LIBRARY_PATH, the files tell", () =>
  inFolder(async (folder) => {
    await Deno.symlink(python.executable, `${folder}/python3`);
    const env = { LD_LIBRARY_PATH: "/nowhere", PATH: folder };
    const flags = ["--allow-ffi", "--allow-env", "--allow-run=python3"];
    await assertLoads([...flags, "--allow-read"], env);
    await assertFails([LIBRARIES, ...flags.slice(1)], env, [
      "python3: it may not be asked (--allow-run), and",
    ]);
  }));

Deno.test("optional permissions are never prompted for", () =>
  inFolder(async (folder) => {
    const script = `${folder}/script.ts`;
    await Deno.writeTextFile(
      script,
      `import "${ROOT}mod.ts"; console.log("loaded");`,
    );
    await writePython3(folder);
    // Python gives Deno a terminal, where it would prompt, and hangs up at the first prompt.
    const terminal = `
import os, pty, sys
def read(terminal):
    output = os.read(terminal, 1024)
    if b'[y/n' in output:
        os.write(1, output)
        os._exit(1)
    return output
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:], read)))
`;
    for (
      const flags of [["--allow-ffi"], ["--allow-ffi", "--allow-run=python3"]]
    ) {
      const { stdout } = await new Deno.Command(python.executable, {
        args: [
          "-c",
          terminal,
          Deno.execPath(),
          "run",
          "--no-check",
          ...flags,
          script,
        ],
        env: {
          NO_COLOR: "1",
          ONEHEAP_PYTHON: "",
          VIRTUAL_ENV: "",
          PATH: folder,
        },
        stdin: "null",
      }).output();
      const output = new TextDecoder().decode(stdout);
      assertEquals(output.includes("requests"), false, output);
      assert(/loaded|LibraryError/.test(output), output);
    }
  }));
