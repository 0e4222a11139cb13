/** The treemap: by language, file and function, with a way down and up. */

import { TreemapChart } from "echarts/charts";
import { type ECharts, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { TooltipComponent } from "echarts/components";
import { disposeChart, makeChart } from "./charts.ts";
import { color, placeColor, shade } from "./colors.ts";
import { shownStacks, type State } from "./data.ts";
import { element, empty } from "./elements.ts";
import { formatMeasure } from "./format.ts";
import { largestChildren, type Node, placeTree, trailOf } from "./tree.ts";

use([TreemapChart, SVGRenderer, TooltipComponent]);

/** The keys on the way from the top to the node that is shown. */
let path: string[] = [];

/** Show the treemap in a panel. */
export function showTreemap(panel: HTMLElement, state: State): void {
  const root = placeTree(shownStacks(state), state);
  if (root.value === 0) {
    disposeChart(panel);
    panel.replaceChildren(empty("Nothing of this is in the report."));
    return;
  }
  const trail = trailOf(root, path);
  path = trail.slice(1).map(({ key }) => key);
  const go = (keys: string[]) => {
    path = keys;
    showTreemap(panel, state);
    panel.querySelector<HTMLElement>("[aria-current]")!.focus();
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
    if (isLast) crumbs.append(formatMeasure(change, state));
    else crumbs.append("›");
  }
  const shown = trail.at(-1)!;
  const children = largestChildren(shown, shown.value);
  const chart = element("div", { className: "chart", id: "treemap" });
  const list = element("ul", {
    className: "children",
    attributes: { "aria-label": "What is in it" },
  });
  for (const child of children) {
    const text = `${child.name}  ${formatMeasure(child.change, state)}`;
    const button = element("button", {
      type: "button",
      disabled: child.children.size === 0,
    }, text);
    button.onclick = () => go([...path, child.key]);
    list.append(element("li", {}, button));
  }
  panel.replaceChildren(crumbs, chart, list);
  draw(makeChart(panel, chart), children, state, (child) => {
    if (child.children.size > 0) go([...path, child.key]);
  });
}

/** How much neighbors differ. */
const SHADES = [0, 0.12, 0.24, 0.36];

function draw(
  chart: ECharts,
  children: readonly Node[],
  state: State,
  open: (child: Node) => void,
): void {
  chart.setOption({
    animation: false,
    tooltip: {
      renderMode: "richText",
      confine: true,
      formatter: ({ name, data }: { name: string; data: { change: number } }) =>
        `${name}\n${formatMeasure(data.change, state)}`,
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
        ) => `${name}\n${formatMeasure(data.change, state)}`,
      },
      data: children.map((child, index) => ({
        name: child.name,
        value: child.value,
        change: child.change,
        itemStyle: {
          color: shade(
            placeColor(state, child),
            SHADES[index % SHADES.length],
          ),
        },
      })),
    }],
  });
  chart.on(
    "click",
    ({ dataIndex }) => {
      // The first item is the series' own root.
      const child = children[dataIndex - 1];
      if (child !== undefined) open(child);
    },
  );
}
