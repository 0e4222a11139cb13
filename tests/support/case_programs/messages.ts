/** What a program of cases prints, as JSON, a line each: what crashes or hangs is named by the case that started last. */

/** A line. */
export type Message =
  | { readonly starts: string }
  | { readonly holds: string; readonly report?: unknown }
  | { readonly fails: string; readonly message: string };

/** Runs a case, and prints what came of it. Returns whether it holds. */
export async function runNamed(
  name: string,
  run: () => unknown,
): Promise<boolean> {
  print({ starts: name });
  try {
    print({ holds: name, report: await run() });
    return true;
  } catch (error) {
    print({ fails: name, message: (error as Error).message });
    return false;
  }
}

function print(message: Message): void {
  console.log(JSON.stringify(message));
}
