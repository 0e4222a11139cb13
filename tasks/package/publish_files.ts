/** What `deno publish` would publish. */

const ROOT = new URL("../../", import.meta.url);

/**
 * The paths of the files, below the checkout's root, as `deno publish --dry-run` lists them; it needs no network. It
 * throws what `deno publish` says if it would refuse. `flags` are passed on to it: `--no-check` leaves out the types.
 */
export function publishedFiles(...flags: string[]): string[] {
  const { success, stderr } = new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty", ...flags],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
  }).outputSync();
  const said = new TextDecoder().decode(stderr);
  if (!success) throw new Error(`deno publish would refuse:\n${said}`);
  return [...said.matchAll(/^ {3}(file:.*) \([\d.]+\w+\)$/gm)]
    .map(([, url]) => decodeURIComponent(url.slice(ROOT.href.length)));
}

if (import.meta.main) console.log(publishedFiles(...Deno.args).join("\n"));
