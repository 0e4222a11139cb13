/** What Linux and macOS share. */

/** A path as C functions take it. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text + "\0");
}

/** What `dlerror` says, or at least which file it was. */
export function reason(message: Deno.PointerValue, path: string): string {
  return message === null
    ? `cannot open ${path}`
    : Deno.UnsafePointerView.getCString(message);
}
