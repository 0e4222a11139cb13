/// <reference lib="dom" />
/// <reference lib="dom.iterable" />

/** The page of a heap report: its header, its controls, and its views. */

import {
  data,
  LANGUAGES,
  type Measure,
  MEASURES,
  measures,
  shownStacks,
  type State,
  type Unit,
  valueOf,
} from "./data.ts";
import { element } from "./elements.ts";
import { showFlameGraph } from "./flame_graph.ts";
import {
  format,
  formatBytes,
  formatChange,
  formatCount,
  formatPart,
} from "./format.ts";
import { showTable } from "./table.ts";
import { showTimeline } from "./timeline.ts";
import { showTreemap } from "./treemap.ts";

const state: State = { measure: measures[0], unit: "bytes", search: "" };

const byId = <Kind extends HTMLElement>(id: string) =>
  document.getElementById(id) as Kind;

/** The views, by their names. */
const VIEWS: Record<string, (panel: HTMLElement, state: State) => void> = {
  Treemap: showTreemap,
  "Flame graph": showFlameGraph,
  Timeline: showTimeline,
  Table: showTable,
};

const tabs: HTMLButtonElement[] = [];
const panels: HTMLElement[] = [];
let current = 0;

function showHeader(): void {
  const created = new Date(data.createdAt).toLocaleString();
  byId("program").textContent = `${data.program} · ${created}`;
  for (const { language, live, peak, change } of data.totals) {
    const lines = [
      `in ${formatCount(live.count)} ${
        live.count === 1 ? "allocation" : "allocations"
      }`,
    ];
    if (peak !== undefined) {
      lines.push(`${formatBytes(peak.bytes)} at the peak`);
    }
    if (change !== undefined) {
      lines.push(
        `${formatChange(change.bytes, "bytes")} since the earlier report`,
      );
    }
    const card = element(
      "div",
      { className: "total" },
      element("h2", {}, LANGUAGES[language]),
      element("strong", {}, formatBytes(live.bytes)),
      ...lines.map((line) => element("span", {}, line)),
    );
    card.style.setProperty("--color", `var(--${language})`);
    byId("totals").append(card);
  }
  const sampled = data.everyBytes > 0
    ? [
      `The sizes of TypeScript's memory are estimates: about every ${
        formatBytes(data.everyBytes)
      } an allocation was recorded`,
    ]
    : [];
  byId("notes").append(
    ...[...sampled, ...data.notes].map((note) => element("li", {}, `${note}.`)),
  );
}

/** Show the current view, and what the search finds. */
function show(): void {
  VIEWS[Object.keys(VIEWS)[current]](panels[current], state);
  const sum = (stacks: typeof data.stacks) =>
    stacks.reduce((sum, it) => sum + Math.abs(valueOf(it, state)), 0);
  const found = shownStacks(state);
  byId("matches").textContent = state.search === ""
    ? ""
    : `${found.length} ${found.length === 1 ? "place" : "places"}, ${
      format(sum(found), state.unit)
    }, ${formatPart(sum(found), sum(data.stacks))}`;
}

function open(index: number): void {
  current = (index + tabs.length) % tabs.length;
  for (const [at, tab] of tabs.entries()) {
    tab.setAttribute("aria-selected", String(at === current));
    tab.tabIndex = at === current ? 0 : -1;
    panels[at].hidden = at !== current;
  }
  show();
}

function makeTabs(): void {
  for (const [index, name] of Object.keys(VIEWS).entries()) {
    const tab = element("button", {
      type: "button",
      id: `tab-${index}`,
      attributes: { role: "tab", "aria-controls": `panel-${index}` },
    }, name);
    tab.onclick = () => open(index);
    tab.onkeydown = (event) => {
      const index = {
        ArrowRight: current + 1,
        ArrowLeft: current - 1,
        Home: 0,
        End: tabs.length - 1,
      }[event.key];
      if (index === undefined) return;
      event.preventDefault();
      open(index);
      tabs[current].focus();
    };
    tabs.push(tab);
    panels.push(element("div", {
      id: `panel-${index}`,
      attributes: { role: "tabpanel", "aria-labelledby": `tab-${index}` },
    }));
  }
  byId("tabs").append(...tabs);
  byId("panels").append(...panels);
}

function makeControls(): void {
  const measure = byId<HTMLSelectElement>("measure");
  measure.append(
    ...measures.map((value) => element("option", { value }, MEASURES[value])),
  );
  measure.onchange = () => {
    state.measure = measure.value as Measure;
    show();
  };
  const unit = byId<HTMLSelectElement>("unit");
  unit.onchange = () => {
    state.unit = unit.value as Unit;
    show();
  };
  const search = byId<HTMLInputElement>("search");
  let timer: ReturnType<typeof setTimeout> | undefined;
  search.oninput = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      state.search = search.value.trim().toLowerCase();
      show();
    }, 150);
  };
}

/** Follow the system's theme until the button is used. */
function makeTheme(): void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const set = (isDark: boolean) => {
    root.dataset.theme = isDark ? "dark" : "light";
    if (tabs.length > 0) show();
  };
  set(dark.matches);
  dark.addEventListener("change", () => set(dark.matches));
  byId("theme").onclick = () => set(root.dataset.theme !== "dark");
}

makeTheme();
showHeader();
makeControls();
makeTabs();
open(0);
document.documentElement.dataset.ready = "true";
