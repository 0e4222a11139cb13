/** The chart of the report: times as bars on a logarithmic scale, with the numbers at their ends. */

import { CALLS, PAIRS, SMALL_ARRAYS } from "../counts.ts";
import { formatTime } from "./numbers.ts";
import { type Bench, median, type Results } from "./results.ts";

/** Bars that are compared with each other. */
interface Comparison {
  readonly title: string;
  /** The benchmarks' group. */
  readonly group: string;
  /** What an iteration's time is divided by, for the time of one. */
  readonly count: number;
  /** Which of an iteration's times; see there. */
  readonly of: (run: Results, bench: Bench) => number;
  /** The benchmarks' names, and what the chart calls them. */
  readonly bars: readonly (readonly [name: string, label: string])[];
}

const average = (run: Results, bench: Bench) => run.time(bench);
const fastest = (run: Results, bench: Bench) => run.fastest(bench);

const TYPED_BLOCK = [
  ["new Float64Array", "new Float64Array"],
  ["new Float64Array, transfer(0)", "… freed by transfer(0)"],
  ["block", "oneheap block"],
  ["block, zeroed: false", "oneheap block, zeroed: false"],
] as const;

const COMPARISONS: readonly Comparison[] = [
  {
    title: "malloc and free of 64 B",
    group: "address pair, 64 B",
    count: PAIRS,
    of: fastest,
    bars: [
      ["libc", "libc"],
      ["libpython, pointers", "libpython, attached"],
      ["raw, attached", "oneheap raw, attached"],
      ["raw", "oneheap raw"],
    ],
  },
  {
    title: "8 doubles, one of many",
    group: "small arrays, 8 doubles",
    count: SMALL_ARRAYS,
    of: average,
    bars: [
      ["new Float64Array", "new Float64Array"],
      ["arena", "oneheap arena"],
    ],
  },
  {
    title: "64 KiB, first element written",
    group: "64 KiB, first element written",
    count: 1,
    of: average,
    bars: TYPED_BLOCK,
  },
  {
    title: "64 KiB, every element written",
    group: "64 KiB, every element written",
    count: 1,
    of: average,
    bars: TYPED_BLOCK,
  },
  {
    title: "16 MiB, first element written",
    group: "16 MiB, first element written",
    count: 1,
    of: average,
    bars: TYPED_BLOCK,
  },
  {
    title: "16 MiB, every element written",
    group: "16 MiB, every element written",
    count: 1,
    of: average,
    bars: TYPED_BLOCK,
  },
  {
    title: "growth to 16 MiB by 64 KiB, each step written",
    group: "growth to 16 MiB",
    count: 1,
    of: average,
    bars: [
      ["copying into larger typed arrays", "copying"],
      ["resizable ArrayBuffer", "resizable ArrayBuffer"],
      ["realloc", "oneheap realloc"],
    ],
  },
  {
    title: "a million doubles to Python",
    group: "a million doubles to Python",
    count: 1,
    of: average,
    bars: [
      ["element by element", "element by element"],
      ["copied as bytes", "copied as bytes"],
      ["in place", "oneheap block"],
    ],
  },
  {
    title: "a million doubles to TypeScript",
    group: "a million doubles to TypeScript",
    count: 1,
    of: average,
    bars: [
      ["element by element", "element by element"],
      ["copied as bytes", "copied as bytes"],
      ["in place", "oneheap python.borrow"],
    ],
  },
  {
    title: "the expression 1+1",
    group: "expression 1+1",
    count: CALLS,
    of: fastest,
    bars: [
      ["within Python", "eval of code, within Python"],
      ["python.eval", "oneheap python.eval"],
    ],
  },
  {
    title: "call of a Python function that returns None",
    group: "call of a function that returns None",
    count: CALLS,
    of: fastest,
    bars: [
      ["within Python", "within Python"],
      ["call, attached", "oneheap call, attached"],
      ["call", "oneheap call"],
    ],
  },
];

const WIDTH = 860;
const MARGIN = 24;
/** Where the bars begin. */
const BARS_X = 236;
/** How wide a decade is. */
const DECADE = 56;
const HEADER = 92;
const TITLE_HEIGHT = 26;
const BAR_PITCH = 18;
const BAR_HEIGHT = 13;
const GAP = 10;

/** The scale begins at one nanosecond. */
const DECADES = [
  "1 ns",
  "10 ns",
  "100 ns",
  "1 µs",
  "10 µs",
  "100 µs",
  "1 ms",
  "10 ms",
  "100 ms",
  "1 s",
];

const STYLE = `
  text { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
  .card { fill: #ffffff; stroke: #d1d9e0; }
  .heading { font-size: 16px; font-weight: 600; }
  .title { font-weight: 600; }
  .muted { fill: #59636e; }
  .grid { stroke: #d1d9e0; }
  .oneheap { fill: #0969da; }
  .other { fill: #9aa4af; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .card { fill: #0d1117; stroke: #3d444d; }
    .muted { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .oneheap { fill: #4493f8; }
    .other { fill: #656c76; }
  }
`;

/** The chart as SVG. `caption` says where and when it was measured. */
export function chart(runs: readonly Results[], caption: string): string {
  const parts: string[] = [];
  let y = HEADER;
  for (const { title, group, count, of, bars } of COMPARISONS) {
    parts.push(text(MARGIN, y + 16, title, "title"));
    y += TITLE_HEIGHT;
    for (const [name, label] of bars) {
      const times = runs.map((run) => of(run, [group, name]) / count);
      parts.push(bar(y, label, median(times)));
      y += BAR_PITCH;
    }
    y += GAP;
  }
  const height = y + MARGIN - GAP;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Times of oneheap beside the other ways">`,
    `<style>${STYLE}</style>`,
    `<rect class="card" x="0.5" y="0.5" width="${WIDTH - 1}" height="${
      height - 1
    }" rx="8"/>`,
    text(
      MARGIN,
      34,
      "Time for one, on a logarithmic scale; shorter is better",
      "heading",
    ),
    text(MARGIN, 54, caption, "muted"),
    ...grid(height),
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

function grid(height: number): string[] {
  return DECADES.flatMap((label, decade) => {
    const x = BARS_X + decade * DECADE;
    return [
      `<line class="grid" x1="${x}" y1="${HEADER - 6}" x2="${x}" y2="${
        height - MARGIN
      }"/>`,
      text(x, HEADER - 12, label, "muted", "middle"),
    ];
  });
}

function bar(y: number, label: string, time: number): string {
  const width = Math.max(1, Math.log10(time) * DECADE);
  const middle = y + BAR_HEIGHT - 2.5;
  const isOurs = label.startsWith("oneheap");
  return [
    text(BARS_X - 8, middle, label, "", "end"),
    `<rect class="${
      isOurs ? "oneheap" : "other"
    }" x="${BARS_X}" y="${y}" width="${
      width.toFixed(1)
    }" height="${BAR_HEIGHT}" rx="2"/>`,
    text(BARS_X + width + 6, middle, formatTime(time)),
  ].join("");
}

function text(
  x: number,
  y: number,
  content: string,
  className = "",
  anchor = "start",
): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text class="${className}" x="${x.toFixed(1)}" y="${
    y.toFixed(1)
  }" text-anchor="${anchor}">${escaped}</text>`;
}
