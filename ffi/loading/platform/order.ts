/** The order in which a loader lists its libraries. */

/** The paths with those that are `last` behind the others, each part in its order. */
export function withLast(
  paths: string[],
  last: (path: string) => boolean,
): string[] {
  return [...paths.filter((path) => !last(path)), ...paths.filter(last)];
}
