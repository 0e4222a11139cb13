/** How the demonstrations write numbers. */

/** A whole number, with commas. */
export function count(number: number): string {
  return number.toLocaleString("en");
}

/** The same, padded for a column. */
export function column(number: number): string {
  return count(number).padStart(13);
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
