/** A document's way into Python's heap and back: nested values in one crossing, beside JSON text. */

import { type PyObjectRef, python, PythonScope } from "../../mod.ts";
import { count, duration } from "./format.ts";

const RECORDS = 100_000;

/** All ways are gone so often, one after the other. */
const ROUNDS = 3;

/** What Python's side does: keeps what it gets, counts, and says who the rival is. */
const PYTHON_SIDE = `
import gc, json, sys, tracemalloc
try:
    import orjson
    rival, loads, dumps = f"orjson {orjson.__version__}", orjson.loads, lambda value: orjson.dumps(value).decode()
except ImportError:
    rival, loads, dumps = "json", json.loads, json.dumps

kept = None

def keep(value):
    global kept
    kept = value

def keep_text(text):
    keep(loads(text))

def blocks():
    gc.collect()
    return sys.getallocatedblocks()

def distinct_keys():
    return len({id(key) for record in kept for key in record})
`;

/** A record of the document. */
interface Record {
  readonly id: number;
  readonly name: string;
  readonly email: string;
  readonly score: number;
  readonly active: boolean;
  readonly group: string;
  readonly note: null;
}

function documentOf(records: number): Record[] {
  return Array.from({ length: records }, (_, id) => ({
    id,
    name: `user${id}`,
    email: `user${id}@example.com`,
    score: id * 0.37 + 0.5,
    active: id % 3 === 0,
    group: `g${id % 17}`,
    note: null,
  }));
}

/** Show the document's way. Return whether it comes back as it went. */
export function showDocument(): boolean {
  using scope = new PythonScope();
  python.run(PYTHON_SIDE, { scope });
  using keep = scope.get("keep") as PyObjectRef;
  using keepText = scope.get("keep_text") as PyObjectRef;
  using dumps = scope.get("dumps") as PyObjectRef;
  const document = documentOf(RECORDS);
  const kept = () => scope.get("kept") as PyObjectRef;
  const ways = [
    {
      name: "oneheap: nested values, no text",
      there: () => void keep.call(document),
      back: (): unknown => {
        using value = kept();
        return value.toJs();
      },
    },
    {
      name: `JSON text, ${scope.get("rival")} in Python`,
      there: () => void keepText.call(JSON.stringify(document)),
      back: (): unknown => {
        using value = kept();
        return JSON.parse(dumps.call(value) as string);
      },
    },
  ];
  console.log(
    `%c${count(RECORDS)} records into Python's heap and back`,
    "font-weight: bold",
  );
  console.log(
    "".padEnd(36) + ["to Python", "back", "blocks", "key strings"]
      .map((it) => it.padStart(14)).join(""),
  );
  let isSame = true;
  for (const { name, there, back } of ways) {
    const times: [number, number][] = [];
    let blocks = 0;
    for (let round = 0; round < ROUNDS; round++) {
      keep.call(null);
      const before = python.eval("blocks()", { scope }) as number;
      const start = performance.now();
      there();
      const middle = performance.now();
      const value = back();
      times.push([middle - start, performance.now() - middle]);
      blocks = python.eval("blocks()", { scope }) as number - before;
      isSame &&= JSON.stringify(value) === JSON.stringify(document);
    }
    const median = (index: 0 | 1) =>
      duration(times.map((it) => it[index]).sort((a, b) => a - b)[ROUNDS >> 1]);
    const keys = count(python.eval("distinct_keys()", { scope }) as number);
    console.log(
      name.padEnd(36) + [median(0), median(1), count(blocks), keys]
        .map((it) => it.padStart(14)).join(""),
    );
  }
  showTraced(scope, keep, document);
  return isSame;
}

/** Show what `tracemalloc` counts of the document. */
function showTraced(
  scope: PythonScope,
  keep: PyObjectRef,
  document: Record[],
): void {
  keep.call(null);
  python.run("tracemalloc.start()", { scope });
  keep.call(document);
  const traced = python.eval("tracemalloc.get_traced_memory()[0]", { scope });
  python.run("tracemalloc.stop()", { scope });
  keep.call(null);
  console.log(
    `Python's tracemalloc counts ${count(traced as number)} bytes of it.\n`,
  );
}
