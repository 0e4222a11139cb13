/** Source packages of Debian sid, through apt, which checks their signatures. */

import { debianMirror } from "./debian.ts";
import { JobError, runCommand } from "../lib/job_runner.ts";

/** How long apt may take, in seconds. */
const TIMEOUT = 600;

/** Download a source package into the folder, unpack what is upstream's of it, and resolve to where that is. */
export async function fetchSource(
  name: string,
  folder: string,
): Promise<string> {
  const options = await ownLists(folder);
  await run(folder, "apt-get", ...options, "update");
  const versions = await listedVersions(name, options, folder);
  await download(name, versions, options, folder);
  return await unpack(folder);
}

/** Return the options for apt to have its own lists in the folder: the machine's stay as they are, and no root is needed. */
async function ownLists(folder: string): Promise<string[]> {
  await Deno.mkdir(`${folder}/lists/partial`, { recursive: true });
  const sources = `${folder}/sources.list`;
  const mirror = await debianMirror();
  await Deno.writeTextFile(sources, `deb-src ${mirror} sid main\n`);
  return [
    `--option=Dir::Etc::SourceList=${sources}`,
    "--option=Dir::Etc::SourceParts=/dev/null",
    `--option=Dir::State::Lists=${folder}/lists`,
    `--option=Dir::Cache=${folder}`,
    "--option=APT::Sandbox::User=",
  ];
}

/** The versions that the mirror lists, the newest first. */
async function listedVersions(
  name: string,
  options: string[],
  folder: string,
): Promise<string[]> {
  const index = await run(folder, "apt-cache", ...options, "showsrc", name);
  return Array.from(index.matchAll(/^Version: (.*)$/gm), ([, it]) => it)
    .sort((one, other) => other.localeCompare(one, "en", { numeric: true }));
}

/** Download the newest version that the mirror still has: it may list some that are gone. */
async function download(
  name: string,
  versions: string[],
  options: string[],
  folder: string,
): Promise<void> {
  const failures: string[] = [];
  for (const version of versions) {
    const source = [...options, "source", "--download-only"];
    try {
      await run(folder, "apt-get", ...source, `${name}=${version}`);
      return;
    } catch (error) {
      if (!(error instanceof JobError)) throw error;
      failures.push(`${version} ${error.message}`);
    }
  }
  throw new JobError(`no source of ${name} came\n${failures.join("\n")}`);
}

async function unpack(folder: string): Promise<string> {
  const archive = Array.from(Deno.readDirSync(folder), ({ name }) => name)
    .find((name) => /\.orig\.tar\.[a-z0-9]+$/.test(name));
  const source = `${folder}/source`;
  await Deno.mkdir(source);
  const how = ["--strip-components=1", `--directory=${source}`];
  await run(folder, "tar", "--extract", ...how, `--file=${archive}`);
  return source;
}

function run(folder: string, ...command: string[]): Promise<string> {
  return runCommand(command, { cwd: folder, timeout: TIMEOUT });
}
