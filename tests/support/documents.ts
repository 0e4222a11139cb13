/** The pages of the documentation, and the examples in them. */

import { relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../", import.meta.url);

/** A page, as Markdown. */
export interface Page {
  /** Its path below the checkout's root. */
  readonly path: string;
  readonly text: string;
}

/** An example of a page in TypeScript. */
export interface Example {
  /** The name of the file that it is run as: that of its first line, as `// worker.ts`, or one of its number. */
  readonly file: string;
  readonly source: string;
  /** Whether the page names the file. Such an example is run by another one, unless it is `main.ts`. */
  readonly isNamed: boolean;
  /** Whether it needs NumPy. */
  readonly needsNumPy: boolean;
  /** Whether it runs on this system: one with the C library of Linux doesn't elsewhere. */
  readonly isForThisSystem: boolean;
  /** Why it is not run, if the page says so: `<!-- not run: why -->`. */
  readonly notRun: string | undefined;
}

/** All pages: those of the root, of `docs/`, and the READMEs of the Rust packages. */
export const pages: readonly Page[] = [
  ...files(ROOT, false),
  ...files(new URL("docs/", ROOT), true),
  ...["bench/report.md", "rust/oneheap/README.md", "rust/stress/README.md"],
].sort().map((path) => ({
  path,
  text: Deno.readTextFileSync(new URL(path, ROOT)),
}));

/** The paths of the Markdown files of a folder. */
function files(folder: URL, recursive: boolean): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const url = new URL(encodeURIComponent(name), folder);
    if (isDirectory) return recursive ? files(new URL(`${url}/`), true) : [];
    if (!name.endsWith(".md")) return [];
    return [relative(fileURLToPath(ROOT), fileURLToPath(url))];
  });
}

/** The examples of a page, in order. */
export function examplesOf({ text }: Page): Example[] {
  const fences =
    /(?:^<!-- not run: ([^]*?) -->\n+)?^```ts(?: ignore)?\n([^]*?)^```$/gm;
  return text.matchAll(fences).map(([, notRun, source], index) => {
    const name = source.match(/^\/\/ ([\w.]+\.ts)\b/)?.[1];
    return {
      file: name ?? `example_${index + 1}.ts`,
      source,
      isNamed: name !== undefined && name !== "main.ts",
      needsNumPy: /\b(numpy|pandas|matplotlib)\b/.test(source),
      isForThisSystem: Deno.build.os === "linux" || !source.includes("libc.so"),
      notRun,
    };
  }).toArray();
}

/** A call that prints, from its beginning. */
const PRINTS = /^\s*console\.(log|error)\(/;

/**
 * The lines that an example promises to print: what stands after `//` behind `console.log(…)`, or in the lines after it.
 * An ellipsis in a line stands for any characters.
 */
export function promisedOutput(source: string): string[] {
  const promised: string[] = [];
  let isPrinting = false;
  let isPrinted = false;
  for (const line of source.split("\n")) {
    const comment = line.match(/^\s*\/\/ (.*)$/)?.[1];
    if (comment !== undefined) {
      if (isPrinted) promised.push(comment);
      continue;
    }
    isPrinting ||= PRINTS.test(line);
    isPrinted = false;
    const end = isPrinting
      ? line.match(/\);(?:\s*\}?\s*\/\/ (.*)|\s*\}?)$/)
      : null;
    if (end === null) continue;
    isPrinting = false;
    isPrinted = end[1] === undefined;
    if (end[1] !== undefined) promised.push(end[1]);
  }
  return promised;
}

/** Whether what was printed is what was promised. A line that is an ellipsis stands for any lines. */
export function isAsPromised(
  printed: string,
  promised: readonly string[],
): boolean {
  const pattern = promised.map((line) =>
    line === "…"
      ? "(?:.*\n)*"
      : line.split("…").map(RegExp.escape).join(".*") + "\n"
  );
  return new RegExp(`^${pattern.join("")}$`).test(printed);
}
