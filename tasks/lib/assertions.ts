/** Whether `jsr:@std/assert` can be had here, and the flags for Deno where it can't. */

const ROOT = new URL("../../", import.meta.url);

/** The import map that puts the adapter over `node:assert/strict` in its place. */
const OFFLINE_MAP = new URL("tests/support/offline.json", ROOT);

/** The flags that `deno test`, `check` and `doc --test` need here: none, or the adapter's import map, and says so. */
export function assertionFlags(): string[] {
  const probe = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-lock", 'import "jsr:@std/assert@^1";'],
    cwd: ROOT,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  });
  if (probe.outputSync().success) return [];
  console.log(
    "jsr:@std/assert can't be reached here: the tests use the adapter over node:assert in tests/support/assert.ts.",
  );
  return ["--import-map", OFFLINE_MAP.pathname];
}
