/** Where the Rust library is. */

import { environment } from "./permissions.ts";
import { PLATFORM } from "./platform.ts";

/** The file that `ONEHEAP_LIBRARY` names, else the checkout's own build, whether or not it is there. */
export function locateLibrary(): string {
  const named = environment("ONEHEAP_LIBRARY");
  if (named !== undefined) return named;
  const url = new URL(
    `../rust/target/release/${PLATFORM.libraryName}`,
    import.meta.url,
  );
  return decodeURIComponent(url.pathname);
}
