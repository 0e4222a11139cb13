/** The treemap: by language, file and function, with a way down and up. */

import { TreemapChart } from "echarts/charts";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { TooltipComponent } from "echarts/components";
import { shownStacks, type State } from "./data.ts";
import { color, element, empty } from "./elements.ts";
import { format, formatChange } from "./format.ts";
import { largestChildren, type Node, placeTree } from "./tree.ts";

use([TreemapChart, SVGRenderer, TooltipComponent]);

/** The names on the way from the top to the node that is shown. */
let path: string[] = [];

/** Show the treemap in a panel. */
export function showTreemap(panel: HTMLElement, state: State): void {
  const root = placeTree(shownStacks(state), state);
  if (root.value === 0) {
    panel.replaceChildren(empty("Nothing of this is in the report."));
    return;
  }
  const trail = [root];
  for (const name of path) {
    const next = trail.at(-1)!.children.get(name);
    if (next === undefined) break;
    trail.push(next);
  }
  path = trail.slice(1).map(({ name }) => name);
  const go = (names: string[]) => {
    path = names;
    showTreemap(panel, state);
  };
  const crumbs = element("div", {
    className: "path",
    attributes: { "aria-label": "Where the treemap is" },
  });
  for (const [depth, { name, change }] of trail.entries()) {
    const isLast = depth === trail.length - 1;
    const button = element("button", { type: "button" }, name);
    if (isLast) button.setAttribute("aria-current", "true");
    button.onclick = () => go(path.slice(0, depth));
    crumbs.append(button);
    if (isLast) crumbs.append(format(change, state.unit));
    else crumbs.append("›");
  }
  const shown = trail.at(-1)!;
  const children = largestChildren(shown, shown.value);
  const chart = element("div", { className: "chart", id: "treemap" });
  const list = element("ul", {
    className: "children",
    attributes: { "aria-label": "What is in it" },
  });
  for (const child of children.slice(0, MAX_LISTED)) {
    const text = `${child.name}  ${format(child.change, state.unit)}`;
    const button = element("button", {
      type: "button",
      disabled: child.children.size === 0,
    }, text);
    button.onclick = () => go([...path, child.name]);
    list.append(element("li", {}, button));
  }
  panel.replaceChildren(crumbs, chart, list);
  draw(chart, children, state, (name) => {
    if (shown.children.get(name)?.children.size) go([...path, name]);
  });
}

/** How many children have buttons of their own. */
const MAX_LISTED = 12;

function draw(
  place: HTMLElement,
  children: readonly Node[],
  state: State,
  open: (name: string) => void,
): void {
  const chart = init(place, undefined, { renderer: "svg" });
  const shades = [0, 0.12, 0.24, 0.36];
  chart.setOption({
    animation: false,
    tooltip: {
      renderMode: "richText",
      confine: true,
      formatter: ({ name, data }: { name: string; data: { change: number } }) =>
        `${name}\n${
          state.measure === "change"
            ? formatChange(data.change, state.unit)
            : format(data.change, state.unit)
        }`,
    },
    series: [{
      type: "treemap",
      roam: false,
      nodeClick: false,
      breadcrumb: { show: false },
      left: 0,
      right: 0,
      top: 0,
      bottom: 0,
      itemStyle: { borderColor: color("background"), borderWidth: 2 },
      label: {
        color: color("label"),
        fontSize: 13,
        lineHeight: 18,
        overflow: "truncate",
        formatter: (
          { name, data }: { name: string; data: { change: number } },
        ) => `${name}\n${format(data.change, state.unit)}`,
      },
      data: children.map(({ name, value, change, language }, index) => ({
        name,
        value,
        change,
        itemStyle: {
          color: colorOf(state, change, language),
          opacity: 1 - shades[index % shades.length],
        },
      })),
    }],
  });
  chart.on("click", (event) => open((event as { name: string }).name));
  new ResizeObserver(() => chart.resize()).observe(place);
}

function colorOf(state: State, change: number, language: string): string {
  if (state.measure !== "change") return color(language);
  return color(change > 0 ? "grows" : "shrinks");
}
