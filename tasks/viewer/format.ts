/** Numbers as text. */

import type { Unit } from "./data.ts";

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

/** Return a change with its sign, and an arrow where that alone is to be seen. */
export function formatArrow(value: number, unit: Unit): string {
  if (value === 0) return format(value, unit);
  return `${value > 0 ? "▲" : "▼"} ${formatChange(value, unit)}`;
}

/** Return a part of a whole, as a percentage. */
export function formatPart(part: number, whole: number): string {
  return whole === 0 ? "0 %" : `${(part / whole * 100).toFixed(1)} %`;
}
