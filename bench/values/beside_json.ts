/**
 * A program that passes documents to Python and back, beside JSON text, and prints the times as JSON. What `values_figures.ts` shows.
 *
 * Two rivals to Python, the better of which counts: `orjson.loads` of a string, and of its bytes. Where Python has no orjson, its `json`.
 * All ways of a document take turns in random order; the first decile of each counts, for what else the machine does only adds.
 */

import { type PyObjectRef, python, PythonScope } from "../../mod.ts";
import { MODE } from "../../ffi/boundary/status.ts";
import { napi } from "../../ffi/loading/native.ts";
import { moduleOf } from "../../ffi/running/scope.ts";
import { crossWith, writeNested } from "../../ffi/values/write.ts";
import { DOCUMENTS } from "./documents.ts";

/** How long each document is measured, in milliseconds, and how many rounds at least. */
const MILLISECONDS = 3_000;
const ROUNDS = 11;
/** A round of the small object repeats each way so often, for a call is shorter than the clock is exact. */
const REPETITIONS = 1_000;

/** Times in nanoseconds. */
export interface Measured {
  readonly name: string;
  /** To Python: text, and values; building alone, and Python's own `marshal.loads` of the same. */
  readonly there: {
    text: number;
    values: number;
    building: number;
    marshal: number;
  };
  /** To JavaScript: text, `JSON.parse` of it alone, and values. */
  readonly back: { text: number; parsing: number; values: number };
}

/** What the program prints. */
export interface BesideJson {
  /** The rival's name and version. */
  readonly rival: string;
  readonly documents: readonly Measured[];
  /** A call with None, in nanoseconds. */
  readonly call: number;
}

const scope = new PythonScope();
python.run(
  `
  import gc, marshal
  try:
      import orjson
      rival = f"orjson {orjson.__version__}"
      from orjson import dumps, loads
  except ImportError:
      import json
      rival = "json"
      loads = json.loads
      def dumps(value):
          return json.dumps(value).encode()
  # Garbage that others have left is not to be collected in the midst of either way.
  gc.disable()
  kept = []
  keep = kept.append
  def keep_text(text):
      keep(loads(text))
  def marshal_keeper(text):
      data = marshal.dumps(loads(text))
      return lambda: keep(marshal.loads(data))
  def none(value):
      return None
  `,
  { scope },
);
const get = (name: string) => scope.get(name) as PyObjectRef;
const [keep, keepText, dumps, none] = ["keep", "keep_text", "dumps", "none"]
  .map(get);
const clear = get("kept").get("clear") as PyObjectRef;
const encoder = new TextEncoder(), decoder = new TextDecoder();

const documents = Object.entries(DOCUMENTS).map(([name, document]) =>
  measure(name, document)
);
const result: BesideJson = {
  rival: python.eval("rival", { scope }) as string,
  documents,
  call: alternate({ call: () => none.call(null) }, REPETITIONS).call,
};
console.log(JSON.stringify(result));

function measure(name: string, document: unknown): Measured {
  const object = document as object;
  const text = JSON.stringify(document);
  const names = { text };
  using value = python.eval("[loads(text)]", { scope, names }) as PyObjectRef;
  using found = value.item(0) as PyObjectRef;
  using keepMarshal = python.eval("marshal_keeper(text)", {
    scope,
    names,
  }) as PyObjectRef;
  const times = alternate({
    text: () => keepText.call(JSON.stringify(document)),
    bytes: () => keepText.call(encoder.encode(JSON.stringify(document))),
    values: () => keep.call(object),
    marshal: () => keepMarshal.call(),
    back: () => JSON.parse(decoder.decode(dumps.call(found) as Uint8Array)),
    parsing: () => JSON.parse(text),
    valuesBack: () => found.toJs(),
  }, name === "small object" ? REPETITIONS : 1);
  const builds = Array.from({ length: ROUNDS }, () => build(object));
  return {
    name,
    there: {
      text: Math.min(times.text, times.bytes),
      values: times.values,
      building: decile(builds),
      marshal: times.marshal,
    },
    back: {
      text: times.back,
      parsing: times.parsing,
      values: times.valuesBack,
    },
  };
}

/** Return how long a tape's value takes to be built, in nanoseconds: the tape is written before. */
function build(object: object): number {
  let nanoseconds = 0;
  crossWith(
    false,
    () => writeNested(object, "value"),
    (tape, text, objects) => {
      const start = performance.now();
      const result = napi.run(
        MODE.eval,
        "keep(value)",
        moduleOf(scope),
        ["value", undefined],
        tape,
        text,
        objects,
      );
      nanoseconds = (performance.now() - start) * 1e6;
      return result;
    },
  );
  python.run("value = None", { scope });
  clear.call();
  return nanoseconds;
}

/** Return the first decile of the time of each way, in nanoseconds. */
function alternate<Name extends string>(
  ways: Record<Name, () => unknown>,
  repetitions: number,
): Record<Name, number> {
  const names = Object.keys(ways) as Name[];
  const times = new Map<Name, number[]>(names.map((name) => [name, []]));
  const end = performance.now() + MILLISECONDS;
  for (let round = 0; round < ROUNDS || performance.now() < end; round++) {
    for (const name of shuffled(names)) {
      const start = performance.now();
      for (let time = 0; time < repetitions; time++) ways[name]();
      const milliseconds = performance.now() - start;
      times.get(name)!.push(milliseconds * 1e6 / repetitions);
      clear.call();
    }
  }
  return Object.fromEntries(
    names.map((name) => [name, decile(times.get(name)!)]),
  ) as Record<Name, number>;
}

function shuffled<Element>(elements: readonly Element[]): Element[] {
  return elements
    .map((element) => ({ element, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ element }) => element);
}

/** The first decile of some numbers. */
function decile(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 10)];
}
