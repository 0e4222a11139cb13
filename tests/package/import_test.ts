/** The package as it is published, and the ways by which users get at it. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import {
  LIST,
  listed,
  MODULE,
  published,
  publishedFiles,
  text,
  withFile,
} from "./publication.ts";
import { Registry } from "./registry.ts";
import { heapUsed, output, User } from "./user.ts";

const PACKAGE = "jsr:@oneheap/oneheap";

Deno.test("deno publish accepts the package, and takes its libraries along", () => {
  const files = publishedFiles();
  for (const path of [LIST, MODULE, "/mod.ts", "/deno.json", "/README.md"]) {
    assert(files.includes(path.slice(1)), `${path} is not published`);
  }
});

Deno.test("the package has what its users need, and nothing else", () => {
  for (const path of published.files.keys()) {
    assert(
      /^\/(ffi\/|docs\/|bench\/report\.|[\w.]+$)/.test(path),
      `${path} is published`,
    );
    assert(!path.startsWith("/docs/contributor/"), `${path} is published`);
  }
});

Deno.test("the library takes at most 400 KiB of the package, compressed", () => {
  const [, base64] = text(MODULE).match(/"([\w+/=]+)"/)!;
  assertGreater(base64.length, 1_000);
  assertLess(Uint8Array.fromBase64(base64).length, 400 * 1024);
});

Deno.test("a user imports the package by its name, with nothing to build", async () => {
  await using registry = new Registry(published);
  using user = new User(registry.url);
  heapUsed(await user.deno(["run", "-A", "heap.ts"]));
  assert(registry.requests.some((path) => path.endsWith(MODULE)));
});

Deno.test("after deno cache, the package needs no network", async () => {
  await using registry = new Registry(published);
  using user = new User(registry.url);
  output(await user.deno(["cache", "heap.ts"]));
  registry.requests.length = 0;
  heapUsed(await user.deno(["run", "-A", "--cached-only", "heap.ts"]));
  assertEquals(registry.requests, []);
});

Deno.test("the package works under a lock file that is frozen", async () => {
  await using registry = new Registry(published);
  using user = new User(registry.url);
  user.write("deno.json", "{}");
  const run = ["run", "-A", "--frozen", "heap.ts"];
  assertStringIncludes(
    (await user.deno(run)).stderr,
    "lockfile is out of date",
  );
  output(await user.deno(["cache", "heap.ts"]));
  heapUsed(await user.deno(run));
});

Deno.test("the package works from a vendor folder, once Deno's cache is gone", async () => {
  await using registry = new Registry(published);
  using user = new User(registry.url);
  user.write("deno.json", JSON.stringify({ vendor: true }));
  output(await user.deno(["cache", "heap.ts"]));
  user.forgetDownloaded();
  registry.requests.length = 0;
  heapUsed(await user.deno(["run", "-A", "--cached-only", "heap.ts"]));
  assertEquals(registry.requests, []);
});

Deno.test("deno compile embeds the library", async () => {
  await using registry = new Registry(published);
  using user = new User(registry.url);
  const compile = ["compile", "-A", "--output=program", "heap.ts"];
  // Deno fetches what programs are made from. Where it can't, Deno itself serves as that: it embeds, and doesn't run.
  const { code } = await user.deno(compile);
  if (code !== 0) {
    console.log(
      "the compiled program is only looked into: Deno's runtime for it can't be fetched here",
    );
    const env = { DENORT_BIN: Deno.execPath() };
    output(await user.deno(compile, { env }));
  }
  const suffix = Deno.build.os === "windows" ? ".exe" : "";
  const program = `${user.project}/program${suffix}`;
  const contents = new TextDecoder("latin1").decode(Deno.readFileSync(program));
  assert(contents.includes(text(MODULE)), "it lacks the library's module");
  assert(contents.includes(listed.sha256), "it lacks the library's hash");
  if (code === 0) heapUsed(await user.run([program]));
});

Deno.test("a user's program is checked against the package's types", async () => {
  await using registry = new Registry(published);
  using user = new User(registry.url);
  user.write(
    "wrong.ts",
    `import { alloc } from "jsr:@oneheap/oneheap";
    const view: Float64Array<ArrayBuffer> = alloc(Float64Array, 1).view;
    const element: string = view[0];
    alloc(Float64Array, 1).view = view;
    alloc(Array, 1);`,
  );
  const check = ["check", "heap.ts", "messages.ts", "wrong.ts"];
  const { code, stderr } = await user.deno(check);
  assertEquals(code, 1);
  assertEquals(stderr.match(/TS\d+/g), ["TS2322", "TS2540", "TS2345"]);
  assertEquals(
    stderr.match(/(?<=project\/)\w+.ts/g),
    Array(3).fill("wrong.ts"),
  );
});

Deno.test("the doctor can be run by its name", async () => {
  await using registry = new Registry(published);
  using user = new User(registry.url);
  const doctor = "jsr:@oneheap/oneheap/doctor";
  const { works, library } = JSON.parse(
    output(await user.deno(["run", "-A", doctor, "--json"])),
  );
  assertEquals([works, library.origin], [true, "package"]);
  assertEquals(library.sha256, listed.sha256);
});

Deno.test("declarations are made by the package's name, and a user's program is checked against them", async () => {
  await using registry = new Registry(published);
  using user = new User(registry.url);
  const stubs = ["statistics", "-o", "python.d.ts", "--module", PACKAGE];
  output(await user.deno(["run", "-A", `${PACKAGE}/stubs`, ...stubs]));
  user.write(
    "typed.ts",
    `import { kw, python } from "${PACKAGE}";
    import type {} from "./python.d.ts";
    const statistics = python.import("statistics");
    statistics.quantiles([1, 2, 3], kw({ n: 2 }));
    statistics.quantiles([1, 2, 3], kw({ parts: 2 }));
    statistics.middle([1]);`,
  );
  const { code, stderr } = await user.deno(["check", "typed.ts"]);
  assertEquals(code, 1);
  assertEquals(stderr.match(/(?<=TS)\d+/g), ["2353", "2339"], stderr);
});

Deno.test("a user sees the heap: the package has the page of heap reports, and its licences", async () => {
  await using registry = new Registry(published);
  using user = new User(registry.url);
  const seen = output(await user.deno(["run", "-A", "report.ts"]));
  assertEquals(JSON.parse(seen), ["load", 5_000_000, true]);
  assertStringIncludes(
    text("/ffi/prebuilt/viewer-licenses.txt"),
    "Apache License",
  );
});

for (const path of ["/mod.ts", LIST, MODULE]) {
  Deno.test(`a registry that tampers with ${path} is found out`, async () => {
    await using registry = new Registry(published);
    using user = new User(registry.url);
    registry.tampered.set(path, text(path).replace("1", "2"));
    const { code, stderr } = await user.deno(["run", "-A", "heap.ts"]);
    assertNotEquals(code, 0);
    assertStringIncludes(stderr, "Integrity check failed");
    assertEquals(user.cached(), []);
  });
}

Deno.test("a module that doesn't have the listed library is a LibraryError", async () => {
  const other = text(LIST).replace(listed.sha256, "0".repeat(64));
  await using registry = new Registry(withFile(LIST, other));
  using user = new User(registry.url);
  const { code, stderr } = await user.deno(["run", "-A", "heap.ts"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "LibraryError: This copy of oneheap is damaged");
  assertEquals(user.cached(), []);
});

Deno.test("a packaged library of another boundary is a LibraryError", async () => {
  const other = text(LIST).replace(`"abi": ${listed.abi}`, '"abi": 999');
  await using registry = new Registry(withFile(LIST, other));
  using user = new User(registry.url);
  const { code, stderr } = await user.deno(["run", "-A", "heap.ts"]);
  assertEquals(code, 1);
  assertStringIncludes(
    stderr,
    "LibraryError: The packaged library speaks boundary 999",
  );
  assertEquals(user.cached(), []);
});

Deno.test("a package without a library for this target says so, and how to build it", async () => {
  const other = text(LIST).replace(
    Deno.build.target,
    "riscv64gc-unknown-linux-gnu",
  );
  await using registry = new Registry(withFile(LIST, other));
  using user = new User(registry.url);
  const { code, stderr } = await user.deno(["run", "-A", "heap.ts"]);
  assertEquals(code, 1);
  assertStringIncludes(
    stderr,
    `LibraryError: This release of oneheap has no library for ${Deno.build.target}, only`,
  );
  assertStringIncludes(stderr, "deno task build");
});
