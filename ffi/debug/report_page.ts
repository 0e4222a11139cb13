/** The page of a heap report: a generated one, with the report's data in it. */

import { LibraryError } from "../errors.ts";
import type { HeapData } from "./heap_data.ts";

/** What stands in the page where the data goes. */
const PLACE = '"__HEAP_DATA__"';

/** Return the page that shows a report. It needs no network, and no other file. */
export async function pageOf(data: HeapData): Promise<string> {
  const { brotliDecompressSync } = await import("node:zlib");
  const page = brotliDecompressSync(Uint8Array.fromBase64(await viewer()));
  // So that nothing in the data ends the script that it is in.
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  return new TextDecoder().decode(page).replace(PLACE, () => json);
}

/** The generated page: brotli, then base64. */
async function viewer(): Promise<string> {
  try {
    return (await import("../prebuilt/viewer.ts")).VIEWER;
  } catch (error) {
    throw new LibraryError(
      "The page of heap reports isn't built. In a checkout, run deno task build:viewer; otherwise this copy of oneheap is incomplete, so " +
        "fetch it again (deno cache --reload).",
      [{ subject: "ffi/prebuilt/viewer.ts", reason: (error as Error).message }],
      error,
    );
  }
}
