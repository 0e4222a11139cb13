/**
 * The model test: histories of what JavaScript and Python do with shared memory, in a random order, compared step by step with
 * a plain model of who holds what. See `sharing/history.ts`.
 *
 * A failure tells the history's seed and what was done in it; `ONEHEAP_SEED` and `ONEHEAP_HISTORIES=1` run that one alone. With
 * more `ONEHEAP_HISTORIES` it takes longer: 100,000 take about a minute.
 */

import { assertEquals } from "@std/assert";
import { canCount } from "../support/counting_hook.ts";
import { HAS_GIL } from "../support/build.ts";

/** How many histories there are, unless the environment says otherwise. Python's collector is slow where there is no GIL. */
const HISTORIES = Number(
  Deno.env.get("ONEHEAP_HISTORIES") ?? (HAS_GIL ? 10_000 : 2_000),
);

/** The seed of the first one. */
const FIRST = Number(Deno.env.get("ONEHEAP_SEED") ?? 0);

const PROGRAM = new URL("sharing/program.ts", import.meta.url);

Deno.test({
  name:
    `no order of what JavaScript and Python do loses memory or frees it twice: ${HISTORIES} histories`,
  ignore: !canCount,
  fn: async () => {
    const { code, signal, stdout, stderr } = await new Deno.Command(
      Deno.execPath(),
      {
        args: [
          ...["run", "--allow-all", "--no-check", "--quiet"],
          ...["--v8-flags=--expose-gc", PROGRAM.href],
          ...[String(FIRST), String(HISTORIES)],
        ],
        env: { NO_COLOR: "1" },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      },
    ).output();
    const decoder = new TextDecoder();
    const last = Number(decoder.decode(stdout).trim().split("\n").at(-1));
    assertEquals(
      { code, signal, last, stderr: decoder.decode(stderr) },
      { code: 0, signal: null, last: FIRST + HISTORIES - 1, stderr: "" },
    );
  },
});
