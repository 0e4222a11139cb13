/** How the report writes numbers. */

/** Three digits, with commas. */
export function significant(number: number): string {
  const rounded = number.toPrecision(3);
  return number < 1_000 ? rounded : Number(rounded).toLocaleString("en");
}

/** Nanoseconds in the unit that suits them, with three digits. */
export function formatTime(nanoseconds: number): string {
  const units = ["ns", "µs", "ms", "s"];
  let time = nanoseconds;
  let unit = 0;
  while (time >= 999.5 && unit < units.length - 1) {
    time /= 1000;
    unit++;
  }
  const digits = time >= 99.95 ? 0 : time >= 9.995 ? 1 : 2;
  return `${time.toFixed(digits)} ${units[unit]}`;
}
