/** The formats of heap reports that other programs read. */

import type { Amount, Frame, HeapData, StackEntry } from "./heap_data.ts";

/** An amount of a stack: what is alive, or was at the peak. */
type Measure = (stack: StackEntry) => Amount | undefined;

const live: Measure = (stack) => stack.live;
const atPeak: Measure = (stack) => stack.peak;

/** Return how a frame is shown in one line. */
function titleOf({ name, file, line }: Frame): string {
  if (file === "") return name;
  const place = `${file.split(/[/\\]/).at(-1)}:${line}`;
  return name === "" ? place : `${name} (${place})`;
}

/**
 * The stacks as `flamegraph.pl` and its kind read them: one line each, the frames joined by semicolons, the bytes behind a space.
 * https://github.com/brendangregg/FlameGraph
 */
export function collapsed({ stacks, frames }: HeapData): string {
  return stacks.filter((stack) => stack.live.bytes > 0).map((stack) => {
    const names = stack.frames.map((index) =>
      titleOf(frames[index]).replace(/[;\n\r]/g, " ")
    );
    return `${[stack.language, ...names].join(";")} ${
      Math.round(stack.live.bytes)
    }\n`;
  }).join("");
}

/** A profile as speedscope reads it: https://www.speedscope.app/file-format-schema.json */
export function speedscope(data: HeapData): string {
  const profiles = [profileOf(data, "live", live)];
  if (data.peak !== undefined) {
    profiles.push(profileOf(data, "at the peak", atPeak));
  }
  return JSON.stringify({
    $schema: "https://www.speedscope.app/file-format-schema.json",
    name: `Heap of ${data.program}`,
    exporter: "oneheap",
    activeProfileIndex: 0,
    shared: {
      frames: data.frames.map((frame) => ({
        name: titleOf(frame),
        file: frame.file,
        line: frame.line,
      })),
    },
    profiles,
  });
}

function profileOf(data: HeapData, name: string, measure: Measure) {
  const stacks = data.stacks.filter((it) => (measure(it)?.bytes ?? 0) > 0);
  const weights = stacks.map((it) => Math.round(measure(it)!.bytes));
  return {
    type: "sampled",
    name,
    unit: "bytes",
    startValue: 0,
    endValue: weights.reduce((sum, weight) => sum + weight, 0),
    samples: stacks.map(({ frames }) => frames),
    weights,
  };
}

/** A node of a sampling heap profile. */
interface ProfileNode {
  readonly callFrame: {
    readonly functionName: string;
    readonly scriptId: string;
    readonly url: string;
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
  selfSize: number;
  readonly id: number;
  readonly children: ProfileNode[];
}

/**
 * A sampling heap profile as Chromium's DevTools and Visual Studio Code open it.
 * https://chromedevtools.github.io/devtools-protocol/tot/HeapProfiler/#type-SamplingHeapProfile
 */
export function heapprofile({ stacks, frames }: HeapData): string {
  let lastId = 0;
  const nodeOf = (frame: Frame): ProfileNode => ({
    callFrame: {
      functionName: frame.name || `${frame.file}:${frame.line}`,
      scriptId: "0",
      url: frame.file.startsWith("/") ? `file://${frame.file}` : frame.file,
      // Lines are counted from 0 there.
      lineNumber: Math.max(frame.line - 1, 0),
      columnNumber: 0,
    },
    selfSize: 0,
    id: ++lastId,
    children: [],
  });
  const head = nodeOf({
    name: "(root)",
    file: "",
    line: 0,
    language: "typescript",
  });
  const children = new Map<ProfileNode, Map<number, ProfileNode>>();
  const childOf = (parent: ProfileNode, frame: number): ProfileNode => {
    let known = children.get(parent);
    if (known === undefined) children.set(parent, known = new Map());
    let child = known.get(frame);
    if (child === undefined) {
      known.set(frame, child = nodeOf(frames[frame]));
      parent.children.push(child);
    }
    return child;
  };
  const samples = stacks.filter((stack) => stack.live.bytes > 0).map(
    (stack, ordinal) => {
      const node = stack.frames.reduce(childOf, head);
      const size = Math.round(stack.live.bytes);
      node.selfSize += size;
      return { size, nodeId: node.id, ordinal: ordinal + 1 };
    },
  );
  return JSON.stringify({ head, samples });
}
