/** Packages that are required are installed by `uv` where there is one: the environment with NumPy has it. */

import { assert, assertEquals } from "@std/assert";
import { dirname } from "node:path";
import { python } from "../../mod.ts";
import { numpyTest } from "../support/numpy.ts";
import { environments, withIndex } from "../support/package_index.ts";

numpyTest("uv installs where it is on the PATH", async () => {
  await withIndex(async ({ cache, start }) => {
    const folder = dirname(python.executable);
    const env = { PATH: `${folder}:/usr/bin:/bin` };
    const { stdout, stderr } = await start(
      `
      python.require("salad");
      console.log(python.import("salad").fruit.version);
      const error = failure("fruit>=99");
      console.log(error.reason);
    `,
      env,
    );
    assertEquals(stdout, "1.0\nunsatisfiable\n", stderr);
    const [name] = environments(cache);
    const config = await Deno.readTextFile(
      `${cache}/environments/${name}/pyvenv.cfg`,
    );
    assert(config.includes("uv ="), config);
  });
});
