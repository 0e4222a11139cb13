/** The permissions that the package needs: those that the documentation lists, and no other. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { published, text } from "./publication.ts";
import { Registry } from "./registry.ts";
import { heapUsed, output, User } from "./user.ts";

const WINDOWS = Deno.build.os === "windows";

/** The flags of the documentation's command that grants `--allow-ffi`, as it has to be read on this system. */
function documentedFlags(user: User): string[] {
  const command = text("/docs/reference/permissions-and-cache.md").match(
    /deno run (--allow-ffi[^]*?) \w+\.ts/,
  );
  assert(command, "the page has no command with --allow-ffi");
  const flags = command[1].replaceAll("\\\n", " ").split(/\s+/)
    .map((flag) => flag.replace("$HOME/.cache/oneheap", user.cache));
  if (!WINDOWS) return flags;
  return flags.filter((flag) => flag !== "--allow-sys=uid")
    .map((flag) => flag.replace("=HOME", "=LOCALAPPDATA"));
}

Deno.test("the permissions that the documentation lists are enough, and needed", async () => {
  await using registry = new Registry(published);
  using user = new User(registry.url);
  const flags = documentedFlags(user);
  const run = (flags: string[]) =>
    user.deno(["run", "--no-prompt", ...flags, "heap.ts"]);
  output(await user.deno(["cache", "heap.ts"]));
  // Without --allow-run, Python is looked for by the names of its library.
  const needed = flags.filter((flag) => !flag.startsWith("--allow-run"));
  assertEquals(needed.length, flags.length - 1);
  for (const flag of needed) {
    const { code, stderr } = await run(flags.filter((it) => it !== flag));
    assertEquals(code, 1, `${flag} isn't needed`);
    assertStringIncludes(stderr, "LibraryError: ");
    assertStringIncludes(stderr, flag.replace(/=(HOME|LOCALAPPDATA)$/, ""));
    user.forgetUnpacked();
  }
  heapUsed(await run(flags));
  const later = flags.filter((flag) => !flag.startsWith("--allow-write"));
  heapUsed(await run(later));
});

Deno.test("--allow-ffi can be limited to the cache and libpython", async () => {
  await using registry = new Registry(published);
  using user = new User(registry.url);
  const { library } = JSON.parse(
    output(await user.deno(["run", "-A", "heap.ts"])),
  );
  const flags = documentedFlags(user).map((flag) => {
    return flag === "--allow-ffi" ? `${flag}=${user.cache},${library}` : flag;
  });
  heapUsed(await user.deno(["run", "--no-prompt", ...flags, "heap.ts"]));
});
