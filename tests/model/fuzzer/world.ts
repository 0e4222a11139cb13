/** The world of a seed: everything that was made, the circumstances, and how an operation is performed and compared. */

import { Ledger, Memory } from "./model.ts";
import type {
  ArenaHandle,
  AttachmentHandle,
  BlockHandle,
  BorrowedHandle,
  BufferHandle,
  RawHandle,
  ReferenceHandle,
  RunHandle,
  ScopeHandle,
} from "./handles.ts";
import type { Companion } from "./operations/workers.ts";
import { type Circumstances, endError, Outcome } from "./outcome.ts";
import type { Random } from "../sharing/random.ts";
import type { Patch } from "./patches.ts";
import type { Fixture } from "./fixture.ts";

/** One call of the library's, planned with its arguments. */
export interface Action {
  /** What is shown of it. */
  readonly what: string;
  /** Whether Deno's own code uses arrays within, which setters on `Array.prototype` break. */
  readonly usesDeno?: boolean;
  /** The call. */
  call(): unknown;
  /** Compares what came of it with the model, and updates that. */
  settle(outcome: Outcome): void;
}

/** What can be done. Nothing, where there is nothing to do it with. */
export type Operation = (
  world: World,
  isHostile: boolean,
) => Action | undefined;

/** An operation, and how often it is chosen. */
export interface Choice {
  readonly weight: number;
  readonly plan: Operation;
  /** Whether it is done or has changed nothing at all, also where it runs Python code. */
  readonly isAtomic?: boolean;
}

/** So many operations are shown of a failure. */
const LOG_LENGTH = 40;

/** How deep operations may be within others. */
const MAX_DEPTH = 3;

/** The callback that another thread of Python's waits for: it runs on the event loop, and no Python code of this thread's. */
const CALL_ON_LOOP = 2;

/** Everything of a seed. */
export class World {
  readonly ledger: Ledger = new Ledger();
  readonly blocks: BlockHandle[] = [];
  readonly buffers: BufferHandle[] = [];
  readonly scopes: ScopeHandle[] = [];
  readonly references: ReferenceHandle[] = [];
  readonly borrowed: BorrowedHandle[] = [];
  readonly arenas: ArenaHandle[] = [];
  readonly attachments: AttachmentHandle[] = [];
  readonly runs: RunHandle[] = [];
  readonly raws: RawHandle[] = [];
  /** The Worker beside. */
  companion: Companion | undefined;
  /** How many operations are in progress. */
  depth = 0;
  /** How many callbacks from Python are in progress. */
  callbackDepth = 0;
  /** Whether hostile code does nothing now: near the end of the stack, while memory fails, and while this world's things are checked. */
  isQuiet = false;
  /** Whether operations are planned and performed before any is compared: then each has to be compared by what it gave alone. */
  isBatch = false;
  /** Whether something was lost that V8 has still to collect. */
  hasGarbage = false;
  /** How many operations were performed. */
  operations = 0;
  /** What was done last, for the report of a failure. */
  readonly log: string[] = [];
  /** What went wrong where an error can't be thrown. */
  #failure: unknown;
  readonly #weights: number;
  #patch: Patch | undefined;

  constructor(
    readonly seed: number,
    readonly random: Random,
    readonly fixture: Fixture,
    readonly choices: readonly Choice[],
  ) {
    this.#weights = choices.reduce((sum, { weight }) => sum + weight, 0);
  }

  /** Keeps a failure of a callback, to be thrown where Python has returned. */
  fail(error: unknown): void {
    this.#failure ??= error;
  }

  /** Throws what was kept. */
  rethrow(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Notes what is done. */
  note(what: string): void {
    const line = "  ".repeat(this.depth) + what;
    if (this.fixture.isVerbose) this.fixture.print(line);
    this.log.push(line);
    if (this.log.length > LOG_LENGTH) this.log.shift();
  }

  /** Whether an operation may have hostile code run within it. */
  isToBeHostile(): boolean {
    return !this.isQuiet && this.depth < MAX_DEPTH &&
      !this.fixture.without.has("hostile") &&
      this.random.once(3 * (this.depth + 1));
  }

  /** Performs an action, and compares what came of it with the model. */
  perform(action: Action, circumstances: Circumstances = {}): void {
    this.note(action.what);
    const before = ++this.operations;
    this.depth++;
    Memory.keepsVersions = true;
    let threw = false, value: unknown, error: unknown;
    try {
      value = action.call();
    } catch (thrown) {
      threw = true;
      error = thrown;
    } finally {
      this.depth--;
      if (this.depth === 0) Memory.keepsVersions = false;
    }
    this.rethrow();
    const isDisturbed = this.operations !== before;
    try {
      action.settle(
        new Outcome(circumstances, isDisturbed, threw, value, error),
      );
    } catch (failure) {
      // Whatever goes wrong here is a failure, also where the library or Python catches it.
      this.fail(failure);
      throw failure;
    }
    endError(error);
    if (this.depth === 0) Memory.forgetVersions();
  }

  /** Performs an action while a part of the language is replaced by hostile code. */
  performPatched(action: Action, patch: Patch): void {
    if (action.usesDeno && patch.breaksDeno) {
      return this.perform(action, { isHostile: true });
    }
    this.note(`with ${patch.name} patched:`);
    const { call, settle, what } = action;
    const patched: Action = {
      what,
      call: () => {
        this.#patch = patch;
        patch.install();
        try {
          return call.call(action);
        } finally {
          patch.remove();
          this.#patch = undefined;
        }
      },
      settle: settle.bind(action),
    };
    this.perform(patched, { isHostile: true });
  }

  /** Hostile code runs here: it does anything with the world. */
  interfere(): void {
    if (this.isQuiet || this.depth > MAX_DEPTH) return;
    this.#withoutPatch(() => {
      const count = this.random.below(3);
      for (let done = 0; done < count; done++) this.performAny();
    });
  }

  /** Runs the fuzzer's own code: the language is as it was meanwhile. */
  #withoutPatch<T>(act: () => T): T {
    const patch = this.#patch;
    if (patch === undefined) return act();
    patch.remove();
    this.#patch = undefined;
    try {
      return act();
    } finally {
      this.#patch = patch;
      patch.install();
    }
  }

  /** Python calls JavaScript here. Whether Python is to raise an exception. */
  enter(kind: number): boolean {
    if (this.depth > MAX_DEPTH) return false;
    if (this.fixture.without.has("callbacks")) return false;
    return this.#withoutPatch(() => this.#enter(kind));
  }

  #enter(kind: number): boolean {
    this.note(`Python calls (${kind})`);
    const isOnLoop = kind === CALL_ON_LOOP;
    const made = this.attachments.length;
    this.depth++;
    if (!isOnLoop) this.callbackDepth++;
    try {
      this.interfere();
    } finally {
      this.depth--;
      if (!isOnLoop) this.callbackDepth--;
      for (const left of this.attachments.slice(made)) {
        // What a callback leaves is undone when it returns. The event loop goes on only where nobody is attached.
        if (isOnLoop) left.attachment[Symbol.dispose]();
        left.isDisposed = true;
      }
    }
    return this.random.once(8);
  }

  /** Performs one of the operations, within another or not. */
  performAny(): void {
    for (let attempt = 0; attempt < 20; attempt++) {
      const isHostile = this.isToBeHostile();
      const action = this.#choose().plan(this, isHostile);
      if (action === undefined) continue;
      return this.perform(action, { isHostile });
    }
  }

  #choose(): Choice {
    const { choices } = this;
    let at = this.random.below(this.#weights);
    for (const choice of choices) {
      if (at < choice.weight) return choice;
      at -= choice.weight;
    }
    return choices[0];
  }

  /** An action that is done or changes nothing. */
  planAtomic(): Action {
    while (true) {
      const action = this.chooseAtomic().plan(this, false);
      if (action !== undefined) return action;
    }
  }

  /** An operation that is done or changes nothing. */
  chooseAtomic(): Choice {
    while (true) {
      const choice = this.#choose();
      if (choice.isAtomic) return choice;
    }
  }

  /** An action that isn't hostile by itself. */
  planAny(isHostile: boolean): Action {
    while (true) {
      const action = this.#choose().plan(this, isHostile);
      if (action !== undefined) return action;
    }
  }

  /** One of the elements. */
  pick<T>(from: readonly T[]): T | undefined {
    return this.random.pick(from);
  }

  /** Whether the thread should be attached: as the newest attachment says that is alive. */
  get isAttached(): boolean {
    for (let index = this.attachments.length - 1; index >= 0; index--) {
      const { isDisposed, isAttach } = this.attachments[index];
      if (!isDisposed) return isAttach;
    }
    return false;
  }
}

/** Takes an element out of an array. */
export function remove<T>(from: T[], element: T): void {
  const index = from.indexOf(element);
  if (index >= 0) from.splice(index, 1);
}
