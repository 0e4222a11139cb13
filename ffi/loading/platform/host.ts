/** What differs between operating systems: names of files, and the system's own loader of libraries. */

import type { Platform } from "./interface.ts";
import { LINUX } from "./linux.ts";
import { MACOS } from "./macos.ts";
import { WINDOWS } from "./windows.ts";

export type { Loader, Platform } from "./interface.ts";

const PLATFORMS: Partial<Record<typeof Deno.build.os, Platform>> = {
  darwin: MACOS,
  windows: WINDOWS,
};

/** The system that this runs on. What is neither macOS nor Windows is taken for Linux. */
export const PLATFORM: Platform = PLATFORMS[Deno.build.os] ?? LINUX;
