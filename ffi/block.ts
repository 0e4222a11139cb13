/** Blocks: typed memory in Python's heap. */

import { failure, whole } from "./checks.ts";
import { BorrowedError, FreedError } from "./errors.ts";
import { type Keeper, returnKeeper, takeKeeper } from "./keeper.ts";
import { napi, symbols } from "./library.ts";
import { received } from "./objects/outcome.ts";
import { freed, grew, seen, unviewed } from "./pressure.ts";
import { forget, remember } from "./objects/shared.ts";
import { CODE } from "./symbols.ts";
import {
  describe,
  type Element,
  type ElementType,
  elementType,
  type TypedArray,
  type TypedArrayConstructor,
} from "./types.ts";

/** The largest alignment that can be asked for: a page. */
const LARGEST_ALIGN = 4096;

/** A view's memory up to this size may be freed later; above it the thread attaches and frees at once. As in Rust. */
const DEFERRED_FREE_BYTES = 64 * 1024;

/**
 * What {@linkcode alloc} can be told besides type and length.
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
 * What {@linkcode realloc} can be told besides block and length.
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

/** Gives `alloc` the constructor, which is nobody else's to call. */
let create: <A extends TypedArray>(
  type: TypedArrayConstructor<A>,
  element: ElementType,
  length: number,
  zeroed: boolean,
  align: number,
) => Block<A>;

/** Gives the buffer that stands for a block on its way to Python; a `FreedError` if the block is freed. */
export let crossingOf: (block: Block<TypedArray>) => ArrayBuffer;

/** Whether an object is a block. Asked of its private field, so that no code of a program's runs. */
export let isBlock: (value: object) => value is Block<TypedArray>;

/**
 * What {@linkcode Block.toPython} can be told.
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
  #elementSize: number;
  #length: number;
  #address: number;
  #view: A | undefined = undefined;
  /** Owns the slot that tells Rust what the block holds; none once the block is freed. */
  #keeper: Keeper | undefined;
  /** By which the block is known again when it comes back from Python; 0 as long as it wasn't given to Python. */
  #identity = 0;

  static {
    create = (type, element, length, zeroed, align) => {
      const bytes = byteLength(element.bytes, length);
      const keeper = takeKeeper();
      const address = symbols.oneheap_block_alloc(
        keeper.slot,
        bytes,
        align,
        zeroed ? 1 : 0,
        element.number,
      );
      if (address <= 0) {
        returnKeeper(keeper);
        throw failure(address, bytes);
      }
      grew(bytes);
      return new Block(type, element.bytes, length, address, keeper);
    };
    isBlock = (value): value is Block<TypedArray> => #identity in value;
    crossingOf = (block) => {
      const { buffer, slot } = block.#live();
      if (block.#identity === 0) {
        block.#identity = symbols.oneheap_block_identity(slot);
        remember(block.#identity, block);
      }
      return buffer;
    };
  }

  private constructor(
    type: TypedArrayConstructor<A>,
    elementSize: number,
    length: number,
    address: number,
    keeper: Keeper,
  ) {
    this.type = type;
    this.#elementSize = elementSize;
    this.#length = length;
    this.#address = address;
    this.#keeper = keeper;
  }

  /** How many elements the block has; 0 once it is freed. */
  get length(): number {
    return this.freed ? 0 : this.#length;
  }

  /** The block's size in bytes; 0 once it is freed. */
  get byteLength(): number {
    return this.freed ? 0 : this.#length * this.#elementSize;
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
    return this.#keeper === undefined || this.#isGivenAway();
  }

  /**
   * The typed array over the block's memory; no copy. It is made on first use and stays the same until `realloc` or
   * `free` detach it, and with it every view of its buffer. Transferring its buffer (to a Worker, by `structuredClone`)
   * gives the memory away: the block is then as freed.
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
   * @returns A pointer to the object, with a reference to it that the caller owns. `new PyObjectRef(pointer)` takes it over, or
   * deno_python's `new PyObject(pointer)`. Whoever takes it over must let go of it, or the memory is never freed.
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
    const shape = options?.shape;
    if (shape !== undefined) this.#checkShape(shape);
    const readonly = options?.readonly ? 1 : 0;
    const address = received(napi.export(crossingOf(this), readonly, shape));
    return symbols.oneheap_pointer(address as number) as Deno.PointerObject;
  }

  /** Changes the block's length to `length` elements, as {@linkcode realloc} does. */
  realloc(length: number, options?: ReallocOptions): Block<A> {
    const newLength = whole("length", length);
    const bytes = byteLength(this.#elementSize, newLength);
    const zeroed = options?.zeroed ?? true;
    const { slot } = this.#live();
    this.#detachForResizing(slot);
    const address = symbols.oneheap_block_realloc(slot, bytes, zeroed ? 1 : 0);
    if (address === CODE.borrowed) {
      const holders = symbols.oneheap_block_hold(slot);
      if (holders > 0) throw new BorrowedError(holders);
      // Another thread's Python code has let go in between.
      return this.realloc(length, options);
    }
    // Where nobody in Python holds the memory, nothing can come back; and Rust knows it by no number any more.
    this.#forgetIdentity();
    if (address <= 0) throw failure(address, bytes);
    grew(bytes - this.#length * this.#elementSize);
    this.#address = address;
    this.#length = newLength;
    return this;
  }

  /** Frees the block, as {@linkcode free} does. */
  free(): void {
    const keeper = this.#live();
    const view = this.#view;
    this.#keeper = this.#view = undefined;
    const bytes = this.#length * this.#elementSize;
    this.#forgetIdentity();
    symbols.oneheap_block_free(keeper.slot);
    freed(bytes);
    if (view === undefined) seen(bytes);
    else detach(view.buffer);
    returnKeeper(keeper);
  }

  /** Frees the block unless it is freed. */
  [Symbol.dispose](): void {
    if (!this.freed) this.free();
  }

  /** What keeps the slot; a `FreedError` if the block is freed. */
  #live(): Keeper {
    if (this.#isGivenAway()) this.#forget();
    if (this.#keeper !== undefined) return this.#keeper;
    throw new FreedError(
      `This block of ${this.type.name} was freed, or its view's memory was transferred away. Allocate a new one`,
    );
  }

  /** Somebody transferred the view's buffer. An attached view of no elements can't be told by its length alone. */
  #isGivenAway(): boolean {
    const view = this.#view;
    return view !== undefined && view.length === 0 && view.buffer.detached;
  }

  #forget(): void {
    const keeper = this.#keeper!;
    this.#keeper = this.#view = undefined;
    this.#forgetIdentity();
    symbols.oneheap_block_forget(keeper.slot);
    returnKeeper(keeper);
  }

  /** From now on Python's memory isn't the block's. */
  #forgetIdentity(): void {
    if (this.#identity === 0) return;
    forget(this.#identity);
    this.#identity = 0;
  }

  #checkShape(shape: readonly number[]): void {
    const length = shape.reduce(
      (product, extent) => product * whole("shape", extent),
      1,
    );
    if (length === this.#length) return;
    throw new RangeError(
      `The shape must have as many elements as the block, ${this.#length}; [${
        shape.join(", ")
      }] has ${length}`,
    );
  }

  #makeView(): A {
    const buffer = napi.view(this.#keeper!.slot)!;
    seen(buffer.byteLength);
    return new this.type(buffer, 0, this.#length);
  }

  /** Detaches the view, while the block takes a hold of its own so that the memory outlives that. */
  #detachForResizing(slot: number): void {
    const view = this.#view;
    if (view === undefined) return;
    const holders = symbols.oneheap_block_hold(slot);
    if (holders > 0) throw new BorrowedError(holders);
    this.#view = undefined;
    unviewed(view.buffer.byteLength);
    view.buffer.transfer(0);
  }
}

/** Elements to bytes; a `RangeError` for more than a typed array can have. */
function byteLength(elementSize: number, length: number): number {
  const bytes = elementSize * length;
  if (bytes <= Number.MAX_SAFE_INTEGER) return bytes;
  throw new RangeError(
    `The length must be at most ${
      Math.floor(Number.MAX_SAFE_INTEGER / elementSize)
    } elements; ${length} was given`,
  );
}

/** Detaches a buffer. If V8 lets go of its memory here, and it is large, the thread is attached to free it at once. */
function detach(buffer: ArrayBuffer): void {
  if (buffer.byteLength <= DEFERRED_FREE_BYTES) {
    buffer.transfer(0);
    return;
  }
  const attached = symbols.oneheap_attach() === 1;
  buffer.transfer(0);
  if (attached) symbols.oneheap_detach();
}

/**
 * Allocates a block in Python's heap: of `length` elements, or with a copy of the elements of `source`.
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
  const align = options?.align === undefined ? 16 : checkedAlign(options.align);
  if (typeof source === "number") {
    return create(type, element, whole("length", source), zeroed, align);
  }
  const elements = checkedElements(source);
  const block = create(
    type,
    element,
    whole("length", elements.length),
    false,
    align,
  );
  try {
    (block.view as { set(elements: ArrayLike<Element<A>>): void }).set(
      elements,
    );
  } catch (error) {
    block.free();
    throw error;
  }
  return block;
}

function checkedAlign(align: number): number {
  const log = Math.log2(whole("align", align));
  if (Number.isInteger(log) && align <= LARGEST_ALIGN) return align;
  throw new RangeError(
    `The align must be a power of two from 1 to ${LARGEST_ALIGN} bytes; ${align} was given`,
  );
}

/** The elements as something with a length. An iterable is read to its end first, before anything is allocated. */
function checkedElements<E>(source: ArrayLike<E> | Iterable<E>): ArrayLike<E> {
  if (ArrayBuffer.isView(source) && !(source instanceof DataView)) {
    return source as unknown as ArrayLike<E>;
  }
  if (typeof source === "object" && source !== null) {
    if (Array.isArray(source)) return source;
    if (Symbol.iterator in source) return Array.from(source);
    if (source instanceof Block) {
      throw new TypeError("A block was given as the source. Give its view");
    }
    if (typeof (source as ArrayLike<E>).length === "number") {
      return source as ArrayLike<E>;
    }
  }
  throw new TypeError(
    `The second argument must be a length, an array-like or an iterable; ${
      describe(source)
    } was given` +
      (source instanceof ArrayBuffer ? ". Give a typed array over it" : ""),
  );
}

/**
 * Changes a block's length to `length` elements, in place where Python's allocator can, and returns the same block. Its
 * contents are kept up to the smaller length; new elements are zero unless `zeroed` is false.
 *
 * Views made before are detached, and `view` makes a new one. While Python holds the memory, it can't be resized. If somebody
 * else still uses it (a pending read into it, say), they keep it, and the block goes on with a copy.
 *
 * @throws {BorrowedError} If Python holds the block's memory: then nothing is changed.
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
  return checkedBlock(block).realloc(length, options);
}

/**
 * Frees a block: detaches its views, and frees its memory unless somebody else still uses it (a pending read into it,
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
  checkedBlock(block).free();
}

function checkedBlock<A extends TypedArray>(block: Block<A>): Block<A> {
  if (block instanceof Block) return block;
  throw new TypeError(
    `The block must be one that alloc made; ${describe(block)} was given`,
  );
}
