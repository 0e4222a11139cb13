/** Numbers that look random and are the same in every run. */

/** A source of numbers; its seed tells all of them. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number below the limit. The generator is SplitMix32: an odd step, and a mixing of the bits (that of MurmurHash3). */
  below(limit: number): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return ((bits ^ (bits >>> 16)) >>> 0) % limit;
  }

  /** Yes, once in so many times. */
  once(inSoMany: number): boolean {
    return this.below(inSoMany) === 0;
  }

  /** One of them; undefined if there is none. */
  pick<T>(from: readonly T[]): T | undefined {
    return from.length === 0 ? undefined : from[this.below(from.length)];
  }

  /** A part of `length` elements, not empty unless there are none. */
  part(length: number): { start: number; end: number } {
    if (length === 0) return { start: 0, end: 0 };
    const start = this.below(length);
    return { start, end: start + 1 + this.below(length - start) };
  }

  /** So many bytes. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(count);
    const seed = this.below(2 ** 31);
    for (let index = 0; index < count; index++) {
      bytes[index] = Math.imul(seed ^ index, 0x9e3779b1) >>> 24;
    }
    return bytes;
  }
}
