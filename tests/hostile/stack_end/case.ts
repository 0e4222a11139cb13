/** What is tried of one operation at the end of the stack. */

/** How an operation ended: it was done, with a result, or it was refused for want of stack. */
export type Outcome =
  | { readonly done: true; readonly value: unknown }
  | { readonly done: false };

/** By how much an operation that is done changes the counts of `stats()`. */
export interface Growth {
  readonly blocks: number;
  readonly bytes: number;
}

/** An error class, as `instanceof` takes it. */
export type ErrorClass = abstract new (...args: never[]) => Error;

/**
 * One way to use an operation. `prepare`, `check` and `finish` run at the top of the stack; `act` runs near its end. Methods, so
 * that a case of any `Objects` is a `Case<unknown>`.
 */
export interface Case<Objects> {
  /** The operation, as `publicOperations` names it. */
  readonly operation: string;
  /** Which of several ways it is used. */
  readonly variant: string;
  /** The error that the operation is done with, if it is to fail. */
  readonly throws?: ErrorClass;
  /** By how much `stats()` changes where it is done; by nothing unless said. */
  readonly growth?: Growth;
  /** Whether this thread is attached to Python afterwards; it is not unless said. */
  isAttachedAfter?(outcome: Outcome): boolean;
  /** Makes what the operation is applied to. */
  prepare(): Objects;
  /** Applies the operation. A promise is awaited at the top of the stack. */
  act(objects: Objects): unknown;
  /** Fails unless the objects are as they should be. Called twice: right after `act`, and after a collection. */
  check(objects: Objects, outcome: Outcome): void | Promise<void>;
  /** Uses the objects once more and frees all. */
  finish?(objects: Objects, outcome: Outcome): void;
}

/** Gives a case its type. */
export function defineCase<Objects>(it: Case<Objects>): Case<unknown> {
  return it;
}

/** A case's name. */
export function nameOf({ operation, variant }: Case<unknown>): string {
  return `${operation}: ${variant}`;
}
