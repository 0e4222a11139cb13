/** Blocks: typed memory in Python's heap. */

import { errorForStatus, unwrapResult } from "../boundary/result.ts";
import { STATUS } from "../boundary/status.ts";
import { describe, requireSafeInteger } from "../checks.ts";
import {
  type Element,
  type ElementType,
  elementType,
  type TypedArray,
  type TypedArrayConstructor,
} from "../elements.ts";
import { BlockInUseError, FreedError } from "../errors.ts";
import { bufferDetached, setElements } from "../intrinsics.ts";
import { napi, symbols } from "../loading/native.ts";
import { tracker } from "../tracker.ts";
import { byteLengthOf, requireAlign, requireShape } from "./block_arguments.ts";
import { ExportedBlocks } from "./exported_blocks.ts";
import { reportDue, reportExternalMemory } from "./external_memory.ts";
import {
  type FinalizerToken,
  returnToken,
  takeToken,
} from "./finalizer_token.ts";
import { copyByIndex, readElements } from "./read_elements.ts";

/**
 * Options of {@linkcode alloc}.
 *
 * @example
 * ```ts
 * import { alloc, type AllocOptions } from "@oneheap/oneheap";
 *
 * const forVectors: AllocOptions = { zeroed: false, align: 64 };
 * using block = alloc(Float32Array, 1_024, forVectors);
 * console.log(block.address % 64); // 0
 * ```
 */
export interface AllocOptions {
  /** Whether every byte is zero to begin with. Without it the contents are arbitrary, and large blocks come faster. */
  zeroed?: boolean;
  /** The block's address is a multiple of this many bytes: a power of two up to 4096. At least 16 are kept anyway. */
  align?: number;
}

/**
 * Options of {@linkcode realloc}.
 *
 * @example
 * ```ts
 * import { alloc, realloc, type ReallocOptions } from "@oneheap/oneheap";
 *
 * const uninitialised: ReallocOptions = { zeroed: false };
 * using block = alloc(Uint8Array, 1_024);
 * console.log(realloc(block, 4_096, uninitialised).length); // 4096
 * ```
 */
export interface ReallocOptions {
  /** Whether the bytes of new elements are zero. Without it their contents are arbitrary. */
  zeroed?: boolean;
}

/** The key of the constructor: `private` is TypeScript's alone. */
const CONSTRUCTOR_KEY = Symbol();

/** Call the constructor, which nobody else can. */
let create: <A extends TypedArray>(
  type: TypedArrayConstructor<A>,
  element: ElementType,
  length: number,
  zeroed: boolean,
  align: number,
) => Block<A>;

/** Return the buffer that stands for a block in native code; a `FreedError` if the block is freed. */
export let tokenOf: (block: Block<TypedArray>) => ArrayBuffer;

/** Return how many Python objects hold a block's memory. */
export let exportersOf: (block: Block<TypedArray>) => number;

/** Return the number by which a block is recognised when it returns from Python; 0 if it has none. */
let identityOf: (block: Block<TypedArray>) => number;

/** Return whether a value is a block. Neither its prototype nor its class can be mistaken, whoever changes them. */
export let isBlock: (value: unknown) => value is Block<TypedArray>;

/**
 * Options of {@linkcode Block.toPython}.
 *
 * @example
 * ```ts
 * import { alloc, PyObjectRef, type ToPythonOptions } from "@oneheap/oneheap";
 *
 * const asMatrix: ToPythonOptions = { shape: [2, 3], readonly: true };
 * using block = alloc(Float32Array, 6);
 * using matrix = new PyObjectRef(block.toPython(asMatrix));
 * console.log(`${matrix}`); // <oneheap.Block of float32, shape (2, 3), read-only>
 * ```
 */
export interface ToPythonOptions {
  /** How many elements there are in each dimension, in C order; their product is the block's length, which is the default. */
  shape?: readonly number[];
  /** Whether Python may only read it. JavaScript may still write. */
  readonly?: boolean;
}

/**
 * One allocation in Python's heap, typed by a `TypedArray` constructor. {@linkcode alloc} makes it.
 *
 * The memory lives as long as somebody holds it: the block, until its `view` is made; from then on whoever JavaScript
 * lets use the view's buffer, sub-views and pending reads into them included. `free` ends the block's hold at once; a
 * block that is lost without `free` is freed some time after it is collected.
 *
 * @example
 * ```ts
 * import { alloc } from "@oneheap/oneheap";
 *
 * using block = alloc(Float64Array, 1_000);
 * block.view[0] = 1.5;
 * console.log(block.address, block.byteLength);
 * ```
 */
export class Block<A extends TypedArray> implements Disposable {
  /** The constructor of the block's views. */
  readonly type: TypedArrayConstructor<A>;
  /** The same; nobody can change this one. */
  #type: TypedArrayConstructor<A>;
  #elementSize: number;
  #length: number;
  #address = 0;
  #view: A | undefined = undefined;
  /** The view's buffer. */
  #buffer: ArrayBuffer | undefined = undefined;
  /** Owns the slot that says in Rust what the block holds; none once the block is freed. */
  #token: FinalizerToken | undefined;
  /** By which the block is recognised when it returns from Python; 0 as long as it wasn't exported to Python. */
  #identity = 0;

  static {
    create = (type, element, length, zeroed, align) => {
      const bytes = byteLengthOf(element.bytes, length);
      if (reportDue[0] !== 0) reportExternalMemory();
      const token = takeToken();
      const block = new Block(
        type,
        element.bytes,
        length,
        token,
        CONSTRUCTOR_KEY,
      );
      const address = symbols.oneheap_block_alloc(
        token.slot,
        bytes,
        align,
        zeroed ? 1 : 0,
        element.number,
      );
      if (address <= 0) {
        returnToken(token);
        throw errorForStatus(address, bytes);
      }
      // Nothing is called from here on that throws, now that there is memory.
      block.#address = address;
      if (tracker !== undefined) tracker.began(block, "block", bytes);
      return block;
    };
    tokenOf = (block) => {
      const { buffer, slot } = block.#live();
      if (block.#identity === 0) {
        const identity = symbols.oneheap_block_identity(slot);
        if (identity !== 0) exportedBlocks.register(identity, block);
        block.#identity = identity;
      }
      return buffer;
    };
    exportersOf = (block) =>
      block.#isFreed()
        ? 0
        : symbols.oneheap_block_exporters(block.#token!.slot);
    identityOf = (block) => block.#isFreed() ? 0 : block.#identity;
    isBlock = (value): value is Block<TypedArray> =>
      typeof value === "object" && value !== null && #token in value;
  }

  private constructor(
    type: TypedArrayConstructor<A>,
    elementSize: number,
    length: number,
    token: FinalizerToken,
    key: symbol,
  ) {
    if (key !== CONSTRUCTOR_KEY) {
      throw new TypeError("A block is made by alloc");
    }
    this.type = this.#type = type;
    this.#elementSize = elementSize;
    this.#length = length;
    this.#token = token;
  }

  /** How many elements the block has; 0 once it is freed. */
  get length(): number {
    return this.#isFreed() ? 0 : this.#length;
  }

  /** The block's size in bytes; 0 once it is freed. */
  get byteLength(): number {
    return this.#isFreed() ? 0 : this.#length * this.#elementSize;
  }

  /**
   * Where the block is: a number below 2^53, for `Deno.dlopen` libraries that take `usize` or `f64`. It may be read and
   * written there while the block is alive, never freed or resized. `realloc` may change it.
   */
  get address(): number {
    this.#live();
    return this.#address;
  }

  /** Whether the block was freed, or its view's memory transferred away. */
  get freed(): boolean {
    return this.#isFreed();
  }

  /** The same, whatever own property the block has. */
  #isFreed(): boolean {
    return this.#token === undefined || this.#isTransferred();
  }

  /**
   * The typed array over the block's memory; no copy. It is made on first use and stays the same until `realloc` or
   * `free` detach it, and with it every view of its buffer. Transferring its buffer (to a Worker, by `structuredClone`)
   * moves the memory away: the block is then as freed.
   */
  get view(): A {
    this.#live();
    return this.#view ??= this.#makeView();
  }

  /**
   * A pointer to the block, for functions of `Deno.dlopen` libraries. A `nonblocking` function doesn't keep the block
   * alive: keep it with `using` across the `await`.
   */
  get pointer(): Deno.PointerObject {
    this.#live();
    return symbols.oneheap_pointer(this.#address) as Deno.PointerObject;
  }

  /**
   * A new Python object over the block's memory: an `oneheap.Block`, which any function that takes a buffer takes
   * (`memoryview`, `numpy.asarray`, `bytes`). Nothing is copied. The memory lives as long as the object or a buffer of it does,
   * also when the block is freed.
   *
   * @returns A pointer to the object, with a reference to it that the caller owns. `new PyObjectRef(pointer)` takes ownership of it, or
   * deno_python's `new PyObject(pointer)`. Whoever owns it must decref it, or the memory is never freed.
   * @throws {RangeError} If the product of the `shape` isn't the block's length.
   * @throws {FreedError} If the block was freed.
   *
   * @example
   * ```ts
   * import { alloc, PyObjectRef, python } from "@oneheap/oneheap";
   *
   * using block = alloc(Int32Array, [1, 2, 3, 4, 5, 6]);
   * using matrix = new PyObjectRef(block.toPython({ shape: [2, 3] }));
   * console.log(python.eval("memoryview(matrix)[1, 2]", { names: { matrix } })); // 6
   * ```
   */
  toPython(options?: ToPythonOptions): Deno.PointerObject {
    const readonly = options?.readonly ? 1 : 0;
    const shape = options?.shape;
    const extents = shape === undefined ? undefined : requireShape(shape);
    if (extents !== undefined) this.#checkProduct(extents);
    const address = unwrapResult(
      napi.toPython(tokenOf(this), readonly, extents),
    );
    return symbols.oneheap_pointer(address as number) as Deno.PointerObject;
  }

  /** Change the block's length to `length` elements, as {@linkcode realloc} does. */
  realloc(length: number, options?: ReallocOptions): Block<A> {
    const newLength = requireSafeInteger("length", length);
    const zeroed = (options?.zeroed ?? true) ? 1 : 0;
    const bytes = byteLengthOf(this.#elementSize, newLength);
    if (reportDue[0] !== 0) reportExternalMemory();
    const { buffer, slot } = this.#live();
    const address = this.#view === undefined
      ? symbols.oneheap_block_realloc(slot, bytes, zeroed)
      : napi.reallocBlock(buffer, this.#buffer!, bytes, zeroed);
    // Nothing is called between the change and these.
    if (address > 0) {
      this.#address = address;
      this.#length = newLength;
      // Where nobody in Python holds the memory, nothing can return.
      this.#identity = 0;
      this.#view = this.#buffer = undefined;
      if (tracker !== undefined) tracker.resized(this, bytes);
      return this;
    }
    if (address === STATUS.outOfMemory || address === STATUS.misaligned) {
      this.#identity = 0;
      this.#view = this.#buffer = undefined;
    }
    if (address !== STATUS.blockInUse) throw errorForStatus(address, bytes);
    const holders = symbols.oneheap_block_exporters(slot);
    if (holders > 0) throw new BlockInUseError(holders);
    // Another thread's Python code has released it in between.
    return this.realloc(newLength, { zeroed: zeroed === 1 });
  }

  /** Free the block, as {@linkcode free} does. */
  free(): void {
    const token = this.#live();
    if (tracker !== undefined) tracker.ended(this, token.buffer);
    const status = this.#buffer === undefined
      ? symbols.oneheap_block_free(token.slot)
      : napi.freeBlock(token.buffer, this.#buffer);
    if (status !== 1) throw errorForStatus(status, 0);
    this.#token = this.#view = this.#buffer = undefined;
    this.#identity = 0;
    try {
      returnToken(token);
    } catch {
      // At the stack's end: it is left to the collector.
    }
  }

  /** Free the block unless it is freed. */
  [Symbol.dispose](): void {
    if (!this.#isFreed()) this.free();
  }

  /** What owns the slot; a `FreedError` if the block is freed. */
  #live(): FinalizerToken {
    const isTransferred = this.#isTransferred();
    if (isTransferred) this.#clear();
    else if (this.#token !== undefined) return this.#token;
    throw new FreedError(
      `This block of ${this.#type.name} was freed, or its view's memory was transferred away. Allocate a new one`,
    );
  }

  /**
   * Return whether somebody transferred the view's buffer. An element of a typed array can't be hidden or made up by own properties or
   * prototypes, as `length` can; a view of no elements is recognised by its buffer.
   */
  #isTransferred(): boolean {
    const view = this.#view;
    return view !== undefined && view[0] === undefined &&
      (this.#length !== 0 || bufferDetached(this.#buffer!));
  }

  #clear(): void {
    const token = this.#token!;
    // Another operation on the block, within which this runs, has the slot and returns the token.
    if (symbols.oneheap_block_clear(token.slot) !== 1) return;
    if (tracker !== undefined) tracker.ended(this);
    this.#token = this.#view = this.#buffer = undefined;
    this.#identity = 0;
    try {
      returnToken(token);
    } catch {
      // At the stack's end: it is left to the collector.
    }
  }

  #checkProduct(extents: readonly number[]): void {
    let length = 1;
    for (let index = 0; index < extents.length; index++) {
      length *= extents[index];
    }
    if (length === this.#length) return;
    throw new RangeError(
      `The shape must have as many elements as the block, ${this.#length}; [${
        extents.join(", ")
      }] has ${length}`,
    );
  }

  #makeView(): A {
    const buffer = napi.newBackingStore(this.#token!.buffer);
    if (buffer === undefined) throw errorForStatus(STATUS.freed, 0);
    // Native code has made sure that there is stack for this.
    const view = new this.#type(buffer, 0, this.#length);
    this.#buffer = buffer;
    return this.#view = view;
  }
}

/** The blocks of this thread that were exported to Python. */
export const exportedBlocks: ExportedBlocks<Block<TypedArray>> =
  new ExportedBlocks(identityOf);

/**
 * Allocate a block in Python's heap: of `length` elements, or with a copy of the elements of `source`.
 *
 * The block is Python memory: `tracemalloc` counts it, Python's debug hooks guard it. The caller owns it and frees it
 * by `using`, `free()` or {@linkcode free}; if it is lost, it is freed after it is collected.
 *
 * @param type The constructor of the block's views, as `Float64Array`.
 * @param source The length in elements, or an array-like or iterable of elements to copy in.
 * @throws {RangeError} For a length that is negative, fractional, NaN or too large, or an `align` that isn't a power of
 * two up to 4096.
 * @throws {TypeError} If `type` is no `TypedArray` constructor, or `source` is neither a number nor elements of the type
 * (for an `ArrayBuffer`, give a typed array over it).
 * @throws {AllocationError} If memory is out.
 *
 * @example
 * ```ts
 * import { alloc } from "@oneheap/oneheap";
 *
 * using zeroes = alloc(Float64Array, 1_000);
 * using scratch = alloc(Uint8Array, 1 << 20, { zeroed: false, align: 64 });
 * using copy = alloc(Int32Array, [1, 2, 3]);
 * console.log(zeroes.length, scratch.byteLength, copy.view);
 * ```
 */
export function alloc<A extends TypedArray>(
  type: TypedArrayConstructor<A>,
  source: number | ArrayLike<Element<A>> | Iterable<Element<A>>,
  options?: AllocOptions,
): Block<A> {
  const element = elementType(type);
  const zeroed = options?.zeroed ?? true;
  const align = requireAlign(options?.align);
  if (typeof source === "number") {
    return create(
      type,
      element,
      requireSafeInteger("length", source),
      zeroed,
      align,
    );
  }
  if (isBlock(source)) {
    throw new TypeError("A block was given as the source. Give its view");
  }
  const { elements, length, isOrdinary } = readElements(source);
  // No step below is left undone for want of stack.
  napi.ensureStack();
  const block = create(
    type,
    element,
    requireSafeInteger("length", length),
    false,
    align,
  );
  // Code of the elements may run here (`valueOf`, getters). It can't reach the block, nor have an element left out.
  try {
    if (isOrdinary) setElements(block.view, elements as ArrayLike<number>);
    else copyByIndex(elements, block.view, length);
  } catch (error) {
    block.free();
    throw error;
  }
  return block;
}

/**
 * Change a block's length to `length` elements, in place where Python's allocator can, and return the same block. Its
 * contents are kept up to the smaller length; new elements are zero unless `zeroed` is false.
 *
 * Views made before are detached, and `view` makes a new one. While Python holds the memory, it can't be resized. If somebody
 * else still uses it (a pending read into it, say), they keep it, and the block goes on with a copy.
 *
 * @throws {BlockInUseError} If Python holds the block's memory: then nothing is changed.
 * @throws {AllocationError} If memory is out: then contents, address and length are as before, and `view` works again.
 * @throws {FreedError} If the block was freed.
 * @throws {RangeError} For a length that is negative, fractional, NaN or too large.
 *
 * @example
 * ```ts
 * import { alloc, realloc } from "@oneheap/oneheap";
 *
 * using block = alloc(Float64Array, [1, 2]);
 * realloc(block, 4);
 * console.log(block.view); // Float64Array(4) [ 1, 2, 0, 0 ]
 * ```
 */
export function realloc<A extends TypedArray>(
  block: Block<A>,
  length: number,
  options?: ReallocOptions,
): Block<A> {
  return requireBlock(block).realloc(length, options);
}

/**
 * Free a block: detach its views, and free its memory unless somebody else still uses it (a pending read into it,
 * say), who then is the one that frees it.
 *
 * @throws {FreedError} If the block was freed before.
 *
 * @example
 * ```ts
 * import { alloc, free } from "@oneheap/oneheap";
 *
 * const block = alloc(Float64Array, 1_000);
 * free(block);
 * console.log(block.freed); // true
 * ```
 */
export function free(block: Block<TypedArray>): void {
  requireBlock(block).free();
}

function requireBlock<A extends TypedArray>(block: Block<A>): Block<A> {
  if (isBlock(block)) return block as Block<A>;
  throw new TypeError(
    `The block must be one that alloc made; ${describe(block)} was given`,
  );
}
