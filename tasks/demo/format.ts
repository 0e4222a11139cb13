/** How the demonstrations write numbers. */

/** A number, with commas. */
export function count(number: number): string {
  return number.toLocaleString("en");
}

/** An address, as C and Python write it. */
export function addressText(address: number): string {
  return `0x${address.toString(16)}`;
}

/** The median of times in milliseconds, padded for a column. */
export function milliseconds(times: number[], digits = 2): string {
  const sorted = times.toSorted((one, other) => one - other);
  return `${sorted[times.length >> 1].toFixed(digits).padStart(9)} ms`;
}

/** A time in milliseconds, in the unit that suits it. */
export function duration(time: number): string {
  const [value, unit] = time < 1 ? [time * 1e3, "µs"] : [time, "ms"];
  return `${value.toFixed(value < 10 ? 2 : 1)} ${unit}`;
}
