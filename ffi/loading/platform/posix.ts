/** What Linux and macOS share. */

/** What reading C strings takes: no pointer that JavaScript would read through, which Deno allows with an unlimited
 * `ffi` only. */
export const STRING_SYMBOLS = {
  strncpy: {
    parameters: [/* to */ "buffer", /* from */ "usize", /* size */ "usize"],
    result: "usize",
  },
} as const satisfies Deno.ForeignLibraryInterface;

type StringSymbols = Pick<
  Deno.DynamicLibrary<typeof STRING_SYMBOLS>,
  "symbols"
>["symbols"];

/** The longest string that is read, in bytes. */
const MAX_STRING_BYTES = 64 * 1024;

/** A path as C functions take it. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text + "\0");
}

/** The C string at an address; empty at 0. */
export function readString(
  { strncpy }: StringSymbols,
  address: bigint,
): string {
  if (address === 0n) return "";
  const bytes = new Uint8Array(MAX_STRING_BYTES);
  strncpy(bytes, address, BigInt(MAX_STRING_BYTES));
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}
