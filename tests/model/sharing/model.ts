/**
 * The model: what each thing holds, as the documentation has it. A thing lives as long as somebody can be followed to it; what
 * memory lives, and who of Python's holds it, is counted by following everybody.
 */

import { isCounted } from "../../support/counting_hook.ts";

/** Something that lives as long as somebody holds it. */
export abstract class Thing {
  /** What it holds. */
  abstract holds(): readonly Thing[];
}

/** Memory with its contents. */
export class Memory extends Thing {
  constructor(
    /** Whose it is: a block's, or that of Python's own; or of a copy that was made for JavaScript. */
    readonly owner: "block" | "array" | "copy",
    public contents: Uint8Array<ArrayBuffer>,
  ) {
    super();
  }

  holds(): readonly Thing[] {
    return [];
  }
}

/** Anything in Python. */
export abstract class PythonThing extends Thing {}

/** What a view in Python or JavaScript can be over: part of some memory. */
export interface Exposed {
  readonly memory: Memory;
  readonly start: number;
  readonly length: number;
  readonly readonly: boolean;
}

/** The bytes that are exposed, as they should be. */
export function contents({ memory, start, length }: Exposed): Uint8Array {
  return memory.contents.subarray(start, start + length);
}

/** An `oneheap.Block`: it holds the memory of a block. */
export class Exporter extends PythonThing implements Exposed {
  readonly start = 0;
  readonly length: number;

  constructor(
    readonly memory: Memory,
    readonly elements: string,
    readonly readonly: boolean,
  ) {
    super();
    this.length = memory.contents.length;
  }

  holds(): readonly Thing[] {
    return [this.memory];
  }
}

/** An `array.array` of bytes: Python's own memory, which can be resized as long as nobody holds a buffer of it. */
export class PythonArray extends PythonThing implements Exposed {
  readonly memory: Memory;
  readonly elements = "Uint8Array";
  readonly start = 0;
  readonly readonly = false;

  constructor(contents: Uint8Array<ArrayBuffer>) {
    super();
    this.memory = new Memory("array", contents);
  }

  get length(): number {
    return this.memory.contents.length;
  }

  holds(): readonly Thing[] {
    return [this.memory];
  }
}

/** A `memoryview`. One of a `memoryview` holds what that is over, not the other one. */
export class MemoryView extends PythonThing implements Exposed {
  isReleased = false;

  constructor(
    readonly base: Exporter | PythonArray,
    readonly elements: string,
    readonly start: number,
    readonly length: number,
  ) {
    super();
  }

  get memory(): Memory {
    return this.base.memory;
  }

  get readonly(): boolean {
    return this.base.readonly;
  }

  holds(): readonly Thing[] {
    return this.isReleased ? [] : [this.base];
  }
}

/** A list or a function that refers to another thing. */
export class Container extends PythonThing {
  constructor(readonly content: PythonThing) {
    super();
  }

  holds(): readonly Thing[] {
    return [this.content];
  }
}

/** A list that has itself and another thing in it: only Python's collector frees it. */
export class Cycle extends Container {}

/** Anything in Python that has a buffer. */
export type Exporting = Exporter | PythonArray | MemoryView;

/** A `Py_buffer` that JavaScript holds. */
export class Lease extends Thing {
  constructor(readonly of: Exporting) {
    super();
  }

  holds(): readonly Thing[] {
    return [this.of];
  }
}

/** V8's backing store, which it counts the users of. */
export class BackingStore extends Thing implements Exposed {
  /** A block's memory isn't resized while there is a backing store of it, so this doesn't change. */
  readonly length: number;
  readonly readonly = false;

  constructor(
    readonly memory: Memory,
    readonly lease?: Lease,
  ) {
    super();
    this.length = lease?.of.length ?? memory.contents.length;
  }

  get start(): number {
    return this.lease?.of.start ?? 0;
  }

  holds(): readonly Thing[] {
    return [this.lease ?? this.memory];
  }
}

/** An `ArrayBuffer`. */
export class Buffer extends Thing {
  constructor(public store: BackingStore | undefined) {
    super();
  }

  get isDetached(): boolean {
    return this.store === undefined;
  }

  /** Gives the store to another buffer. */
  transfer(): Buffer {
    const { store } = this;
    this.store = undefined;
    return new Buffer(store);
  }

  holds(): readonly Thing[] {
    return this.store === undefined ? [] : [this.store];
  }
}

/** What should live. */
export interface Expected {
  /** The blocks' memory, as `stats()` counts it. */
  blocks: number;
  bytes: number;
  /** What the hook counts. */
  countedBlocks: number;
  countedBytes: number;
}

/** Everything that is held, by whoever holds it. */
export class Model {
  /** The lists that have themselves in them: they live until Python's collector finds that nobody else holds them. */
  #cycles = new Set<Cycle>();

  constructor(readonly roots: () => Iterable<Thing>) {}

  /** Everything that lives. */
  living(): Set<Thing> {
    return reached(this.roots(), this.#cycles);
  }

  /** What should be counted. */
  expected(): Expected {
    const expected = { blocks: 0, bytes: 0, countedBlocks: 0, countedBytes: 0 };
    for (const memory of this.living()) {
      if (!(memory instanceof Memory)) continue;
      const { length } = memory.contents;
      if (memory.owner === "block") {
        expected.blocks++;
        expected.bytes += length;
      }
      if (isCounted(length)) {
        expected.countedBlocks++;
        expected.countedBytes += length;
      }
    }
    return expected;
  }

  /** How many objects of Python's hold a block's memory. */
  exporters(memory: Memory): number {
    let count = 0;
    for (const thing of this.living()) {
      if (thing instanceof Exporter && thing.memory === memory) count++;
    }
    return count;
  }

  /** Whether somebody holds a buffer of an array. */
  isExported(array: PythonArray): boolean {
    for (const thing of this.living()) {
      if (thing instanceof Lease && thing.of === array) return true;
      if (thing instanceof MemoryView && thing.holds().includes(array)) {
        return true;
      }
    }
    return false;
  }

  /** Whether JavaScript holds a buffer of a `memoryview`. */
  isLeased(view: MemoryView): boolean {
    for (const thing of this.living()) {
      if (thing instanceof Lease && thing.of === view) return true;
    }
    return false;
  }

  /** Whether there is something that only Python's collector frees. */
  get hasCycles(): boolean {
    return this.#cycles.size > 0;
  }

  /** A list that has itself in it was made. */
  addCycle(cycle: Cycle): void {
    this.#cycles.add(cycle);
  }

  /** Python's collector ran. */
  collect(): void {
    const living = reached(this.roots(), []);
    for (const cycle of this.#cycles) {
      if (!living.has(cycle)) this.#cycles.delete(cycle);
    }
  }
}

function reached(...roots: Iterable<Thing>[]): Set<Thing> {
  const living = new Set<Thing>();
  const waiting = roots.flatMap((things) => [...things]);
  while (waiting.length > 0) {
    const thing = waiting.pop()!;
    if (living.has(thing)) continue;
    living.add(thing);
    waiting.push(...thing.holds());
  }
  return living;
}
