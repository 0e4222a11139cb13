/** Environments that were requested or found and can't be used: a warning says so, they are never skipped in silence. */

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
