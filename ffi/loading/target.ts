/** The targets that oneheap is released for, and the name that the Rust library has on each. */

/** Targets as Rust and `Deno.build.target` name them. */
export const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
] as const;

/** A target that oneheap is released for. */
export type Target = typeof TARGETS[number];

/** The file name of the Rust library that cargo builds; also on targets that oneheap isn't released for. */
export function libraryName(target: string): string {
  if (target.includes("windows")) return "oneheap_deno.dll";
  if (target.includes("darwin")) return "liboneheap_deno.dylib";
  return "liboneheap_deno.so";
}
