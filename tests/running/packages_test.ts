/**
 * Packages that a program requires, installed for real: from an index that the test makes, with `pip`, into a cache of the test's own.
 * Nothing here needs a network.
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  environments,
  packageTest,
  withIndex,
} from "../support/package_index.ts";

const DOCTOR = import.meta.resolve("../../ffi/doctor/doctor.ts");

packageTest(
  "what is required is installed once, and imported from then on",
  async () => {
    await withIndex(async ({ cache, start }) => {
      const program = `
      python.require("fruit", "nut");
      console.log(python.import("fruit").version, python.import("nut").kernel);
    `;
      const first = await start(program);
      assertEquals(first.stdout, "2.0 1\n", first.stderr);
      assertStringIncludes(first.stderr, "oneheap: installing fruit, nut in ");
      assertEquals(environments(cache).length, 1);
      // No installer runs, in whatever order they are given.
      const again = await start(
        program.replace('"fruit", "nut"', '"nut", " fruit"'),
        {
          PIP_FIND_LINKS: "/nowhere",
        },
      );
      assertEquals([again.stdout, again.stderr], ["2.0 1\n", ""]);
      assertEquals(environments(cache).length, 1);
    });
  },
);

packageTest(
  "a second call adds to the first, and resolves all of it together",
  async () => {
    await withIndex(async ({ cache, start }) => {
      const { stdout, stderr } = await start(`
      python.require("nut");
      const before = python.eval("len(__import__('sys').path)");
      python.require("salad");
      python.require("nut");
      console.log(python.import("salad").fruit.version, python.import("nut").kernel);
      console.log(python.eval("len(__import__('sys').path)") === before);
      python.run("import json, statistics");
    `);
      assertEquals(stdout, "1.0 1\ntrue\n", stderr);
      assertEquals(environments(cache).length, 2);
    });
  },
);

packageTest(
  "what can't be met is an error with the installer's own words, and leaves nothing",
  async () => {
    await withIndex(async ({ cache, start }) => {
      const { stdout, stderr } = await start(`
      const path = python.eval("list(__import__('sys').path)").toJs();
      for (const wanted of [["fruit>=99"], ["salad", "fruit>=2"]]) {
        const error = failure(...wanted);
        console.log(error.name, error.reason, error.requirements.join(), error.output.length > 0);
        console.log(error.message.split("\\n")[0]);
      }
      console.log(JSON.stringify(path) === JSON.stringify(python.eval("list(__import__('sys').path)").toJs()));
      python.require("fruit==1.0");
      console.log(python.import("fruit").version);
    `);
      const lines = stdout.trimEnd().split("\n");
      assertEquals(
        lines[0],
        "PackageError unsatisfiable fruit>=99 true",
        stderr,
      );
      assertStringIncludes(lines[1], "fruit>=99 can't be installed: ERROR: ");
      assertStringIncludes(lines[2], "unsatisfiable salad,fruit>=2 true");
      assertEquals(lines.slice(-2), ["true", "1.0"]);
      assertEquals(environments(cache).length, 1);
    });
  },
);

packageTest(
  "two processes at once install once, and both have it",
  async () => {
    await withIndex(async ({ cache, start }) => {
      const program =
        'python.require("fruit"); console.log(python.import("fruit").version);';
      const results = await Promise.all([1, 2, 3].map(() => start(program)));
      for (const { stdout, stderr } of results) {
        assertEquals(stdout, "2.0\n", stderr);
      }
      const installed = results.filter(({ stderr }) =>
        stderr.includes("oneheap: installing")
      );
      assertEquals(installed.length, 1);
      assertEquals(environments(cache).length, 1);
    });
  },
);

packageTest("one that a process didn't finish is made anew", async () => {
  await withIndex(async ({ cache, start }) => {
    const program =
      'python.require("fruit"); console.log(python.import("fruit").version);';
    await start(program);
    const [name] = environments(cache);
    await Deno.remove(`${cache}/environments/${name}/oneheap.json`);
    const { stdout, stderr } = await start(program);
    assertEquals(stdout, "2.0\n", stderr);
    assertStringIncludes(stderr, "oneheap: installing");
  });
});

packageTest(
  "a package that is imported already in another version is an error, and stays",
  async () => {
    await withIndex(async ({ start }) => {
      const { stdout, stderr } = await start(`
      python.require("fruit<2");
      console.log(python.import("fruit").version);
      python.require("fruit", "nut");
      const error = failure("fruit>1");
      console.log(error.reason, error.message.includes("fruit"));
      console.log(python.import("nut").kernel, python.import("fruit").version);
    `);
      assertEquals(
        stdout,
        "1.0\nunsatisfiable true\n1 1.0\n",
        stderr,
      );
      const other = await start(`
      python.run(\`
import os, subprocess, sys, tempfile
folder = tempfile.mkdtemp()
subprocess.run([sys.executable, "-m", "venv", folder + "/v"], check=True)
subprocess.run([folder + "/v/bin/python", "-m", "pip", "install", "-q", "fruit==1.0"], check=True)
import glob
sys.path.append(glob.glob(folder + "/v/lib/*/site-packages")[0])
import fruit
\`);
      const error = failure("fruit>=2");
      console.log(error.reason);
      console.log(error.message);
    `);
      const [reason, message] = other.stdout.split("\n");
      assertEquals(reason, "conflict", other.stderr);
      assertStringIncludes(message, "fruit 1.0 is imported already");
      assertStringIncludes(message, "2.0 was required");
    });
  },
);

Deno.test("what is no requirement is a TypeError", async () => {
  await withIndex(async ({ start }) => {
    const { stdout, stderr } = await start(`
      for (const wrong of ["", "-r x", "--index-url=x", "./here", "a\\nb", 1, null, ["numpy"]]) {
        console.log(failure(wrong).constructor.name);
      }
      console.log(failure().constructor.name);
    `);
    assertEquals(stdout, "TypeError\n".repeat(9), stderr);
  });
});

packageTest(
  "a cache that can't be written, or that others can write to, is an error that says so",
  async () => {
    await withIndex(async ({ cache, index, start }) => {
      await Deno.writeTextFile(`${index}/file`, "");
      const unwritable = await start(
        'const error = failure("fruit"); console.log(error.reason, error.message);',
        { ONEHEAP_CACHE: `${index}/file/cache` },
      );
      assertStringIncludes(unwritable.stdout, "permission ", unwritable.stderr);
      assertStringIncludes(unwritable.stdout, "Set ONEHEAP_CACHE");
      await Deno.mkdir(cache);
      await Deno.chmod(cache, 0o777);
      const open = await start(
        'const error = failure("fruit"); console.log(error.reason, error.message);',
      );
      assertStringIncludes(open.stdout, "others may write to it", open.stderr);
    });
  },
);

packageTest("a full disk is an error that says so", async () => {
  await withIndex(async ({ start }) => {
    const folder = await Deno.makeTempDir();
    const mount = await new Deno.Command("mount", {
      args: ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder],
      stdout: "null",
      stderr: "null",
    }).output().catch(() => undefined);
    try {
      // Where nothing may be mounted, a disk can't be filled without harm.
      if (!mount?.success) return;
      await Deno.chmod(folder, 0o700);
      const { stdout, stderr } = await start(
        'const error = failure("fruit"); console.log(error.reason);',
        { ONEHEAP_CACHE: folder },
      );
      assertEquals(stdout, "space\n", stderr);
    } finally {
      if (mount?.success) {
        await new Deno.Command("umount", { args: [folder] }).output();
      }
      await Deno.remove(folder);
    }
  });
});

packageTest("no index that answers is an error that says so", async () => {
  await withIndex(async ({ start }) => {
    const { stdout, stderr } = await start(
      'const error = failure("fruit"); console.log(error.reason);',
      {
        PIP_NO_INDEX: "",
        PIP_FIND_LINKS: "",
        PIP_INDEX_URL: "http://127.0.0.1:9/simple",
        PIP_RETRIES: "1",
      },
    );
    assertEquals(stdout, "offline\n", stderr);
  });
});

packageTest("the doctor lists what is installed", async () => {
  await withIndex(async ({ cache, start }) => {
    const { stderr } = await start('python.require("nut", "fruit<2");');
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", DOCTOR, "--json"],
      env: { ONEHEAP_CACHE: cache },
    }).output();
    const { environments: [found] } = JSON.parse(
      new TextDecoder().decode(stdout),
    );
    assertEquals(found.requirements, ["fruit<2", "nut"], stderr);
    assertEquals(found.packages.fruit, "1.0");
    assertStringIncludes(found.folder, `${cache}/environments/fruit-nut-`);
  });
});
