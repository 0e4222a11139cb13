/** Debian's newest Pythons, in a folder of its suite `sid`, and the way into it. Root's, on Debian, only. */

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, makeFolder } from "../lib/cache.ts";
import {
  debianMirror,
  installPackages,
  requireDebian,
  requireRoot,
} from "./debian.ts";
import { JobError, runCommand } from "../lib/job_runner.ts";
import type { TestedPython } from "./suite.ts";
import { pythonVersion } from "./version.ts";

const MINORS = [14, 15];

/** How long debootstrap may take, in seconds. */
const TIMEOUT = 600;

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Runs a command in the folder, where Deno, its cache and the checkout are put at the paths that they have outside.
 * The mounts are the command's own (`unshare`), so they end with it, however it ends.
 */
const ENTER = `
set -e
folder=$1 deno=$2 cache=$3 checkout=$4
shift 4
mkdir -p "$folder$cache" "$folder$checkout" "$(dirname "$folder$deno")"
touch "$folder$deno"
mount --rbind /dev "$folder/dev"
mount --rbind /proc "$folder/proc"
mount --bind "$deno" "$folder$deno"
mount --bind "$cache" "$folder$cache"
mount --bind -o ro "$checkout" "$folder$checkout"
exec chroot "$folder" env --chdir="$checkout" "$@"
`;

/** Written last into a folder that this task made; no other folder is ever removed. */
const MARK = "made-by-oneheap";

/** The folder's Pythons. Makes the folder with debootstrap if it is not there or broken; throws where it can't be. */
export async function sidPythons(): Promise<TestedPython[]> {
  requireDebian();
  requireRoot("make a folder of Debian sid and enter it");
  await requireMounts();
  const folder = Deno.env.get("ONEHEAP_SID") || cacheFolder("sid");
  const enter = wayInto(folder);
  await provide(folder, enter);
  return MINORS.map((minor) => {
    const executable = executableIn(minor);
    const version = pythonVersion(...enter, executable);
    const library = libraryIn(minor);
    return { name: `${version} (sid)`, executable, library, enter };
  });
}

async function requireMounts(): Promise<void> {
  try {
    const command = ["unshare", "--mount", "mount", "--bind", "/dev", "/dev"];
    await runCommand(command, { timeout: 10 });
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    throw new JobError(
      `root may not mount here, CAP_SYS_ADMIN is needed: ${error.message}`,
    );
  }
}

/** What is put before a command so that it runs in the folder. */
function wayInto(folder: string): string[] {
  const deno = Deno.execPath();
  const { stdout } = new Deno.Command(deno, { args: ["info", "--json"] })
    .outputSync();
  const cache: string = JSON.parse(new TextDecoder().decode(stdout)).denoDir;
  Deno.mkdirSync(cache, { recursive: true });
  return [
    ...["unshare", "--mount", "sh", "-c", ENTER, "sh"],
    ...[folder, deno, cache, CHECKOUT],
  ];
}

/** Each has a folder of its own, which can be first on the `PATH`; it is `python3` there. */
function executableIn(minor: number): string {
  return `/opt/python3.${minor}/bin/python3`;
}

/** The loader there finds it by its name. */
function libraryIn(minor: number): string {
  return `libpython3.${minor}.so.1.0`;
}

/** Make the folder if there is none, or a broken one. */
async function provide(folder: string, enter: string[]): Promise<void> {
  if (!isEmpty(folder)) {
    const fault = await faultOf(folder, enter);
    if (fault === undefined) return;
    console.log(`${folder} is broken and made anew: ${fault}`);
    await runCommand(["rm", "-rf", "--one-file-system", folder], {
      timeout: TIMEOUT,
    });
  }
  await makeFolder(folder, bootstrap);
}

/** Return whether there is nothing in a folder, or no folder. */
function isEmpty(folder: string): boolean {
  try {
    return Deno.readDirSync(folder)[Symbol.iterator]().next().done === true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

/** What is wrong with a folder that this task made: a Python that doesn't run there, or has no library. */
async function faultOf(
  folder: string,
  enter: string[],
): Promise<string | undefined> {
  if (!Array.from(Deno.readDirSync(folder)).some(({ name }) => name === MARK)) {
    throw new JobError(
      `${folder} is not this task's: remove it or set ONEHEAP_SID to another`,
    );
  }
  try {
    for (const minor of MINORS) {
      const test = `import ctypes; ctypes.CDLL("${libraryIn(minor)}")`;
      const command = [...enter, executableIn(minor), "-c", test];
      await runCommand(command, { timeout: 60 });
    }
  } catch (error) {
    if (error instanceof JobError) return error.message;
    throw error;
  }
}

async function bootstrap(folder: string): Promise<string> {
  await installPackages(["debootstrap", "debian-archive-keyring"]);
  const mirror = await debianMirror();
  console.log(`making a folder of Debian sid from ${mirror}`);
  const packages = MINORS.flatMap((it) => [`python3.${it}`, `libpython3.${it}`])
    .join(",");
  await runCommand([
    // What debootstrap mounts is gone with it, however it ends.
    ...["unshare", "--mount"],
    ...["debootstrap", "--variant=minbase", `--include=${packages}`],
    ...["sid", folder, mirror],
  ], { timeout: TIMEOUT });
  for (const minor of MINORS) {
    const link = `${folder}${executableIn(minor)}`;
    await Deno.mkdir(dirname(link), { recursive: true });
    await Deno.symlink(`/usr/bin/python3.${minor}`, link);
  }
  await Deno.chmod(folder, 0o755);
  await Deno.writeTextFile(`${folder}/${MARK}`, "");
  return folder;
}
