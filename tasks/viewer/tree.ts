/** Trees of places: what the treemap and the flame graph show. */

import {
  baseOf,
  framesOf,
  type Language,
  LANGUAGES,
  type StackEntry,
  type State,
  titleOf,
  valueOf,
} from "./data.ts";

/** The name of a root. */
export const ROOT = "all";

/** A node, with the sum of what is below it. */
export interface Node {
  readonly name: string;
  readonly language: Language;
  /** The sum of the sizes: of a change, how much it is in either direction. */
  value: number;
  /** The sum with its signs. */
  change: number;
  readonly children: Map<string, Node>;
}

/** Make a node without a value. */
function node(name: string, language: Language): Node {
  return { name, language, value: 0, change: 0, children: new Map() };
}

/** Return a tree of stacks. The names on the way to each are what `pathOf` returns. */
function treeOf(
  stacks: readonly StackEntry[],
  state: State,
  pathOf: (stack: StackEntry) => string[],
): Node {
  const root = node(ROOT, "typescript");
  for (const stack of stacks) {
    const change = valueOf(stack, state);
    if (change === 0) continue;
    let at = root;
    const add = (to: Node) => {
      to.value += Math.abs(change);
      to.change += change;
    };
    add(root);
    for (const name of pathOf(stack)) {
      let child = at.children.get(name);
      if (child === undefined) {
        child = node(name, stack.language);
        at.children.set(name, child);
      }
      add(child);
      at = child;
    }
  }
  return root;
}

/** Return the tree by language, file, and the innermost function. */
export function placeTree(stacks: readonly StackEntry[], state: State): Node {
  return treeOf(stacks, state, (stack) => {
    const innermost = framesOf(stack).at(-1)!;
    const path = [LANGUAGES[stack.language]];
    if (innermost.file !== "") path.push(baseOf(innermost.file));
    path.push(titleOf(innermost));
    return path;
  });
}

/** Return the tree by callers: the language, then the outermost frame, and what it called. */
export function callTree(stacks: readonly StackEntry[], state: State): Node {
  return treeOf(stacks, state, (stack) => [
    LANGUAGES[stack.language],
    ...framesOf(stack).map(titleOf),
  ]);
}

/** Return the children of a node, the largest first; what is below a thousandth of it all is one of them. */
export function largestChildren(parent: Node, whole: number): Node[] {
  const sorted = [...parent.children.values()].sort((one, other) =>
    other.value - one.value
  );
  const large = sorted.filter((it, index) =>
    index < MAX_CHILDREN && it.value >= whole * MIN_PART
  );
  const rest = sorted.slice(large.length);
  if (rest.length === 0) return large;
  const other = node(`${rest.length} smaller ones`, parent.language);
  for (const { value, change } of rest) {
    other.value += value;
    other.change += change;
  }
  return [...large, other];
}

/** How many children of a node are shown, and which part of it all is too small to be. */
const MAX_CHILDREN = 200;
const MIN_PART = 0.001;
