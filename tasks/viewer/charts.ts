/** Charts of ECharts in the panels: one in each, as wide as its panel. */

import { type ECharts, init } from "echarts/core";

const disposals = new Map<HTMLElement, () => void>();

/** Make a chart in a place, and dispose of the one that was in the panel. */
export function makeChart(panel: HTMLElement, place: HTMLElement): ECharts {
  disposeChart(panel);
  const chart = init(place, undefined, { renderer: "svg" });
  const observer = new ResizeObserver(() => chart.resize());
  observer.observe(place);
  disposals.set(panel, () => {
    observer.disconnect();
    chart.dispose();
  });
  return chart;
}

/** Dispose of the chart in a panel, if there is one. */
export function disposeChart(panel: HTMLElement): void {
  disposals.get(panel)?.();
  disposals.delete(panel);
}
