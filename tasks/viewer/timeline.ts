/** The timeline: what was alive, and how much of the process was in memory. */

import { LineChart } from "echarts/charts";
import {
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  MarkPointComponent,
  TooltipComponent,
} from "echarts/components";
import { use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { makeChart } from "./charts.ts";
import { color } from "./colors.ts";
import { data } from "./data.ts";
import { element, empty } from "./elements.ts";
import { formatBytes } from "./format.ts";

use([
  LineChart,
  SVGRenderer,
  GridComponent,
  TooltipComponent,
  LegendComponent,
  DataZoomComponent,
  MarkPointComponent,
]);

/** What part is shown, in percent: kept when it is drawn anew. */
let [start, end] = [0, 100];

/** Show the timeline in a panel. */
export function showTimeline(panel: HTMLElement): void {
  if (data.timeline.length === 0) {
    panel.replaceChildren(
      empty(
        "There is no timeline: call sites weren't recorded. Use recordCallSites(), or ONEHEAP_CALL_SITES=4.",
      ),
    );
    return;
  }
  const place = element("div", { className: "chart", id: "timeline" });
  const zoom = element("div", { className: "path" });
  panel.replaceChildren(zoom, place);
  const chart = makeChart(panel, place);
  const label = { color: color("muted") };
  const series = (name: string, of: keyof (typeof data.timeline)[number]) => ({
    name,
    type: "line" as const,
    step: "end" as const,
    showSymbol: false,
    data: data.timeline.map((it) => [it.milliseconds / 1_000, it[of]]),
  });
  const blocks = {
    ...series("blocks and raw memory", "bytes"),
    areaStyle: { opacity: 0.15 },
    markPoint: data.peak && {
      symbolSize: 44,
      label: { formatter: "peak", fontSize: 11 },
      data: [{
        name: "peak",
        coord: [data.peak.milliseconds / 1_000, data.peak.bytes],
      }],
    },
  };
  const all = data.timeline.some(({ residentBytes }) => residentBytes > 0)
    ? [blocks, series("resident memory of the process", "residentBytes")]
    : [blocks];
  chart.setOption({
    animation: false,
    color: [color("typescript"), color("muted")],
    grid: { left: 76, right: 20, top: 46, bottom: 80 },
    legend: { top: 0, textStyle: { color: color("text") } },
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      confine: true,
      valueFormatter: (value: unknown) => formatBytes(Number(value)),
    },
    xAxis: {
      type: "value",
      min: "dataMin",
      max: "dataMax",
      axisLabel: {
        ...label,
        formatter: (seconds: number) => `${+seconds.toFixed(3)} s`,
      },
      splitLine: { show: false },
    },
    yAxis: {
      type: "value",
      axisLabel: { ...label, formatter: (bytes: number) => formatBytes(bytes) },
      splitLine: { lineStyle: { color: color("line") } },
    },
    dataZoom: [
      { type: "inside", start, end },
      { type: "slider", bottom: 16, start, end },
    ],
    series: all,
  });
  const tell = () => place.dataset.zoom = `${start} ${end}`;
  tell();
  chart.on("datazoom", () => {
    const [zoom] = chart.getOption().dataZoom as {
      start: number;
      end: number;
    }[];
    [start, end] = [zoom.start, zoom.end];
    tell();
  });
  const show = (from: number, to: number) =>
    chart.dispatchAction({
      type: "dataZoom",
      start: Math.max(0, from),
      end: Math.min(100, to),
    });
  const button = (text: string, action: () => void) =>
    zoom.append(element("button", { type: "button", onclick: action }, text));
  const quarter = () => (end - start) / 4;
  button("Zoom in", () => show(start + quarter(), end - quarter()));
  button("Zoom out", () => show(start - 2 * quarter(), end + 2 * quarter()));
  button("Earlier", () => {
    const step = Math.min(quarter(), start);
    show(start - step, end - step);
  });
  button("Later", () => {
    const step = Math.min(quarter(), 100 - end);
    show(start + step, end + step);
  });
  button("All", () => show(0, 100));
}
