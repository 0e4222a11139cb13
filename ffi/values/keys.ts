/**
 * The keys of objects on their way to Python: a tree whose paths are the shapes of objects. Python's side is told each node once.
 *
 * Most objects have the keys of one before, in the same order. So each node remembers the child that was taken last: one comparison of
 * pointers a key.
 */

import { mapGet, mapSet, mapSize, PlainArray } from "../intrinsics.ts";
import {
  MAX_SHAPE_CHILDREN,
  MAX_SHAPE_KEYS,
  MAX_SHAPE_NODES,
} from "../limits.ts";

/** A node of the tree: a key, behind those of its parents. */
export class KeyNode {
  /** The child that was taken last. */
  last: KeyNode;
  /** The first key that an object in the place of this node had last. */
  nested: KeyNode;
  /** The children by their keys. */
  children: Map<string, KeyNode> | undefined = undefined;

  /** Make a node without children. */
  constructor(
    readonly number: number,
    readonly key: string | undefined,
    readonly depth: number,
    none: KeyNode | undefined,
  ) {
    this.last = none ?? this;
    this.nested = none ?? this;
  }
}

/** No node: no key is equal to its own. */
export const NO_NODE: KeyNode = new KeyNode(-1, undefined, 0, undefined);

/** The tree of this thread. */
export class KeyTree {
  /** Where every shape begins. */
  root: KeyNode = new KeyNode(0, undefined, 0, NO_NODE);
  /** What Python's side is to be told: alternating the number of a node, and the key behind it. */
  untold: PlainArray<number | string> = new PlainArray();
  #count = 1;
  #isFull = false;

  /** Find or add the node of a key behind another; undefined if there is no place for it. */
  find(node: KeyNode, key: string): KeyNode | undefined {
    const children = node.children ??= new Map();
    const found = mapGet(children, key);
    if (found !== undefined) return found;
    if (
      mapSize(children) >= MAX_SHAPE_CHILDREN ||
      this.#count > MAX_SHAPE_NODES ||
      node.depth >= MAX_SHAPE_KEYS
    ) {
      this.#isFull ||= this.#count > MAX_SHAPE_NODES;
      return undefined;
    }
    const added = new KeyNode(this.#count++, key, node.depth + 1, NO_NODE);
    mapSet(children, key, added);
    const { untold } = this;
    untold[untold.length] = node.number;
    untold[untold.length] = key;
    return added;
  }

  /** Begin anew if the tree is full. Return whether it does. */
  clearIfFull(): boolean {
    if (!this.#isFull) return false;
    this.root = new KeyNode(0, undefined, 0, NO_NODE);
    this.untold = new PlainArray();
    this.#count = 1;
    this.#isFull = false;
    return true;
  }
}
