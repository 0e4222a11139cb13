/** The version of a Python, as the tasks write it: `3.13.0`, and `3.13.0t` for a free-threaded build. */

const QUESTION =
  "import platform, sys; print(platform.python_version() + sys.abiflags)";

/** What a Python says its version is. `command` may run it somewhere else, in a chroot. */
export function pythonVersion(...command: string[]): string {
  const [program, ...args] = command;
  const { success, stdout, stderr } = new Deno.Command(program, {
    args: [...args, "-I", "-S", "-c", QUESTION],
    stdin: "null",
  }).outputSync();
  const text = new TextDecoder();
  if (!success) throw new Error(`${program}: ${text.decode(stderr)}`);
  return text.decode(stdout).trim();
}
