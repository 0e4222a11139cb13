/**
 * Every operation of the public API at every distance from the end of JavaScript's stack: it is done, or it has changed nothing. See
 * `stack_end/case.ts`.
 *
 * A failure names the case and its distance. `ONEHEAP_STACK_STEP=8` tries all distances there are near the end of the stack.
 */

import { assertEquals } from "@std/assert";
import * as api from "../../mod.ts";
import { failuresOf } from "../support/case_programs/processes.ts";
import { nameOf } from "./stack_end/case.ts";
import { GROUPS } from "./stack_end/groups.ts";
import { MODES } from "./stack_end/modes.ts";
import { publicOperations } from "./stack_end/operations.ts";

const PROGRAM = new URL("stack_end/program.ts", import.meta.url);

const CASES = Object.values(GROUPS).flat();

Deno.test("every operation of the public API has a case at the end of the stack, and every case has its operation", () => {
  const operations = publicOperations(api);
  const covered = new Set(CASES.map(({ operation }) => operation));
  const uncovered = operations.filter((it) => !covered.has(it));
  const vanished = [...covered].filter((it) => !operations.includes(it));
  assertEquals({ uncovered, vanished }, { uncovered: [], vanished: [] });
});

Deno.test("the listing of the public API has constructors, static and prototype members, accessors, and functions of objects", () => {
  class Thing {
    static make() {}
    get size() {
      return 0;
    }
    set size(_size: number) {}
    use() {}
    [Symbol.dispose]() {}
  }
  const listed = publicOperations({
    Thing,
    act: (_argument: unknown) => {},
    grab: () => new Thing(),
    count: () => ({ things: 0 }),
    tools: { version: "1", mend() {} },
  });
  const members = ["size", "use", "[Symbol.dispose]"];
  const expected = [
    ...["new Thing", "Thing.make", "set Thing.prototype.size"],
    ...["Thing.prototype.size", "Thing.prototype.use"],
    "Thing.prototype[Symbol.dispose]",
    ...["act", "count", "grab", "tools.mend", "set grab().size"],
    ...members.map((it) => it.startsWith("[") ? `grab()${it}` : `grab().${it}`),
  ];
  assertEquals(listed, expected.sort());
});

Deno.test("no two cases have the same name", () => {
  const names = CASES.map(nameOf);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  assertEquals(twice, []);
});

for (const [group, cases] of Object.entries(GROUPS)) {
  Deno.test(`near the end of the stack, ${group}: each operation is done, or it has changed nothing`, async () => {
    const names = cases.map(nameOf);
    const failures = await Promise.all(
      Object.entries(MODES).map(async ([mode, { v8Flags }]) => {
        const program = {
          url: PROGRAM,
          args: [group, mode],
          v8Flags: ["--allow-natives-syntax", ...v8Flags],
        };
        return (await failuresOf(program, names)).map((it) => `${mode}: ${it}`);
      }),
    );
    assertEquals(failures.flat(), []);
  });
}
