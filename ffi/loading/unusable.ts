/** What was asked for, or lies ready, and can't be used: it is said, never passed over in silence. */

/** An environment that Python was not taken from. */
export interface Unusable {
  /** The setting or the folder. */
  readonly name: string;
  /** Why its Python can't be embedded. */
  readonly reason: string;
  /** What to do about it. */
  readonly remedy: string;
}

/** The warning about it, with what was taken in its place. */
export function warningOf(
  { name, reason, remedy }: Unusable,
  taken: string,
): string {
  return `oneheap: ${name} can't be used: ${reason}. Taken instead: ${taken}. ${remedy}`;
}
