/** The modules of both halves, and which of them import which. */

/** The files of a half by their paths, each with the paths of the files that it imports. */
export type ModuleGraph = ReadonlyMap<string, readonly string[]>;

/** A place in the order of layers, lowest first: the paths of its files, or of the folders that they are in (with a slash at the end). */
export type Layer = readonly string[];

/** An import that isn't allowed. */
export interface BadImport {
  /** The path of the file that imports. */
  importer: string;
  /** The path of the file that is imported. */
  imported: string;
}

/** Returns the imports that point from a layer to a higher one. A file that is in no layer counts as the highest. */
export function upwardImports(
  graph: ModuleGraph,
  layers: readonly Layer[],
): BadImport[] {
  const upward: BadImport[] = [];
  for (const [importer, imports] of graph) {
    for (const imported of imports) {
      if (layerOf(imported, layers) > layerOf(importer, layers)) {
        upward.push({ importer, imported });
      }
    }
  }
  return upward;
}

/** Returns the index of a file's layer: that of the longest path which names the file or a folder of it. */
export function layerOf(path: string, layers: readonly Layer[]): number {
  let found = layers.length, length = -1;
  for (const [index, layer] of layers.entries()) {
    for (const place of layer) {
      const isIn = place.endsWith("/")
        ? path.startsWith(place)
        : path === place;
      if (isIn && place.length > length) {
        [found, length] = [index, place.length];
      }
    }
  }
  return found;
}

/** Returns the circles of imports, each as one import of it: the one that closes the circle. */
export function circularImports(graph: ModuleGraph): BadImport[] {
  const circular: BadImport[] = [];
  const finished = new Set<string>();
  const visit = (importer: string, path: readonly string[]) => {
    for (const imported of graph.get(importer) ?? []) {
      if (path.includes(imported)) circular.push({ importer, imported });
      else if (!finished.has(imported)) visit(imported, [...path, imported]);
    }
    finished.add(importer);
  };
  for (const file of graph.keys()) {
    if (!finished.has(file)) visit(file, [file]);
  }
  return circular;
}

/** Reads the static imports of TypeScript files, those of types too. What is imported dynamically is left out. */
export function typeScriptGraph(
  sources: ReadonlyMap<string, string>,
): ModuleGraph {
  const graph = new Map<string, string[]>();
  for (const [path, source] of sources) {
    const specifiers = source.matchAll(
      /^(?:import|export)\b(?:[^;"']*?\bfrom)?\s*"(\.[^"]+)"/gm,
    );
    const imports = specifiers.map(([, specifier]) =>
      new URL(specifier, `file:///${path}`).pathname.slice(1)
    );
    graph.set(path, unique(imports).filter((it) => sources.has(it)));
  }
  return graph;
}

/** Reads the paths of a crate's modules in its files, but for those in its tests. `root` is the folder of `lib.rs`, with a slash. */
export function rustGraph(
  sources: ReadonlyMap<string, string>,
  root: string,
): ModuleGraph {
  const graph = new Map<string, string[]>();
  for (const [path, source] of sources) {
    const own = moduleOf(path, root);
    const code = withoutTestsAndComments(source);
    const imports = [...pathsIn(code, own), ...usedChildren(code, own)]
      .map((names) => fileOf(names, sources, root))
      .filter((it) => it !== undefined && it !== path);
    graph.set(path, unique(imports as string[]));
  }
  return graph;
}

/** Returns the names of the modules that lead from the crate to a file. */
function moduleOf(path: string, root: string): string[] {
  const names = path.slice(root.length).replace(/\.rs$/, "").split("/");
  if (["mod", "lib"].includes(names.at(-1)!)) names.pop();
  return names;
}

/** Returns the file of the module that a path of names begins with; undefined for the crate's root, and for a folder that only declares modules. */
function fileOf(
  names: readonly string[],
  sources: ReadonlyMap<string, string>,
  root: string,
): string | undefined {
  for (let count = names.length; count > 0; count--) {
    const stem = root + names.slice(0, count).join("/");
    const file = [`${stem}.rs`, `${stem}/mod.rs`].find((it) => sources.has(it));
    if (file !== undefined) return file;
  }
  return undefined;
}

function withoutTestsAndComments(source: string): string {
  return source.replace(/\/\/.*$/gm, "")
    .replace(/#\[cfg\(test\)\]\s*mod tests(;|\s*\{[\s\S]*$)/, "");
}

/** Returns all paths below `crate` and `super` as names from the crate on, those in braces each. */
function pathsIn(source: string, own: readonly string[]): string[][] {
  const paths: string[][] = [];
  const starts = source.matchAll(/\b(?:crate::|(?:super::)+)/g);
  for (const { 0: start, index } of starts) {
    const levels = start.split("super").length - 1;
    const base = start === "crate::" ? [] : own.slice(0, own.length - levels);
    paths.push(...pathsAt(source, index + start.length, base).paths);
  }
  return paths;
}

/** Returns the modules that a file declares and also uses, as `child::function()`. */
function usedChildren(source: string, own: readonly string[]): string[][] {
  return source.matchAll(/\bmod (\w+);/g).map(([, name]) => name)
    .filter((name) => new RegExp(`(?<![\\w:])${name}::`).test(source))
    .map((name) => [...own, name]).toArray();
}

/** Returns the paths that begin at a position, after `base`, and where they end. */
function pathsAt(
  source: string,
  start: number,
  base: readonly string[],
): { paths: string[][]; end: number } {
  const [name] = source.slice(start).match(/^\s*\w*/)!;
  let end = start + name.length;
  const names = name.trim() === "" ? base : [...base, name.trim()];
  if (name.trim() !== "" && source.startsWith("::", end)) end += 2;
  else if (source[end] !== "{") return { paths: [[...names]], end };
  if (source[end] !== "{") return pathsAt(source, end, names);
  const paths: string[][] = [];
  do {
    const part = pathsAt(source, end + 1, names);
    paths.push(...part.paths);
    end = part.end + source.slice(part.end).search(/[,}]/);
  } while (source[end] === ",");
  return { paths, end: end + 1 };
}

function unique(paths: Iterable<string>): string[] {
  return [...new Set(paths)];
}
