/** What a shared library was built for, as its first bytes say: enough to notice that two were mixed up. */

import type { Target } from "../../ffi/loading/target.ts";

/** The targets by the numbers of their machines in ELF, Mach-O and PE files, as these formats' specifications have them. */
const ELF: Record<number, Target> = {
  62: "x86_64-unknown-linux-gnu",
  183: "aarch64-unknown-linux-gnu",
};
const MACH_O: Record<number, Target> = {
  0x0100_0007: "x86_64-apple-darwin",
  0x0100_000c: "aarch64-apple-darwin",
};
const PE: Record<number, Target> = { 0x8664: "x86_64-pc-windows-msvc" };

/** The target that a library was built for; none if it is no library for any. */
export function targetOf(library: Uint8Array): Target | undefined {
  if (library.length < 64) return undefined;
  const { buffer, byteOffset, byteLength } = library;
  const view = new DataView(buffer, byteOffset, byteLength);
  switch (view.getUint32(0, true)) {
    case 0x464c_457f:
      return ELF[view.getUint16(18, true)];
    case 0xfeed_facf:
      return MACH_O[view.getUint32(4, true)];
  }
  const header = view.getUint32(0x3c, true);
  const isPortable = view.getUint16(0, true) === 0x5a4d &&
    header + 6 <= byteLength && view.getUint32(header, true) === 0x4550;
  return isPortable ? PE[view.getUint16(header + 4, true)] : undefined;
}
