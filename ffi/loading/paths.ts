/** Paths of files, where the environment and Deno's permissions let them be seen. */

import { granted } from "./permissions.ts";

/** The path of a `file:` URL; none of another. */
export function pathOf(url: string | URL): string | undefined {
  const { protocol, pathname } = new URL(url);
  if (protocol !== "file:") return undefined;
  return decodeURIComponent(pathname).replace(/^\/([A-Za-z]:)/, "$1");
}

/** What is at a path, links followed; none if nothing is seen there. */
export function look(path: string): Deno.FileInfo | undefined {
  return inspect(path, Deno.statSync);
}

/** What is at a path, a link itself not followed; none if nothing is seen there. */
export function lookAtLink(path: string): Deno.FileInfo | undefined {
  return inspect(path, Deno.lstatSync);
}

/** Return whether a path is seen to be a file. */
export function isFile(path: string): boolean {
  return look(path)?.isFile === true;
}

function inspect(
  path: string,
  stat: (path: string) => Deno.FileInfo,
): Deno.FileInfo | undefined {
  if (!granted({ name: "read", path })) return undefined;
  try {
    return stat(path);
  } catch {
    return undefined;
  }
}
