/** The cache that the library is unpacked to: what is in it, and what is never opened. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { listed, published } from "./publication.ts";
import { Registry } from "./registry.ts";
import { type Circumstances, heapUsed, type Outcome, User } from "./user.ts";

/** Windows has no modes, and no owners that Deno tells. */
const UNIX = Deno.build.os !== "windows";

/** Only the superuser can give files away. */
const ROOT = UNIX && Deno.uid() === 0;

/** The number of the system's user who owns nothing. */
const NOBODY = 65534;

/** Runs `test` with a user who has the package, and what runs the program. */
async function withUser(
  test: (
    user: User,
    run: (circumstances?: Circumstances) => Promise<Outcome>,
  ) => Promise<void>,
): Promise<void> {
  await using registry = new Registry(published);
  using user = new User(registry.url);
  await test(user, (circumstances) => {
    return user.deno(["run", "-A", "heap.ts"], circumstances);
  });
}
