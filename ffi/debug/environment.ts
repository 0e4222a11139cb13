/** What the environment asks for: `ONEHEAP_CALL_SITES` and `ONEHEAP_LEAKS`, for the whole program. */

import { describe } from "../checks.ts";
import { MAX_RECORDED_FRAMES } from "../limits.ts";
import { symbols } from "../loading/native.ts";
import { environment } from "../loading/permissions.ts";
import { recordCallSites } from "./call_sites.ts";
import { describeLeaks, leakCheck, LeakError } from "./leaks.ts";

/** The settings that a program's main thread reads, and its Workers get: their numbers in native code. */
const SETTING = { callSites: 0, leaks: 1 };

/** The frames of each place where leaks are looked for in the whole program. */
const LEAK_FRAMES = 8;

/** What the main thread reads, or a Worker asks for with this. */
const ASK = -1;

/** Do what the environment asks for, on this thread. */
export function applyEnvironment(): void {
  const isMain = Deno.mainModule !== undefined;
  const frames = symbols.oneheap_setting(
    SETTING.callSites,
    isMain ? readFrames() : ASK,
  );
  const leakFrames = symbols.oneheap_setting(
    SETTING.leaks,
    isMain ? readLeaks() : ASK,
  );
  if (frames > 0) recordCallSites({ frames });
  if (leakFrames > 0) reportLeaksAtEnd(leakFrames);
}

/** How many frames `ONEHEAP_CALL_SITES` asks for; 0 for none. */
function readFrames(): number {
  const value = environment("ONEHEAP_CALL_SITES");
  if (value === undefined || value === "0") return 0;
  const frames = Number(value);
  if (Number.isInteger(frames) && frames > 0 && frames <= MAX_RECORDED_FRAMES) {
    return frames;
  }
  console.warn(
    `oneheap: ONEHEAP_CALL_SITES must be a number of frames from 1 to ${MAX_RECORDED_FRAMES}; it is ${
      describe(value)
    }, so no call sites are recorded`,
  );
  return 0;
}

/** How many frames of a leak are shown at the end; 0 where nobody asks for that. */
function readLeaks(): number {
  const value = environment("ONEHEAP_LEAKS");
  if (value === "1") return LEAK_FRAMES;
  if (value !== undefined && value !== "0") {
    console.warn(
      `oneheap: ONEHEAP_LEAKS must be 1 or 0; it is ${
        describe(value)
      }, so leaks are not looked for`,
    );
  }
  return 0;
}

/** Say on standard error, when this thread's program ends, what is left. */
function reportLeaksAtEnd(frames: number): void {
  const check = leakCheck({ frames });
  addEventListener("unload", () => {
    try {
      check[Symbol.dispose]();
    } catch (error) {
      if (!(error instanceof LeakError)) throw error;
      console.error(`oneheap: ${describeLeaks(error.leaks)}`);
    }
  });
}
