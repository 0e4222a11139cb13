/** Workers that import the package, or the checkout, while messages are posted to them. */

import { assertEquals } from "@std/assert";
import { published } from "./publication.ts";
import { Registry } from "./registry.ts";
import { heapUsed, output, User } from "./user.ts";

const CHECKOUT = new URL("../../mod.ts", import.meta.url).href;

/** So often: whether a message is lost depends on how the threads run. */
const ROUNDS = 3;

for (const specifier of ["jsr:@oneheap/oneheap", CHECKOUT]) {
  const name = specifier === CHECKOUT ? "the checkout" : "the package";
  Deno.test(`a Worker loses no message that is posted while it imports ${name}`, async () => {
    await using registry = new Registry(published);
    using user = new User(registry.url);
    user.copyPrograms(specifier);
    heapUsed(await user.deno(["run", "-A", "heap.ts"]));
    const workers = ["./worker.ts", "./importers_worker.ts"];
    for (let round = 0; round < ROUNDS; round++) {
      user.forgetCompiled();
      const outcome = await user.deno(["run", "-A", "messages.ts", ...workers]);
      const received = output(outcome).trim().split("\n");
      assertEquals(received, Array(4).fill("400 of 400"));
    }
  });
}
