/** What the tasks need of a Debian system: root, packages, and the mirror that its apt is set to. */

import { JobError, runCommand } from "../lib/job_runner.ts";

/** How long apt may take, in seconds. */
const TIMEOUT = 300;

/** Throw where this is no Debian. */
export function requireDebian(): void {
  if (isFile("/etc/debian_version")) return;
  throw new JobError("this is no Debian system: there is no apt to ask");
}

/** Throw where this process is not root's. */
export function requireRoot(purpose: string): void {
  if (Deno.uid() === 0) return;
  throw new JobError(`only root can ${purpose}`);
}

/** Install those of the packages that are missing. */
export async function installPackages(packages: string[]): Promise<void> {
  const missing = [];
  for (const name of packages) if (!await isInstalled(name)) missing.push(name);
  if (missing.length === 0) return;
  const list = missing.join(" ");
  requireRoot(`install ${list}; install it, or run this as root`);
  console.log(`installing ${list}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await runCommand(["apt-get", "update"], { env, timeout: TIMEOUT });
  await runCommand(
    ["apt-get", "install", "--yes", "--no-install-recommends", ...missing],
    { env, timeout: TIMEOUT },
  );
}

/** The mirror of Debian's main archive that apt is set to. */
export async function debianMirror(): Promise<string> {
  const mirror = await askForMirror();
  if (mirror) return mirror;
  // A new machine's apt has not read the lists yet, which say whose archive it is.
  requireRoot("make apt read its lists, which name the mirror");
  await runCommand(["apt-get", "update"], { timeout: TIMEOUT });
  const now = await askForMirror();
  if (now) return now;
  throw new JobError("apt has no source of Debian's main archive");
}

async function askForMirror(): Promise<string | undefined> {
  const targets = await runCommand([
    "apt-get",
    "indextargets",
    "--format",
    "$(REPO_URI)",
    "Created-By: Packages",
    "Origin: Debian",
    "Label: Debian",
  ], { timeout: TIMEOUT });
  return targets.trim().split("\n")[0] || undefined;
}

async function isInstalled(name: string): Promise<boolean> {
  try {
    const status = await runCommand(
      ["dpkg-query", "--show", "--showformat", "${db:Status-Status}", name],
      { timeout: TIMEOUT },
    );
    return status === "installed";
  } catch (error) {
    if (error instanceof JobError) return false;
    throw error;
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
