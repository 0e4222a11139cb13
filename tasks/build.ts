/** Builds the Rust library and the stress programs. Run by `deno task build`, and by the tasks that need them. */

const RUST = new URL("../rust/", import.meta.url);

/** Build what has changed; say so only where there is something to do. Ends the process where cargo can't. */
export function build(): void {
  if (Deno.env.get("ONEHEAP_LIBRARY")) return;
  cargo("build", "--release", "--quiet", "--package", "oneheap-deno");
}

/** Run cargo in `rust/`, where its configuration is. */
export function cargo(...args: string[]): void {
  let status;
  try {
    const command = new Deno.Command("cargo", {
      args,
      cwd: RUST,
      stdin: "null",
      stdout: "inherit",
      stderr: "inherit",
    });
    status = command.outputSync();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.error(
      "cargo is needed to build the Rust library, and is not on the PATH. Install Rust (rustup).",
    );
    Deno.exit(1);
  }
  if (!status.success) Deno.exit(status.code);
}

if (import.meta.main) build();
