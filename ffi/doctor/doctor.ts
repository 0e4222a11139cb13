/**
 * Says what oneheap finds on this machine, what is wrong, and what to do about it: for you, and for a bug report.
 *
 * ```sh
 * deno run --allow-all jsr:@oneheap/oneheap/doctor
 * ```
 *
 * With `--memory` it shows in a dozen lines what holds the memory of a running program that imported `@oneheap/oneheap/debug`, the largest
 * first, or what it held when it ended; a process number behind it says of which program.
 *
 * With `--json` it prints the same for tools. The exit status is 1 when the library wouldn't work. It needs the
 * permissions that oneheap needs, and says which of them are missing.
 *
 * @example
 * ```ts
 * import { type Diagnosis, diagnose } from "@oneheap/oneheap/doctor";
 *
 * const diagnosis: Diagnosis = await diagnose();
 * console.log(diagnosis.works, diagnosis.python?.version);
 * ```
 *
 * @module
 */

import { diagnose, type Diagnosis } from "./diagnosis.ts";
import { printMemory } from "./memory.ts";

export type { Attempt } from "../errors.ts";
export type { EmbeddedPython } from "../loading/native.ts";
export type { PackageEnvironment } from "./environments.ts";
export {
  diagnose,
  type Diagnosis,
  type LibraryFile,
  type Permission,
  type Problem,
  type RunningPython,
} from "./diagnosis.ts";

function print(diagnosis: Diagnosis): void {
  const { python, library, problems } = diagnosis;
  title("oneheap");
  row("version", diagnosis.oneheap);
  row("Deno", `${diagnosis.deno} (V8 ${diagnosis.v8}), ${diagnosis.target}`);
  title("Settings");
  for (const [name, value] of Object.entries(diagnosis.settings)) {
    row(name, value ?? "not set");
  }
  title("Permissions");
  for (const { flag, purpose, optional, granted } of diagnosis.permissions) {
    const state = granted
      ? "granted"
      : optional
      ? "not granted (optional)"
      : "MISSING";
    row(flag, `${state}: ${purpose}`);
  }
  title("Where Python was looked for");
  for (const { subject, reason } of diagnosis.search) row(subject, reason);
  if (python !== undefined) {
    title("Python");
    row("version", python.version);
    row("library", python.library);
    row("executable", python.executable);
    row("prefix", python.prefix);
    row("environment", python.virtualEnvironment ?? "no virtual environment");
    row(
      "allocator",
      python.allocator ??
        "unknown (it takes --allow-ffi without limits to ask)",
    );
  }
  if (library !== undefined) {
    title("Rust library");
    row("file", library.path);
    row("origin", library.origin);
    row("SHA-256", library.sha256 ?? "unknown (it takes --allow-read)");
    row("boundary", String(library.abi ?? "unknown (it was not opened)"));
  }
  if (diagnosis.environments.length > 0) {
    title("Packages that python.require installed");
    for (
      const { folder, requirements, python: made } of diagnosis.environments
    ) {
      row(`Python ${made}`, `${requirements.join(", ")}: ${folder}`);
    }
  }
  if (diagnosis.selfTestMilliseconds !== undefined) {
    title("Self-test");
    row(
      "1,000 blocks",
      `passed in ${diagnosis.selfTestMilliseconds.toFixed(1)} ms`,
    );
  }
  title(problems.length === 0 ? "Nothing is wrong" : "What is wrong");
  for (const { what, remedy } of problems) {
    console.log(`  ${what}\n    ${remedy.replaceAll("\n", "\n    ")}`);
  }
}

function title(text: string): void {
  console.log(`\n${text}`);
}

function row(name: string, value: string): void {
  console.log(`  ${name.padEnd(16)} ${value}`);
}

/** JSON has no `undefined`, and would leave such fields out. */
function nullForNone(_key: string, value: unknown): unknown {
  return value === undefined ? null : value;
}

/** The process number behind `--memory`, if there is one. */
function askedProcess(): number | undefined {
  const number = Number(Deno.args[Deno.args.indexOf("--memory") + 1]);
  return Number.isInteger(number) && number > 0 ? number : undefined;
}

if (import.meta.main && Deno.args.includes("--memory")) {
  Deno.exit(await printMemory(askedProcess()));
} else if (import.meta.main) {
  const diagnosis = await diagnose();
  if (Deno.args.includes("--json")) {
    console.log(JSON.stringify(diagnosis, nullForNone, 2));
  } else print(diagnosis);
  Deno.exitCode = diagnosis.works ? 0 : 1;
}
