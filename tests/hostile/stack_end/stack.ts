/** Calling functions at a chosen distance from the end of JavaScript's stack. */

/** Ends the optimisation of a function, so that its frames stay alike. Takes `--allow-natives-syntax`. */
const neverOptimise = new Function(
  "f",
  "%NeverOptimizeFunction(f)",
) as (f: unknown) => void;

/** The size of an argument on the stack in bytes. */
const ARGUMENT_BYTES = 8;

/** So many arguments measure how large a frame is. */
const MEASURING_ARGUMENTS = 4_096;

/** More frames than a stack has. */
const MAX_FRAMES = 100_000;

/** What is called at the end of the stack. */
type Action = (objects: unknown) => unknown;

let isThere = false;

function descend(frames: number, act: Action, objects: unknown): unknown {
  if (frames > 0) return descend(frames - 1, act, objects);
  isThere = true;
  return act(objects);
}

function descendPadded(
  frames: number,
  act: Action,
  objects: unknown,
  ..._padding: unknown[]
): unknown {
  return descend(frames, act, objects);
}

function doNothing(): void {}

for (const it of [descend, descendPadded, doNothing]) neverOptimise(it);

/** How a call near the end of the stack ended. */
export type Ending =
  | { readonly kind: "returned"; readonly value: unknown }
  | { readonly kind: "threw"; readonly error: unknown }
  /** The stack ended before the call. */
  | { readonly kind: "unreached" };

/** The stack of this thread, as deep as it is where `callAt` is called. */
export class Stack {
  #frameBytes: number;
  /** How many frames there are room for above an empty function. */
  #frames: number;
  #paddings: unknown[][];

  /** Measures the stack. */
  constructor() {
    const padded = new Array(MEASURING_ARGUMENTS).fill(0);
    const difference = this.#measure([]) - this.#measure(padded);
    const bytes = MEASURING_ARGUMENTS * ARGUMENT_BYTES / difference;
    this.#frameBytes = Math.round(bytes / ARGUMENT_BYTES) * ARGUMENT_BYTES;
    this.#frames = this.#measure([]);
    this.#paddings = Array.from(
      { length: this.#frameBytes / ARGUMENT_BYTES },
      (_, length) => new Array(length).fill(0),
    );
  }

  /**
   * Calls a function so many bytes from where the stack has room for an empty function only.
   *
   * @param distance A multiple of 8 bytes. Below 0 there may not be stack enough for the call.
   */
  callAt(distance: number, act: Action, objects: unknown): Ending {
    const frames = Math.ceil(distance / this.#frameBytes);
    const padding = (frames * this.#frameBytes - distance) / ARGUMENT_BYTES;
    return this.#call(
      this.#frames - frames,
      act,
      objects,
      this.#paddings[padding],
    );
  }

  #call(
    frames: number,
    act: Action,
    objects: unknown,
    padding: unknown[],
  ): Ending {
    isThere = false;
    try {
      const value = descendPadded(frames, act, objects, ...padding);
      return { kind: "returned", value };
    } catch (error) {
      return isThere ? { kind: "threw", error } : { kind: "unreached" };
    }
  }

  /** The most frames above an empty function. */
  #measure(padding: unknown[]): number {
    let least = 0;
    let most = MAX_FRAMES;
    while (least < most) {
      const frames = (least + most + 1) >> 1;
      const { kind } = this.#call(frames, doNothing, undefined, padding);
      if (kind === "returned") least = frames;
      else most = frames - 1;
    }
    return least;
  }
}
