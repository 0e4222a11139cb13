/** The table: a row for each stack, which opens. */

import {
  framesOf,
  innermostOf,
  LANGUAGES,
  MEASURES,
  measures,
  shownStacks,
  type StackEntry,
  type State,
  titleOf,
} from "./data.ts";
import { element, empty } from "./elements.ts";
import { format, formatChange } from "./format.ts";

/** A column that is sorted by. */
interface Column {
  readonly title: string;
  /** Not shown where there is little space. */
  readonly isWide: boolean;
  readonly key: (stack: StackEntry) => number | string;
  readonly cell?: (stack: StackEntry) => string;
}

/** How many rows are shown at first, and are added at a time. */
const ROWS = 200;

let sorted = 0;
let isAscending = false;
let shownRows = ROWS;

/** Return the columns: the place, the language, and each measure, that which is shown first. */
function columns({ measure, unit }: State): Column[] {
  const order = [measure, ...measures.filter((it) => it !== measure)];
  return [
    ...order.map((it, index): Column => ({
      title: MEASURES[it],
      isWide: index > 0,
      key: (stack) => stack[it]?.[unit] ?? 0,
      cell: (stack) => {
        const amount = stack[it];
        if (amount === undefined) return "";
        return it === "change"
          ? formatChange(amount[unit], unit)
          : format(amount[unit], unit);
      },
    })),
    {
      title: "place",
      isWide: false,
      key: (stack) => titleOf(innermostOf(stack)),
    },
  ];
}

/** Show the table in a panel. */
export function showTable(panel: HTMLElement, state: State): void {
  const stacks = shownStacks(state);
  if (stacks.length === 0) {
    panel.replaceChildren(empty("Nothing of this is in the report."));
    return;
  }
  const all = columns(state);
  const column = all[sorted] ?? all[0];
  const compare = (one: number | string, other: number | string) =>
    typeof one === "number" && typeof other === "number"
      ? one - other
      : String(one).localeCompare(String(other));
  const keyed = stacks.map((stack) => ({ stack, key: column.key(stack) }));
  keyed.sort((one, other) =>
    (isAscending ? 1 : -1) * compare(one.key, other.key)
  );
  const head = element("tr", {});
  for (const [index, { title, isWide }] of all.entries()) {
    const button = element("button", { type: "button" }, title);
    button.onclick = () => {
      isAscending = index === sorted ? !isAscending : false;
      sorted = index;
      showTable(panel, state);
      panel.querySelectorAll<HTMLElement>("th button")[index].focus();
    };
    const direction = isAscending ? "ascending" : "descending";
    head.append(element("th", {
      className: classOf(title === "place" ? "" : "number", isWide),
      attributes: {
        scope: "col",
        "aria-sort": index === sorted ? direction : undefined,
      },
    }, button));
  }
  const body = element("tbody", {});
  for (const { stack } of keyed.slice(0, shownRows)) {
    body.append(rowOf(stack, all, state));
  }
  const table = element("table", {}, element("thead", {}, head), body);
  const rest = keyed.length - shownRows;
  const more = element(
    "button",
    { type: "button", hidden: rest <= 0 },
    `Show more (${rest})`,
  );
  more.onclick = () => {
    const before = shownRows;
    shownRows += 5 * ROWS;
    showTable(panel, state);
    // The first of those that are new.
    panel.querySelectorAll<HTMLElement>("td.place > button")[before]?.focus();
  };
  panel.replaceChildren(element("div", { className: "scroll" }, table), more);
}

function classOf(name: string, isWide: boolean): string {
  return isWide ? `${name} wide` : name;
}

function rowOf(
  stack: StackEntry,
  all: readonly Column[],
  state: State,
): HTMLElement {
  const row = element("tr", {});
  for (const { cell, isWide } of all) {
    if (cell === undefined) continue;
    row.append(
      element("td", { className: classOf("number", isWide) }, cell(stack)),
    );
  }
  if (state.measure === "change") {
    const change = stack.change?.[state.unit] ?? 0;
    if (change !== 0) {
      row.firstElementChild!.classList.add(change > 0 ? "grows" : "shrinks");
    }
  }
  const frames = framesOf(stack);
  const button = element(
    "button",
    { type: "button", attributes: { "aria-expanded": "false" } },
    titleOf(innermostOf(stack)),
  );
  const badge = element("span", {
    className: "badge",
    title: LANGUAGES[stack.language],
  });
  badge.style.setProperty("--color", `var(--${stack.language})`);
  const place = element("td", { className: "place" }, badge, button);
  button.onclick = () => {
    const isOpen = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!isOpen));
    if (isOpen) {
      place.querySelector(".stack")!.remove();
      return;
    }
    const lines = frames.toReversed().map(({ name, file, line }) =>
      element(
        "li",
        {},
        file === "" ? name : `${name || "at"} — ${file}:${line}`,
      )
    );
    place.append(element("ol", { className: "stack" }, ...lines));
  };
  row.append(place);
  return row;
}
