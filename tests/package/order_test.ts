/** Which library is opened: the one that is named, else the checkout's own build, else the packaged one. */

import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { libraryName } from "../../ffi/loading/target.ts";
import { LIST, MODULE, published } from "./publication.ts";
import { Registry } from "./registry.ts";
import { heapUsed, output, User } from "./user.ts";

const CHECKOUT = new URL("../../", import.meta.url);
const BUILT = fileURLToPath(
  new URL(`rust/target/release/${libraryName(Deno.build.target)}`, CHECKOUT),
);

/** No registry: these users have a checkout. */
const NOWHERE = "http://127.0.0.1:9/";

/** Writes the package into a folder of the user's, as a checkout in which nothing was built. */
function checkOut(user: User, without: string[] = []): string {
  const folder = `${user.home.replaceAll("\\", "/")}/checkout`;
  for (const [path, contents] of published.files) {
    if (without.includes(path)) continue;
    Deno.mkdirSync(dirname(folder + path), { recursive: true });
    Deno.writeFileSync(folder + path, contents);
  }
  user.copyPrograms(pathToFileURL(`${folder}/mod.ts`).href);
  return folder;
}

Deno.test("the library that ONEHEAP_LIBRARY names comes before the packaged one", async () => {
  await using registry = new Registry(published);
  using user = new User(registry.url);
  const env = { ONEHEAP_LIBRARY: BUILT };
  heapUsed(await user.deno(["run", "-A", "heap.ts"], { env }));
  assertEquals(user.cached(), []);
});

Deno.test("the checkout's own build comes before the packaged library", async () => {
  using user = new User(NOWHERE);
  user.copyPrograms(new URL("mod.ts", CHECKOUT).href);
  heapUsed(await user.deno(["run", "-A", "heap.ts"]));
  assertEquals(user.cached(), []);
});

Deno.test("a checkout that isn't built uses the packaged library", async () => {
  using user = new User(NOWHERE);
  checkOut(user);
  heapUsed(await user.deno(["run", "-A", "heap.ts"]));
  assertEquals(user.cached().length, 1);
});

Deno.test("a checkout that is neither built nor packaged says how to build", async () => {
  using user = new User(NOWHERE);
  const folder = checkOut(user, [LIST, MODULE]);
  const { code, stderr } = await user.deno(["run", "-A", "heap.ts"]);
  assertEquals(code, 1);
  assertStringIncludes(
    stderr,
    `LibraryError: The Rust library is not at ${folder}/rust/target/release`,
  );
  assertStringIncludes(stderr, "deno task build");
});

Deno.test("Deno's tools work in a checkout without packaged libraries", async () => {
  using user = new User(NOWHERE);
  const folder = checkOut(user, [LIST, MODULE]);
  const config = `--config=${folder}/deno.json`;
  for (const tool of ["lint", "doc", "cache"]) {
    output(await user.deno([tool, config, `${folder}/mod.ts`]));
  }
  // Checks the types, too.
  output(await user.deno(["publish", config, "--dry-run", "--allow-dirty"]));
});
