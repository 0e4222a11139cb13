/** Measuring in processes of their own. */

/** Run a program so many times, each in a process of its own; return what each prints as JSON. */
export function measureInProcesses<Result>(
  program: string,
  runs: number,
): Result[] {
  return Array.from({ length: runs }, () => {
    const { success, stdout } = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", program],
      stdin: "null",
      stderr: "inherit",
    }).outputSync();
    if (!success) throw new Error(`${program} can't be run`);
    return JSON.parse(new TextDecoder().decode(stdout));
  });
}
