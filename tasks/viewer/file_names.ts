/** Short names of files, which tell files of the same name apart. */

/** Return each file with the shortest end of its path that no other file has. */
export function shortNames(files: Iterable<string>): Map<string, string> {
  const names = new Map<string, string>();
  let unnamed = [...new Set(files)].map((file) => ({
    file,
    parts: file.split(/[/\\]/).filter((part) => part !== ""),
  }));
  for (let length = 1; unnamed.length > 0; length++) {
    const byName = Map.groupBy(
      unnamed,
      ({ parts }) => parts.slice(-length).join("/"),
    );
    unnamed = [];
    for (const [name, group] of byName) {
      for (const it of group) {
        if (group.length === 1) names.set(it.file, name);
        // Nothing is left of this path that could make it another.
        else if (it.parts.length <= length) names.set(it.file, it.file);
        else unnamed.push(it);
      }
    }
  }
  return names;
}
