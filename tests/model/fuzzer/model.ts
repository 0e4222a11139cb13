/**
 * The model: the memory that should be alive, its contents, and what holds it. It is counted as the operations change it, so that
 * a comparison with the library's own counts costs next to nothing.
 */

/** What the blocks that should be alive amount to. */
export class Ledger {
  blocks = 0;
  bytes = 0;
}

/** Memory with its contents. It is alive as long as it has holders. */
export class Memory {
  /** Blocks, buffers and Python objects that hold it. */
  #holders = 0;
  /** How many of them are `oneheap.Block` objects in Python. */
  exporters = 0;
  /** Operations in progress that may hold it for their duration. */
  maybeHeld = 0;
  /** Operations in progress that may have Python objects release it. */
  maybeReleased = 0;
  /** Contents that it had while the outermost operation has been in progress. */
  versions: Uint8Array[] = [];
  #contents: Uint8Array<ArrayBuffer>;

  /** Without a ledger it isn't a block's: nobody counts it. */
  constructor(
    contents: Uint8Array<ArrayBuffer>,
    readonly ledger: Ledger | undefined,
  ) {
    this.#contents = contents;
  }

  get contents(): Uint8Array<ArrayBuffer> {
    return this.#contents;
  }

  get size(): number {
    return this.#contents.length;
  }

  get isAlive(): boolean {
    return this.#holders > 0;
  }

  /** Adds a holder. */
  retain(): this {
    this.#holders++;
    if (this.#holders === 1 && this.ledger !== undefined) {
      this.ledger.blocks++;
      this.ledger.bytes += this.size;
    }
    return this;
  }

  /** Removes a holder. */
  release(): void {
    this.#holders--;
    if (this.#holders < 0) throw new Error("the model's own count is wrong");
    if (this.#holders === 0 && this.ledger !== undefined) {
      this.ledger.blocks--;
      this.ledger.bytes -= this.size;
    }
  }

  /** Overwrites bytes. */
  write(offset: number, bytes: Uint8Array): void {
    this.#keepVersion();
    this.#contents.set(bytes, offset);
  }

  /** Changes the size, and makes the contents of new bytes zero. */
  resize(size: number): void {
    this.#keepVersion();
    if (this.ledger !== undefined) this.ledger.bytes += size - this.size;
    const resized = new Uint8Array(size);
    resized.set(this.#contents.subarray(0, size));
    this.#contents = resized;
  }

  #keepVersion(): void {
    if (!Memory.keepsVersions) return;
    if (this.versions.length === 0) Memory.#changed.push(this);
    this.versions.push(this.#contents.slice());
  }

  /** Whether contents are kept when they change: while an operation that may read them is in progress. */
  static keepsVersions = false;

  static #changed: Memory[] = [];

  /** Forgets the contents that were. */
  static forgetVersions(): void {
    if (Memory.#changed.length === 0) return;
    for (const memory of Memory.#changed) memory.versions = [];
    Memory.#changed = [];
  }
}

/** What a Python object is. */
export type Kind = "block" | "bytearray" | "bytes" | "other";

/** A Python object. It is alive as long as it has holders. */
export class Thing {
  #holders = 0;

  /** `base` is the object that a `memoryview` is over. */
  constructor(
    readonly kind: Kind,
    readonly memory: Memory | undefined,
    readonly name: string,
    readonly readonly = false,
    readonly base?: Thing,
  ) {}

  /** Adds a holder: a variable, a reference, a borrowed view. */
  retain(): this {
    this.#holders++;
    if (this.#holders > 1) return this;
    if (this.base !== undefined) {
      this.base.retain();
      return this;
    }
    this.memory?.retain();
    if (this.kind === "block") this.memory!.exporters++;
    return this;
  }

  /** Removes a holder. */
  release(): void {
    this.#holders--;
    if (this.#holders < 0) throw new Error("the model's own count is wrong");
    if (this.#holders > 0) return;
    if (this.base !== undefined) return this.base.release();
    this.memory?.release();
    if (this.kind === "block") this.memory!.exporters--;
  }

  get isAlive(): boolean {
    return this.#holders > 0;
  }
}
