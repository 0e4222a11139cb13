/** The page of a heap report, in a real browser. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { HeapData, StackEntry } from "../../ffi/debug/heap_data.ts";
import { pageOf } from "../../ffi/debug/report_page.ts";
import { hasChromium, Page } from "../support/chromium.ts";
import { inFolder } from "../support/process.ts";

const HOSTILE = '<img src=x onerror="globalThis.wasExecuted = true">';

/** A report of a few places. */
function report(changes: Partial<HeapData> = {}): HeapData {
  const amount = (bytes: number, count: number) => ({ bytes, count });
  const frames = [
    { name: "main", file: "/app/main.ts", line: 10 },
    { name: "load", file: "/app/load.ts", line: 20 },
    { name: "parse", file: "/app/load.ts", line: 30 },
    { name: "<module>", file: "/app/cache.py", line: 3 },
    { name: HOSTILE, file: `/app/${HOSTILE}.ts`, line: 1 },
    { name: "(Rust and other native code)", file: "", line: 0 },
  ].map((frame, index) => ({
    ...frame,
    language: index === 3
      ? "python" as const
      : index === 5
      ? "rust" as const
      : "typescript" as const,
  }));
  const stacks: StackEntry[] = [
    {
      frames: [0, 1],
      language: "typescript",
      live: amount(6_000_000, 3),
      peak: amount(9_000_000, 4),
      allocated: amount(20_000_000, 12),
    },
    {
      frames: [0, 1, 2],
      language: "typescript",
      live: amount(2_000_000, 5),
      peak: amount(1_000_000, 2),
      allocated: amount(3_000_000, 9),
    },
    { frames: [0, 3], language: "python", live: amount(4_000_000, 900) },
    { frames: [0, 4], language: "typescript", live: amount(500_000, 1) },
    { frames: [5], language: "rust", live: amount(100_000, 40) },
  ];
  return {
    version: 1,
    createdAt: "2026-01-02T03:04:05.000Z",
    program: "main.ts, Python 3.13.0, Deno 2.9.6",
    totals: [
      {
        language: "typescript",
        live: amount(8_500_000, 9),
        peak: amount(10_000_000, 6),
      },
      { language: "python", live: amount(4_000_000, 900) },
      { language: "rust", live: amount(100_000, 40) },
    ],
    frames,
    stacks,
    timeline: Array.from({ length: 500 }, (_, index) => ({
      milliseconds: index * 20,
      bytes: 1e6 + 9e6 * Math.sin(index / 500 * Math.PI),
      residentBytes: 80e6 + index * 1e4,
    })),
    peak: { milliseconds: 5_000, bytes: 10_000_000 },
    everyBytes: 0,
    notes: ["A note on what isn't in here"],
    ...changes,
  };
}

/** A report of what changed. */
function difference(): HeapData {
  const { stacks, totals, ...rest } = report();
  const changes = [1_000_000, -3_000_000, 2_000_000, 0, 0];
  const changeOf = (bytes: number) => ({ bytes, count: Math.sign(bytes) });
  return {
    ...rest,
    stacks: stacks.map((stack, index) => ({
      ...stack,
      change: changeOf(changes[index]),
    })),
    totals: totals.map((total, index) => ({
      ...total,
      change: changeOf([-2_000_000, 2_000_000, 0][index]),
    })),
  };
}

/** Opens a report in a browser. */
async function withPage(
  data: HeapData,
  use: (page: Page) => Promise<void>,
): Promise<void> {
  await inFolder(async (folder) => {
    const file = `${folder}/heap.html`;
    await Deno.writeTextFile(file, await pageOf(data));
    await using page = await Page.open();
    await page.goto(
      new URL(`file://${encodeURI(file)}`).href,
      "document.documentElement?.dataset.ready",
    );
    await use(page);
    assertEquals(page.problems(), []);
    const others = page.requests().filter((url) =>
      !url.startsWith("file:") && !url.startsWith("about:")
    );
    assertEquals(others, []);
    assertEquals(await page.evaluate("globalThis.wasExecuted ?? null"), null);
  });
}

const TAB = (name: string) =>
  `[...document.querySelectorAll("[role=tab]")].find((it) => it.textContent === "${name}")`;
const BUTTON = (text: string) =>
  `[...document.querySelectorAll("main button")].find((it) => it.textContent.startsWith(${
    JSON.stringify(text)
  }) && it.offsetParent)`;
const PANEL = `document.querySelector("[role=tabpanel]:not([hidden])")`;

/** That the frames of the flame graph have the widths that the library has computed: it draws in steps. */
const IS_DRAWN = `((frames) => frames.length > 0 && frames.every((it) =>
  it.getAttribute("width") > 0 &&
  Math.abs(it.getAttribute("width") - it.querySelector("rect").getAttribute("width")) < 1
))([...document.querySelectorAll("g.frame")])`;

function pageTest(name: string, run: () => Promise<void>): void {
  Deno.test({ name: `heap page: ${name}`, ignore: !hasChromium, fn: run });
}

pageTest(
  "the header has the program, the sums and the notes",
  () =>
    withPage(report(), async (page) => {
      const text = await page.evaluate<string>("document.body.innerText");
      for (
        const part of [
          "main.ts, Python 3.13.0",
          "8.1 MiB",
          "9.5 MiB at the peak",
        ]
      ) assert(text.includes(part), part);
      assert(text.includes("A note on what isn't in here"));
      assert(text.includes("Licences of the libraries"));
      assertMatch(
        await page.evaluate<string>(
          "document.querySelector('.licenses').textContent",
        ),
        /Apache License[\s\S]*/,
      );
    }),
);

pageTest(
  "the views are tabs, by mouse and by keyboard",
  () =>
    withPage(report(), async (page) => {
      const selected = () =>
        page.evaluate(
          `document.querySelector("[role=tab][aria-selected=true]").textContent`,
        );
      assertEquals(await selected(), "Treemap");
      await page.click(TAB("Table"));
      assertEquals(await selected(), "Table");
      await page.press("ArrowLeft");
      assertEquals(await selected(), "Timeline");
      await page.press("ArrowRight");
      await page.press("ArrowRight");
      assertEquals(await selected(), "Treemap");
      assertEquals(
        await page.evaluate("document.activeElement.textContent"),
        "Treemap",
      );
      await page.press("End");
      assertEquals(await selected(), "Table");
      await page.press("Home");
      assertEquals(await selected(), "Treemap");
    }),
);

pageTest(
  "the treemap goes down to files and functions, and up again",
  () =>
    withPage(report(), async (page) => {
      const crumbs = () =>
        page.evaluate<string>("document.querySelector('.path').innerText");
      // By a click on the area itself.
      await page.click(
        `[...document.querySelectorAll("#treemap text")].find((it) => it.textContent.startsWith("TypeScript"))`,
      );
      await page.waitFor(
        `document.querySelector('.path').innerText.includes("TypeScript")`,
      );
      // By the keyboard.
      await page.evaluate(
        `[...document.querySelectorAll(".children button")].find((it) => it.textContent.startsWith("load.ts")).focus()`,
      );
      await page.press("Enter", "\r");
      await page.waitFor(
        `document.querySelector('.path').innerText.includes("load.ts")`,
      );
      assertMatch(await crumbs(), /7\.6 MiB/);
      const texts = await page.evaluate<string>(`${PANEL}.innerText`);
      assert(texts.includes("load.ts:20") && texts.includes("load.ts:30"));
      assertEquals(
        await page.evaluate("document.activeElement.textContent"),
        "load.ts",
      );
      await page.click(BUTTON("all"));
      await page.waitFor(
        `!document.querySelector('.path').innerText.includes("load.ts")`,
      );
    }),
);

pageTest(
  "the flame graph zooms, by mouse and by keyboard, and is reset",
  () =>
    withPage(report(), async (page) => {
      await page.click(TAB("Flame graph"));
      const width = (name: string) =>
        page.evaluate<number>(
          `[...document.querySelectorAll("g.frame")].find((it) => it.getAttribute("aria-label").startsWith("${name}"))?.querySelector("rect").getBoundingClientRect().width ?? 0`,
        );
      await page.waitFor(IS_DRAWN);
      const before = await width("parse");
      assert(before > 10, `${before}`);
      await page.click(
        `[...document.querySelectorAll("g.frame")].find((it) => it.getAttribute("aria-label").startsWith("parse"))`,
      );
      await page.waitFor(IS_DRAWN);
      assert(await width("parse") > 2 * before);
      assertMatch(
        await page.evaluate<string>(
          "document.querySelector('.details').textContent",
        ),
        /parse {2}load\.ts:30: 1\.9 MiB, 15\.9 %/,
      );
      await page.click(BUTTON("Reset zoom"));
      await page.waitFor(IS_DRAWN);
      assertEquals(Math.round(await width("parse")), Math.round(before));
      await page.evaluate(
        `[...document.querySelectorAll("g.frame")].find((it) => it.getAttribute("aria-label").startsWith("load")).focus()`,
      );
      await page.press("Enter", "\r");
      await page.waitFor(IS_DRAWN);
      assert(await width("load") > 2 * before);
    }),
);

pageTest("the timeline zooms", () =>
  withPage(report(), async (page) => {
    await page.click(TAB("Timeline"));
    const labels = () =>
      page.evaluate<string>("document.querySelector('#timeline').textContent");
    const whole = await labels();
    assert(whole.includes("peak"), whole);
    await page.click(BUTTON("Zoom in"));
    await page.click(BUTTON("Zoom in"));
    assertEquals(
      await page.evaluate("document.querySelector('#timeline').dataset.zoom"),
      "37.5 62.5",
    );
    await page.waitFor(
      `document.querySelector('#timeline').textContent !== ${
        JSON.stringify(whole)
      }`,
    );
    await page.click(BUTTON("All"));
    await page.waitFor(
      `document.querySelector('#timeline').textContent === ${
        JSON.stringify(whole)
      }`,
    );
  }));

pageTest(
  "the table is sorted by each column, and its rows show their stacks",
  () =>
    withPage(report(), async (page) => {
      await page.click(TAB("Table"));
      const first = () =>
        page.evaluate<string>("document.querySelector('tbody tr').innerText");
      assertMatch(await first(), /5\.7 MiB/);
      await page.click(BUTTON("live at the peak"));
      assertMatch(await first(), /8\.6 MiB/);
      await page.click(BUTTON("live now"));
      await page.click(BUTTON("live now"));
      assertMatch(await first(), /97\.7 KiB/);
      assertEquals(
        await page.evaluate(
          "document.querySelector('th[aria-sort]').getAttribute('aria-sort')",
        ),
        "ascending",
      );
      await page.click(BUTTON("parse"));
      assertMatch(
        await page.evaluate<string>(
          "document.querySelector('.stack').innerText",
        ),
        /parse — \/app\/load\.ts:30\s+load — \/app\/load\.ts:20\s+main/,
      );
    }),
);

pageTest(
  "the search filters every view, and says how much it found",
  () =>
    withPage(report(), async (page) => {
      await page.evaluate("document.querySelector('#search').focus()");
      await page.type("CACHE.py");
      await page.waitFor("document.querySelector('#matches').textContent");
      assertEquals(
        await page.evaluate("document.querySelector('#matches').textContent"),
        "1 place, 3.8 MiB, 31.7 %",
      );
      await page.click(TAB("Table"));
      assertEquals(
        await page.evaluate("document.querySelectorAll('tbody tr').length"),
        1,
      );
      await page.click(TAB("Flame graph"));
      assert(
        !(await page.evaluate<string>(
          "document.querySelector('#flame').innerHTML",
        )).includes("load.ts"),
      );
    }),
);

pageTest(
  "a difference shows what grew and what shrank, by sign",
  () =>
    withPage(difference(), async (page) => {
      assertEquals(
        await page.evaluate("document.querySelector('#measure').value"),
        "change",
      );
      await page.click(TAB("Table"));
      const rows = await page.evaluate<string>(
        "document.querySelector('tbody').innerText",
      );
      assert(rows.includes("+1.9 MiB") && rows.includes("−2.9 MiB"), rows);
      assertEquals(
        await page.evaluate(
          "[...document.querySelectorAll('tbody tr')].map((row) => row.firstElementChild.className.replace('number', '').trim())",
        ),
        ["grows", "grows", "", "", "shrinks"],
      );
      await page.click(TAB("Treemap"));
      const map = await page.evaluate<string>(`${PANEL}.textContent`);
      assert(map.includes("▲ +1.9 MiB") && map.includes("▼ −1.9 MiB"), map);
      await page.click(TAB("Flame graph"));
      const names = await page.evaluate<string[]>(
        `[...document.querySelectorAll("g.frame")].map((it) => it.getAttribute("aria-label"))`,
      );
      assert(names.includes("▲ Python") && names.includes("▼ TypeScript"));
      await page.click(TAB("Table"));
      await page.evaluate(
        "(() => { const it = document.querySelector('#measure'); it.value = 'live'; it.dispatchEvent(new Event('change')); })()",
      );
      assertMatch(
        await page.evaluate<string>(
          "document.querySelector('tbody tr').innerText",
        ),
        /5\.7 MiB/,
      );
    }),
);

pageTest(
  "it is light or dark as the system is, until the button is used",
  () =>
    withPage(report(), async (page) => {
      const background = () =>
        page.evaluate<string>(
          "getComputedStyle(document.body).backgroundColor",
        );
      const light = await background();
      await page.prefer("dark");
      await page.waitFor("document.documentElement.dataset.theme === 'dark'");
      assert(await background() !== light);
      await page.click("document.querySelector('#theme')");
      assertEquals(await background(), light);
    }),
);

pageTest(
  "at a phone's width nothing is wider than the screen",
  () =>
    withPage(report(), async (page) => {
      await page.resize(360, 740);
      for (const name of ["Treemap", "Flame graph", "Timeline", "Table"]) {
        await page.evaluate(`${TAB(name)}.click()`);
        const [width, view] = await page.evaluate<number[]>(
          "[document.documentElement.scrollWidth, innerWidth]",
        );
        assert(width <= view, `${name}: ${width} > ${view}`);
      }
    }),
);

/** A report of places alone, of 1 MiB each unless told. */
function reportOf(
  places: readonly (readonly [name: string, file: string])[],
  bytes: (index: number) => number = () => 2 ** 20,
): HeapData {
  return report({
    frames: places.map(([name, file], index) => ({
      name,
      file,
      line: index + 1,
      language: "typescript",
    })),
    stacks: places.map((_, index) => ({
      frames: [index],
      language: "typescript",
      live: { bytes: bytes(index), count: 1 },
    })),
  });
}

pageTest(
  "files of the same name are told apart in every view",
  () => {
    const data = reportOf([
      ["load", "/app/one/mod.ts"],
      ["load", "/app/two/mod.ts"],
      ["save", "/app/two/mod.ts"],
    ]);
    // As alike as they can be.
    const frames = data.frames.map((frame) => ({ ...frame, line: 7 }));
    return withPage({ ...data, frames }, async (page) => {
      await page.click(BUTTON("TypeScript"));
      const texts = () => page.evaluate<string>(`${PANEL}.textContent`);
      const map = await texts();
      assert(map.includes("one/mod.ts  1.0 MiB"), map);
      assert(map.includes("two/mod.ts  2.0 MiB"), map);
      await page.click(BUTTON("two/mod.ts"));
      assert((await texts()).includes("save  two/mod.ts:7"));
      await page.click(TAB("Flame graph"));
      const names = await page.evaluate<string[]>(
        `[...document.querySelectorAll("g.frame")].map((it) => it.getAttribute("aria-label")).sort()`,
      );
      assertEquals(names, [
        "TypeScript",
        "all",
        "load  one/mod.ts:7",
        "load  two/mod.ts:7",
        "save  two/mod.ts:7",
      ]);
    });
  },
);

pageTest("what is too small to be seen is found further down", () =>
  withPage(
    reportOf(
      Array.from({ length: 30 }, (_, index) => [`f${index}`, `/a/${index}.ts`]),
      (index) => index < 3 ? 2 ** 30 : 1_024,
    ),
    async (page) => {
      await page.click(BUTTON("TypeScript"));
      await page.click(BUTTON("10 smaller ones"));
      await page.click(BUTTON("29.ts"));
      assert(
        (await page.evaluate<string>(`${PANEL}.textContent`)).includes("f29"),
      );
    },
  ));

pageTest(
  "the flame graph is as wide as the window, and stays zoomed in another theme",
  () =>
    withPage(report(), async (page) => {
      await page.click(TAB("Flame graph"));
      await page.waitFor(IS_DRAWN);
      const widest = () =>
        page.evaluate<number>(
          `Math.max(...[...document.querySelectorAll("g.frame rect")].map((it) => it.getBoundingClientRect().width))`,
        );
      const before = await widest();
      await page.click(
        `[...document.querySelectorAll("g.frame")].find((it) => it.getAttribute("aria-label").startsWith("parse"))`,
      );
      await page.waitFor(IS_DRAWN);
      await page.click("document.querySelector('#theme')");
      await page.resize(700, 900);
      const width = "document.querySelector('#flame').clientWidth";
      await page.waitFor(
        `document.querySelector("#flame svg").getBoundingClientRect().width === ${width}`,
      );
      await page.waitFor(IS_DRAWN);
      assert(await widest() < before);
      const current = await page.evaluate<{ name: string; width: number }>(
        `((it) => ({ name: it.getAttribute("aria-label"), width: it.getBoundingClientRect().width }))(document.querySelector("g.frame[aria-current]"))`,
      );
      assertEquals(current.name, "parse  load.ts:30");
      assert(current.width > 0.9 * await widest());
    }),
);

pageTest(
  "the timeline stays where it is in another theme",
  () =>
    withPage(report(), async (page) => {
      await page.click(TAB("Timeline"));
      await page.click(BUTTON("Zoom in"));
      await page.click("document.querySelector('#theme')");
      assertEquals(
        await page.evaluate("document.querySelector('#timeline').dataset.zoom"),
        "25 75",
      );
      assertEquals(
        await page.evaluate("document.querySelectorAll('#timeline').length"),
        1,
      );
    }),
);

pageTest("showing more rows goes to the first of them", () =>
  withPage(
    reportOf(
      Array.from({ length: 500 }, (_, index) => [`f${index}`, "/a.ts"]),
      (index) => 1_000_000 - index,
    ),
    async (page) => {
      await page.click(TAB("Table"));
      await page.click(BUTTON("Show more (300)"));
      assertEquals(
        await page.evaluate("document.activeElement.textContent"),
        "f200  a.ts:201",
      );
    },
  ));

pageTest("a stack without frames is shown", () =>
  withPage(
    report({
      stacks: [{
        frames: [],
        language: "rust",
        live: { bytes: 2_048, count: 1 },
      }],
    }),
    async (page) => {
      for (const name of ["Treemap", "Flame graph", "Table"]) {
        await page.click(TAB(name));
        assert(
          (await page.evaluate<string>(`${PANEL}.textContent`)).length > 0,
        );
      }
      assertMatch(
        await page.evaluate<string>(
          "document.querySelector('tr td.place').textContent",
        ),
        /unknown/,
      );
    },
  ));

pageTest(
  "labels can be read on their areas in both themes",
  () =>
    withPage(report(), async (page) => {
      await page.click(BUTTON("TypeScript"));
      for (const theme of ["light", "dark"] as const) {
        await page.prefer(theme);
        await page.waitFor(
          `document.documentElement.dataset.theme === "${theme}"`,
        );
        const fills = await page.evaluate<string[]>(
          `[...document.querySelectorAll("#treemap path, #treemap rect")].map((it) => it.getAttribute("fill"))`,
        );
        const areas = fills.filter((it) => /^rgb/.test(it ?? ""));
        assert(areas.length >= 2, `${fills}`);
        const label = await page.evaluate<string>(
          "getComputedStyle(document.documentElement).getPropertyValue('--label').trim()",
        );
        for (const area of areas) {
          const ratio = contrast(label, area);
          assert(ratio >= 4.5, `${theme}: ${label} on ${area}: ${ratio}`);
        }
      }
    }),
);

/** The contrast of two colors: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio */
function contrast(one: string, other: string): number {
  const luminance = (color: string) => {
    const channels = color.startsWith("#")
      ? [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16))
      : color.match(/\d+/g)!.slice(0, 3).map(Number);
    const [red, green, blue] = channels.map((channel) => {
      const part = channel / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) =>
    a - b
  );
  return (light + 0.05) / (dark + 0.05);
}

pageTest("an empty report says so", () =>
  withPage(
    report({ stacks: [], frames: [], timeline: [], peak: undefined }),
    async (page) => {
      for (const name of ["Treemap", "Flame graph", "Timeline", "Table"]) {
        await page.evaluate(`${TAB(name)}.click()`);
        assertEquals(
          await page.evaluate(`${PANEL}.querySelectorAll(".empty").length`),
          1,
        );
      }
    },
  ));

pageTest("100,000 places open in a few seconds", () => {
  const count = 100_000;
  const frames = Array.from({ length: count }, (_, index) => ({
    name: `function${index}`,
    file: `/app/module${index % 500}.ts`,
    line: index % 2_000 + 1,
    language: "typescript" as const,
  }));
  const stacks = frames.map((_, index): StackEntry => ({
    frames: [index % 97, (index * 7) % count, index],
    language: "typescript",
    live: { bytes: 64 + index % 1_000, count: 1 },
  }));
  const start = performance.now();
  return withPage(report({ frames, stacks }), async (page) => {
    for (const name of ["Table", "Flame graph", "Treemap"]) {
      await page.evaluate(`${TAB(name)}.click()`);
    }
    const elapsed = performance.now() - start;
    assert(elapsed < 15_000, `${elapsed} ms`);
  });
});
