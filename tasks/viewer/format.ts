/** Numbers as text. */

import type { State, Unit } from "./data.ts";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Return bytes as `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  let size = Math.abs(bytes);
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  const digits = unit === 0 || size >= 100 ? 0 : 1;
  return `${bytes < 0 ? "−" : ""}${size.toFixed(digits)} ${UNITS[unit]}`;
}

/** Return a number with its thousands apart. */
export function formatCount(count: number): string {
  const text = Math.round(Math.abs(count)).toLocaleString("en");
  return `${count < 0 ? "−" : ""}${text}`;
}

/** Return a number in a unit. */
export function format(value: number, unit: Unit): string {
  return unit === "bytes" ? formatBytes(value) : formatCount(value);
}

/** Return a change with its sign. */
export function formatChange(value: number, unit: Unit): string {
  return value > 0 ? `+${format(value, unit)}` : format(value, unit);
}

/** Return an arrow and a space for what grew or shrank, for color alone doesn't tell everybody; nothing for what did neither. */
export function arrowOf(change: number): string {
  if (change === 0) return "";
  return change > 0 ? "▲ " : "▼ ";
}

/** Return what a place has of the measure that is shown; of a change with its arrow and sign. */
export function formatMeasure(value: number, { measure, unit }: State): string {
  return measure === "change"
    ? `${arrowOf(value)}${formatChange(value, unit)}`
    : format(value, unit);
}

/** Return a part of a whole, as a percentage. */
export function formatPart(part: number, whole: number): string {
  return whole === 0 ? "0 %" : `${(part / whole * 100).toFixed(1)} %`;
}
