/** The cache that the library is unpacked to: what is put there, and what is never opened. */

import { createHash } from "node:crypto";
import { lchownSync } from "node:fs";
import { dirname } from "node:path";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { listed, published } from "./publication.ts";
import { Registry } from "./registry.ts";
import {
  type Circumstances,
  heapUsed,
  type Outcome,
  output,
  User,
} from "./user.ts";

/** Windows has no modes, and Deno tells no owners there. */
const UNIX = Deno.build.os !== "windows";

/** Only the superuser can give files away. */
const SUPERUSER = UNIX && Deno.uid() === 0;

/** A user of the system other than the one that tests. */
const NOBODY = 65534;

/** A user of the package, and a run of a program that uses it. */
interface Setting {
  readonly user: User;
  readonly run: (circumstances?: Circumstances) => Promise<Outcome>;
}

/** A test with a new user. */
function withUser(
  test: (setting: Setting, t: Deno.TestContext) => Promise<void>,
): (t: Deno.TestContext) => Promise<void> {
  return async (t) => {
    await using registry = new Registry(published);
    using user = new User(registry.url);
    const run = (circumstances?: Circumstances) =>
      user.deno(["run", "-A", "heap.ts"], circumstances);
    await test({ user, run }, t);
  };
}

/** The path of the only file in the cache. Fails if it isn't the library, safe and sound. */
function onlyFile(user: User): string {
  const names = user.cached();
  assertEquals(names.length, 1, names.join());
  assertStringIncludes(names[0], listed.sha256);
  const path = `${user.cache}/${names[0]}`;
  const { isFile, mode, uid } = Deno.lstatSync(path);
  assertEquals(isFile, true);
  if (UNIX) assertEquals([mode! & 0o777, uid], [0o600, Deno.uid()]);
  const contents = Deno.readFileSync(path);
  const digest = createHash("sha256").update(contents).digest("hex");
  assertEquals(digest, listed.sha256);
  return path;
}

function assertRefused({ code, stderr }: Outcome, message: string): void {
  assertEquals(code, 1);
  assertStringIncludes(stderr, `LibraryError: ${message}`);
  assertStringIncludes(stderr, "ONEHEAP_CACHE");
}

Deno.test(
  "the library is unpacked once, for its user alone",
  withUser(async ({ user, run }) => {
    heapUsed(await run());
    const { ino, mtime } = Deno.statSync(onlyFile(user));
    if (UNIX) assertEquals(Deno.statSync(user.cache).mode! & 0o777, 0o700);
    heapUsed(await run());
    const later = Deno.statSync(onlyFile(user));
    assertEquals([later.ino, later.mtime], [ino, mtime]);
  }),
);

function changeOneByte(path: string): void {
  const contents = Deno.readFileSync(path);
  contents[contents.length / 2 | 0] ^= 1;
  Deno.writeFileSync(path, contents);
}

/** A link to the right contents: what they are is for whoever can change them there to say. */
function makeLink(path: string): void {
  const elsewhere = `${dirname(dirname(path))}/elsewhere`;
  Deno.renameSync(path, elsewhere);
  Deno.symlinkSync(elsewhere, path);
}

/** Ways to spoil the file in the cache, and where they can be tried. */
const POISONS: [name: string, poison: (path: string) => void, can: boolean][] =
  [
    ["torn", (path) => Deno.truncateSync(path, 100_000), true],
    ["empty", (path) => Deno.truncateSync(path, 0), true],
    ["no library", (path) => Deno.writeTextFileSync(path, "none"), true],
    ["changed by one byte", changeOneByte, true],
    ["a link", makeLink, UNIX],
    ["writable by the group", (path) => Deno.chmodSync(path, 0o620), UNIX],
    ["writable by all", (path) => Deno.chmodSync(path, 0o602), UNIX],
    ["not readable", (path) => Deno.chmodSync(path, 0), UNIX && !SUPERUSER],
    ["another user's", (path) => Deno.chownSync(path, NOBODY, null), SUPERUSER],
  ];

Deno.test(
  "a cached library that is not as it should be is replaced, not opened",
  withUser(async ({ user, run }, t) => {
    heapUsed(await run());
    for (const [name, poison, can] of POISONS) {
      await t.step({
        name,
        ignore: !can,
        fn: async () => {
          poison(onlyFile(user));
          heapUsed(await run());
          onlyFile(user);
        },
      });
    }
  }),
);

Deno.test({
  name: "a cache that others can write to is refused",
  ignore: !UNIX,
  fn: withUser(async ({ user, run }) => {
    heapUsed(await run());
    for (const mode of [0o720, 0o702, 0o1777]) {
      Deno.chmodSync(user.cache, mode);
      assertRefused(await run(), "The cache is not safe");
    }
  }),
});

Deno.test({
  name:
    "a cache of another user's, or behind a link of another user's, is refused",
  ignore: !SUPERUSER,
  fn: withUser(async ({ user, run }) => {
    heapUsed(await run());
    Deno.renameSync(user.cache, `${user.home}/elsewhere`);
    Deno.symlinkSync(`${user.home}/elsewhere`, user.cache);
    heapUsed(await run());
    lchownSync(user.cache, NOBODY, NOBODY);
    assertRefused(await run(), "The cache is not safe");
    Deno.removeSync(user.cache);
    Deno.mkdirSync(user.cache, { mode: 0o700 });
    Deno.chownSync(user.cache, NOBODY, null);
    assertRefused(await run(), "The cache is not safe");
    assertEquals(user.cached(), []);
  }),
});

Deno.test(
  "ten processes that start at once on an empty cache all work",
  withUser(async ({ user, run }) => {
    const runs = Array.from({ length: 10 }, () => run());
    for (const outcome of await Promise.all(runs)) heapUsed(outcome);
    onlyFile(user);
  }),
);

Deno.test(
  "ONEHEAP_CACHE comes before XDG_CACHE_HOME, which comes before the platform's folder",
  withUser(async ({ user, run }) => {
    const env = {
      ONEHEAP_CACHE: `${user.home}/first/cache`,
      XDG_CACHE_HOME: `${user.home}/second`,
    };
    const count = (folder: string) => [...Deno.readDirSync(folder)].length;
    heapUsed(await run({ env }));
    assertEquals(count(env.ONEHEAP_CACHE), 1);
    heapUsed(await run({ env: { ...env, ONEHEAP_CACHE: "" } }));
    assertEquals(count(`${env.XDG_CACHE_HOME}/oneheap`), 1);
    heapUsed(await run({ env: { XDG_CACHE_HOME: "relative" } }));
    assertEquals(user.cached().length, 1);
  }),
);

Deno.test(
  "a cache that is no absolute path, or that no variable tells, is an error",
  withUser(async ({ run }) => {
    assertRefused(
      await run({ env: { ONEHEAP_CACHE: "relative" } }),
      "ONEHEAP_CACHE is relative, which is no absolute path",
    );
    assertRefused(
      await run({ env: { HOME: "", LOCALAPPDATA: "" } }),
      "There is no folder to unpack the library to",
    );
  }),
);

Deno.test({
  name: "a cache that can't be written to says what to set",
  ignore: !UNIX,
  fn: withUser(async ({ user, run }) => {
    Deno.mkdirSync(user.cache, { recursive: true });
    Deno.chmodSync(user.cache, 0o500);
    if (SUPERUSER) giveAway(user.home);
    const outcome = await run(SUPERUSER ? { uid: NOBODY } : {});
    assertRefused(outcome, "The library can't be unpacked to the cache");
    assertEquals(user.cached(), []);
  }),
});

/** The superuser may write everywhere, so somebody else has to try. */
function giveAway(path: string): void {
  lchownSync(path, NOBODY, NOBODY);
  if (!Deno.lstatSync(path).isDirectory) return;
  for (const { name } of Deno.readDirSync(path)) giveAway(`${path}/${name}`);
}

Deno.test({
  name: "a cache that is full says what to set, and keeps nothing",
  ignore: !UNIX,
  fn: withUser(async ({ user, run }) => {
    // Deno's own cache can't be written to either.
    output(await user.deno(["cache", "heap.ts"]));
    // Files end at 64 KiB or 128 KiB, depending on the shell's blocks.
    const script = 'trap "" XFSZ; ulimit -f 128; exec "$@"';
    const within = ["/bin/sh", "-c", script, "sh"];
    const outcome = await run({ within });
    assertRefused(outcome, "The library can't be unpacked to the cache");
    assertEquals(user.cached(), []);
  }),
});

Deno.test(
  "a file where the cache's folder should be says what to set",
  withUser(async ({ user, run }) => {
    const path = `${user.home}/file`;
    Deno.writeTextFileSync(path, "");
    const env = { ONEHEAP_CACHE: path };
    const outcome = await run({ env });
    assertRefused(outcome, "The library can't be unpacked to the cache");
  }),
);
