/** The environments that `python.require` has made, as their manifests say. */

import { cacheFolder } from "../loading/cache.ts";

/**
 * A virtual environment that `python.require` has made.
 *
 * @example
 * ```ts
 * import { diagnose, type PackageEnvironment } from "@oneheap/oneheap/doctor";
 *
 * const environments: readonly PackageEnvironment[] = (await diagnose()).environments;
 * for (const { folder, requirements } of environments) console.log(folder, requirements.join());
 * ```
 */
export interface PackageEnvironment {
  /** Its folder in the cache. Deleting it frees the disk; it is made anew when it is required again. */
  readonly folder: string;
  /** What was required. */
  readonly requirements: readonly string[];
  /** The version of the Python that it was made for. */
  readonly python: string;
  /** The packages in it, each with its version. */
  readonly packages: Readonly<Record<string, string>>;
}

/** Those that are whole and may be read, in the order of their names. */
export function packageEnvironments(): PackageEnvironment[] {
  try {
    const root = `${cacheFolder()}/environments`;
    return [...Deno.readDirSync(root)].map(({ name }) => `${root}/${name}`)
      .sort().flatMap(readEnvironment);
  } catch {
    // There is no cache, none was made in it, or it may not be read.
    return [];
  }
}

function readEnvironment(folder: string): PackageEnvironment[] {
  try {
    const manifest = Deno.readTextFileSync(`${folder}/oneheap.json`);
    return [{ folder, ...JSON.parse(manifest) }];
  } catch {
    // It is the lock of one, or not whole.
    return [];
  }
}
