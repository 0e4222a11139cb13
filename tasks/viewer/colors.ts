/** The colors of places. A label on each has a contrast of at least 4.5 to 1. */

import type { Language, State } from "./data.ts";

/** Return the color of a variable of the style. */
export function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(
    `--${name}`,
  ).trim();
}

/** Return the color of a place: of its language, or of how it changed. */
export function placeColor(
  state: State,
  { change, language }: { change: number; language: Language },
): string {
  if (state.measure !== "change") return color(language);
  if (change === 0) return color("muted");
  return color(change > 0 ? "grows" : "shrinks");
}

/** Return a color (`#rrggbb`) mixed with black or white, away from the color of labels; `part` is from 0 to 1. */
export function shade(name: string, part: number): string {
  const target = isLight(color("label")) ? 0 : 255;
  const mixed = channels(name).map((channel) =>
    Math.round(channel + (target - channel) * part)
  );
  return `rgb(${mixed.join(", ")})`;
}

function isLight(name: string): boolean {
  return channels(name).reduce((sum, channel) => sum + channel) > 3 * 128;
}

function channels(name: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(name.slice(at, at + 2), 16));
}
