/** The demonstration with NumPy. Run by `deno task test:pythons`, which makes the virtual environment. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { python } from "../../mod.ts";
import { inFolder, runTask } from "../support/process.ts";
import { numpyTest } from "../support/numpy.ts";

numpyTest(
  "the round trip has each array at one address, and comes back with the right numbers",
  async () => {
    const { code, stdout, stderr } = await runTask("demo_numpy.ts");
    assertEquals([code, stderr], [0, ""]);
    for (const what of ["the block", "its square roots"]) {
      const [, ours, theirs] = stdout.match(
        RegExp(`${what} +(0x[0-9a-f]+) +(0x[0-9a-f]+)`),
      )!;
      assertEquals(ours, theirs);
    }
    for (const way of ["in place", "copied as bytes", "element by element"]) {
      assertMatch(stdout, RegExp(`${way}( +\\d+\\.\\d+ ms){3}`));
    }
  },
);

numpyTest(
  "without a network the demonstration says that NumPy can't be installed, and leaves nothing behind",
  () =>
    inFolder(async (folder) => {
      const { code, stderr } = await runTask("demo_numpy.ts", [], {
        XDG_CACHE_HOME: folder,
        PIP_INDEX_URL: "http://127.0.0.1:9/simple",
      });
      assertEquals(code, 1);
      assertStringIncludes(stderr, "NumPy can't be installed from PyPI");
      assertEquals([...Deno.readDirSync(`${folder}/oneheap-tests`)], []);
    }),
);

numpyTest(
  "with a Python that can't make virtual environments the demonstration says so",
  () =>
    inFolder(async (folder) => {
      const path = `${folder}/python3`;
      const script = `#!/bin/sh
for argument; do case "$argument" in
  venv) echo "No module named venv" >&2; exit 1;;
  *implementation*) printf '%s\\n' cpython 3.11 "$0" '${python.library}'; exit;;
  *platform*) echo 3.11.0; exit;;
esac; done
exit 1
`;
      await Deno.writeTextFile(path, script, { mode: 0o755 });
      const { code, stderr } = await runTask("demo_numpy.ts", [], {
        XDG_CACHE_HOME: folder,
        ONEHEAP_PYTHON: path,
      });
      assertEquals(code, 1);
      assertStringIncludes(stderr, `${path} can't make a virtual environment`);
      assertStringIncludes(stderr, "No module named venv");
    }),
);
