/** The specifiers of the library's entry points, in programs that tests write to files. */

const ROOT = new URL("../../", import.meta.url);

/** The longer ones first: each begins with the last. */
const ENTRY_POINTS = [
  ["@oneheap/oneheap/debug", "ffi/debug/debug.ts"],
  ["@oneheap/oneheap/stubs", "ffi/stubs/stubs.ts"],
  ["@oneheap/oneheap", "mod.ts"],
];

/** A program that imports this checkout's modules where it says the package's. */
export function withCheckoutImports(source: string): string {
  return ENTRY_POINTS.reduce(
    (text, [specifier, path]) =>
      text.replaceAll(specifier, new URL(path, ROOT).href),
    source,
  );
}
