/** Links of the documentation lead somewhere: to a file of the checkout, and a heading of it. */

import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { type Page, pages } from "../support/documents.ts";

const ROOT = new URL("../../", import.meta.url);

/** The links of a page, without those in code. */
function linksOf({ text }: Page): string[] {
  return text.replaceAll(/^```[^]*?^```$/gm, "").replaceAll(
    /`[^`\n]*`/g,
    "code",
  )
    .matchAll(/\]\(<?([^)\s>]+)>?\)/g).map(([, target]) => target).toArray();
}

/** The fragments that a page has: its headings, as GitHub names them. */
function fragmentsOf(text: string): string[] {
  return text.replaceAll(/^```[^]*?^```$/gm, "").matchAll(/^#+ (.*)$/gm)
    .map(([, heading]) =>
      heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-")
    ).toArray();
}

/** What is wrong with a link; undefined if nothing is. */
function problem(page: Page, link: string): string | undefined {
  if (/^https:\/\//.test(link)) return undefined;
  if (/^\w+:/.test(link)) return "it is neither https nor a file";
  const target = new URL(link, new URL(page.path, ROOT));
  const fragment = decodeURIComponent(target.hash.slice(1));
  target.hash = "";
  let text: string;
  try {
    const { isDirectory } = Deno.statSync(target);
    if (isDirectory) return fragment === "" ? undefined : "it is a folder";
    text = Deno.readTextFileSync(target);
  } catch {
    return `there is no ${fileURLToPath(target)}`;
  }
  if (fragment === "" || fragmentsOf(text).includes(fragment)) return undefined;
  return `there is no heading ${fragment}`;
}

for (const page of pages) {
  Deno.test(`the links of ${page.path} lead somewhere`, () => {
    const wrong = linksOf(page)
      .map((link) => [link, problem(page, link)])
      .filter(([, what]) => what !== undefined);
    assertEquals(wrong, []);
  });
}

Deno.test("every page of docs can be reached from the README", () => {
  const byPath = new Map(pages.map((page) => [page.path, page]));
  const reached = new Set<string>();
  const follow = (path: string) => {
    const page = byPath.get(path);
    if (page === undefined || reached.has(path)) return;
    reached.add(path);
    for (const link of linksOf(page)) {
      const target = new URL(link, new URL(path, ROOT));
      if (target.href.startsWith(ROOT.href)) {
        follow(target.pathname.slice(ROOT.pathname.length));
      }
    }
  };
  follow("README.md");
  const missed = pages.map(({ path }) => path).filter((path) =>
    path.startsWith("docs/") && !reached.has(path)
  );
  assertEquals(missed, []);
});

Deno.test("a test that a page names is in the file that the link leads to", () => {
  const missing = pages.flatMap(({ path, text }) =>
    text.matchAll(/\["([^\]]+)"\]\(([^)]+_test\.ts)\)/g)
      .filter(([, name, link]) => {
        const file = new URL(link, new URL(path, ROOT));
        return !Deno.readTextFileSync(file).includes(`"${name}"`);
      })
      .map(([, name]) => name).toArray()
  );
  assertEquals(missing, []);
});

Deno.test("a link that leads nowhere is noticed", () => {
  const page = { path: "README.md", text: "" };
  for (
    const link of ["missing.md", "README.md#missing", "http://x", "docs#x"]
  ) {
    assert(problem(page, link), link);
  }
  assertEquals(problem(page, "docs"), undefined);
});
