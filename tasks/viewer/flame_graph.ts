/** The flame graph: by callers, the widths as the bytes. */

import { flamegraph } from "d3-flame-graph";
import { select } from "d3-selection";
import { type Language, shownStacks, type State } from "./data.ts";
import { color, element, empty } from "./elements.ts";
import { format, formatPart } from "./format.ts";
import { callTree, largestChildren, type Node, ROOT } from "./tree.ts";

/** A node as the library takes it. */
interface FlameNode {
  readonly name: string;
  readonly value: number;
  readonly language: Language;
  readonly change: number;
  readonly children: FlameNode[];
}

/** A node as the library draws it. */
interface DrawnNode {
  readonly data: FlameNode;
}

/** Return a node without what is too narrow to be drawn. */
function flameNode(it: Node, whole: number): FlameNode {
  const { name, value, language, change } = it;
  const children = largestChildren(it, whole)
    .filter((child) => it.children.has(child.name))
    .map((child) => flameNode(child, whole));
  return { name, value, language, change, children };
}

/** Show the flame graph in a panel. */
export function showFlameGraph(panel: HTMLElement, state: State): void {
  const root = callTree(shownStacks(state), state);
  if (root.value === 0) {
    panel.replaceChildren(empty("Nothing of this is in the report."));
    return;
  }
  const place = element("div", { className: "flame", id: "flame" });
  const details = element("p", {
    className: "details",
    attributes: { role: "status" },
  }, "The widths are sizes. Point to a frame, or tab to it; Enter zooms.");
  const reset = element("button", { type: "button" }, "Reset zoom");
  panel.replaceChildren(
    element("div", { className: "path" }, reset),
    place,
    details,
  );
  const tell = ({ name, change, value }: FlameNode) => {
    details.textContent = `${name}: ${format(change, state.unit)}, ${
      formatPart(value, root.value)
    }`;
  };
  const chart = flamegraph().width(place.clientWidth || 800).cellHeight(20)
    .minFrameSize(2).transitionDuration(1).inverted(true).tooltip(false)
    .setColorMapper((it: DrawnNode) => colorOf(it.data, state))
    .onClick((it: DrawnNode) => {
      tell(it.data);
      makeFocusable(place, tell);
    });
  // The library's declarations lack it.
  (chart as unknown as { onHover(tell: (it: DrawnNode) => void): void })
    .onHover((it) => tell(it.data));
  select(place).datum(flameNode(root, root.value)).call(chart);
  makeFocusable(place, tell);
  reset.onclick = () => {
    chart.resetZoom();
    makeFocusable(place, tell);
  };
}

/** Have each frame be reached and zoomed by the keyboard, and take the library's `title`s away, which say less. */
function makeFocusable(
  place: HTMLElement,
  tell: (node: FlameNode) => void,
): void {
  for (const frame of place.querySelectorAll<SVGGElement>("g.frame")) {
    const { data } = (frame as unknown as { __data__: DrawnNode }).__data__;
    frame.setAttribute("tabindex", "0");
    frame.setAttribute("role", "button");
    frame.setAttribute("aria-label", data.name);
    frame.querySelector("title")?.remove();
    frame.onfocus = () => tell(data);
    frame.onkeydown = (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      frame.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    };
  }
}

function colorOf({ name, change, language }: FlameNode, state: State): string {
  if (name === ROOT) return color("line");
  if (state.measure !== "change") return color(language);
  return color(change > 0 ? "grows" : "shrinks");
}
