/** Cases of user code that runs in the middle of an operation. */

/** A case; it throws an error if it doesn't hold. */
export interface Case {
  readonly name: string;
  run(): void | Promise<void>;
}
