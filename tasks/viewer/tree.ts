/** Trees of places: what the treemap and the flame graph show. */

import {
  data,
  innermostOf,
  type Language,
  LANGUAGES,
  nameOf,
  type StackEntry,
  type State,
  titleOf,
  valueOf,
} from "./data.ts";

/** The name of a root. */
export const ROOT = "all";

/** A node, with the sum of what is below it. */
export interface Node {
  /** What tells it apart from the other children of its parent. */
  readonly key: string;
  /** How it is shown. */
  readonly name: string;
  readonly language: Language;
  /** The sum of the sizes: of a change, how much it is in either direction. */
  value: number;
  /** The sum with its signs. */
  change: number;
  readonly children: Map<string, Node>;
}

/** A step of the way to a node: its key, and how it is shown. */
type Step = readonly [key: string, name: string];

/** Make a node without a value. */
function node([key, name]: Step, language: Language): Node {
  return { key, name, language, value: 0, change: 0, children: new Map() };
}

/** Return a tree of stacks. The steps on the way to each are what `pathOf` returns. */
function treeOf(
  stacks: readonly StackEntry[],
  state: State,
  pathOf: (stack: StackEntry) => Step[],
): Node {
  const root = node([ROOT, ROOT], "typescript");
  for (const stack of stacks) {
    const change = valueOf(stack, state);
    if (change === 0) continue;
    let at = root;
    const add = (to: Node) => {
      to.value += Math.abs(change);
      to.change += change;
    };
    add(root);
    for (const step of pathOf(stack)) {
      let child = at.children.get(step[0]);
      if (child === undefined) {
        child = node(step, stack.language);
        at.children.set(child.key, child);
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
    const innermost = innermostOf(stack);
    const { file } = innermost;
    const path = [languageStep(stack)];
    if (file !== "") path.push([file, nameOf(file)]);
    path.push([`${stack.frames.at(-1)}`, titleOf(innermost)]);
    return path;
  });
}

/** Return the tree by callers: the language, then the outermost frame, and what it called. */
export function callTree(stacks: readonly StackEntry[], state: State): Node {
  return treeOf(stacks, state, (stack) => [
    languageStep(stack),
    ...stack.frames.map((index): Step => [
      `${index}`,
      titleOf(data.frames[index]),
    ]),
  ]);
}

function languageStep({ language }: StackEntry): Step {
  return [language, LANGUAGES[language]];
}

/** Return the nodes from the root along the keys, as far as there are any. */
export function trailOf(root: Node, keys: readonly string[]): Node[] {
  const trail = [root];
  for (const key of keys) {
    const at = trail.at(-1)!;
    const next = at.children.get(key) ??
      largestChildren(at, at.value).find((child) => child.key === key);
    if (next === undefined) break;
    trail.push(next);
  }
  return trail;
}

/** Return the children of a node, the largest first; what is below a thousandth of the whole is one of them. */
export function largestChildren(parent: Node, whole: number): Node[] {
  const sorted = [...parent.children.values()].sort((one, other) =>
    other.value - one.value
  );
  // So that each step down shows something, however many there are.
  const least = parent.value === whole ? MIN_CHILDREN : 0;
  const large = sorted.filter((it, index) =>
    index < least || index < MAX_CHILDREN && it.value >= whole * MIN_PART
  );
  const rest = sorted.slice(large.length);
  if (rest.length === 0) return large;
  if (rest.length === 1) return sorted;
  const other = node(
    [SMALLER, `${rest.length} smaller ones`],
    parent.language,
  );
  for (const child of rest) {
    other.value += child.value;
    other.change += child.change;
    other.children.set(child.key, child);
  }
  return [...large, other];
}

/** The key of what stands for the smaller ones. */
export const SMALLER = "smaller";

/** How many children of a node are shown at most, how many at least of the whole, and which part of it all is too small to be. */
const MAX_CHILDREN = 200;
const MIN_CHILDREN = 20;
const MIN_PART = 0.001;
