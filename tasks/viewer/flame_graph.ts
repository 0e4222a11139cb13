/** The flame graph: by callers, the widths as the bytes. */

import { flamegraph } from "d3-flame-graph";
import { select } from "d3-selection";
import { color, placeColor } from "./colors.ts";
import { shownStacks, type State } from "./data.ts";
import { element, empty } from "./elements.ts";
import { arrowOf, formatMeasure, formatPart } from "./format.ts";
import {
  callTree,
  largestChildren,
  type Node,
  ROOT,
  SMALLER,
  trailOf,
} from "./tree.ts";

/** A node as the library takes it. */
interface FlameNode {
  readonly name: string;
  readonly value: number;
  readonly node: Node;
  /** The keys on the way to it. */
  readonly path: readonly string[];
  readonly children: readonly FlameNode[];
}

/** A node as the library draws it. */
interface DrawnNode {
  readonly data: FlameNode;
}

/** The keys on the way to the node that is zoomed to: kept when it is drawn anew. */
let zoomed: readonly string[] = [];

let observer: ResizeObserver | undefined;

/** Show the flame graph in a panel. */
export function showFlameGraph(panel: HTMLElement, state: State): void {
  observer?.disconnect();
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
  const tell = ({ name, node: { change, value } }: FlameNode) => {
    details.textContent = `${name}: ${formatMeasure(change, state)}, ${
      formatPart(value, root.value)
    }`;
  };
  const zoom = (to: FlameNode) => {
    // The smaller ones are large enough to be told apart in their parent.
    const isParentFirst = to.node.key === SMALLER &&
      to.path.length > zoomed.length + 1;
    zoomed = isParentFirst ? to.path.slice(0, -1) : to.path;
    render();
    tell(to);
    place.querySelector<SVGGElement>("g.frame[aria-current]")?.focus();
  };
  const render = () => draw(place, root, state, tell, zoom);
  reset.onclick = () => {
    zoomed = [];
    render();
  };
  render();
  let width = place.clientWidth;
  observer = new ResizeObserver(() => {
    if (place.clientWidth === width || place.clientWidth === 0) return;
    width = place.clientWidth;
    render();
  });
  observer.observe(place);
}

/** Draw the node that is zoomed to, with the way to it above and what is in it below. */
function draw(
  place: HTMLElement,
  root: Node,
  state: State,
  tell: (node: FlameNode) => void,
  zoom: (node: FlameNode) => void,
): void {
  const trail = trailOf(root, zoomed);
  const keys = trail.slice(1).map(({ key }) => key);
  zoomed = keys;
  const { value } = trail.at(-1)!;
  const drawn = trail.reduceRight<FlameNode | undefined>(
    (child, node, depth) => {
      const path = keys.slice(0, depth);
      if (child === undefined) return flameNode(node, path, value);
      return {
        name: titleOf(node, state),
        value,
        node,
        path,
        children: [child],
      };
    },
    undefined,
  )!;
  function flameNode(
    node: Node,
    path: readonly string[],
    whole: number,
  ): FlameNode {
    const isOpen = node.key !== SMALLER || path.length === keys.length;
    const children = isOpen
      ? largestChildren(node, whole)
        .map((child) => flameNode(child, [...path, child.key], whole))
      : [];
    return {
      name: titleOf(node, state),
      value: node.value,
      node,
      path,
      children,
    };
  }
  const chart = flamegraph().width(place.clientWidth || 800).cellHeight(20)
    .minFrameSize(2).transitionDuration(0).inverted(true).tooltip(false)
    .setColorMapper(({ data: { node } }: DrawnNode) =>
      node.key === ROOT ? color("muted") : placeColor(state, node)
    )
    .onClick(({ data }: DrawnNode) => zoom(data));
  // The library's declarations lack it.
  (chart as unknown as { onHover(tell: (it: DrawnNode) => void): void })
    .onHover(({ data }) => tell(data));
  place.replaceChildren();
  select(place).datum(drawn).call(chart);
  makeFocusable(place, tell, zoom);
}

/** Have each frame be reached and zoomed by the keyboard, and take the library's `title`s away, which say less. */
function makeFocusable(
  place: HTMLElement,
  tell: (node: FlameNode) => void,
  zoom: (node: FlameNode) => void,
): void {
  for (const frame of place.querySelectorAll<SVGGElement>("g.frame")) {
    const { data } = (frame as unknown as { __data__: DrawnNode }).__data__;
    frame.setAttribute("tabindex", "0");
    frame.setAttribute("role", "button");
    frame.setAttribute("aria-label", data.name);
    if (data.path.length === zoomed.length) {
      frame.setAttribute("aria-current", "true");
    }
    frame.querySelector("title")?.remove();
    frame.onfocus = () => tell(data);
    frame.onkeydown = (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      zoom(data);
    };
  }
}

/** Return how a node is called; of a change, with whether it grew or shrank. */
function titleOf({ name, change }: Node, { measure }: State): string {
  return measure === "change" ? `${arrowOf(change)}${name}` : name;
}
