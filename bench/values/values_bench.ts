/**
 * Documents on their way into Python's heap and back, beside JSON text: `orjson` where Python has it, else `json`.
 *
 * What Python gets replaces what it got before, so the time to free that is in both.
 */

import { type PyObjectRef, python, PythonScope } from "../../mod.ts";
import { DOCUMENTS } from "./documents.ts";

const scope = new PythonScope();
python.run(
  `
  try:
      from orjson import dumps, loads
  except ImportError:
      from json import loads
      def dumps(value):
          import json
          return json.dumps(value).encode()
  kept = None
  def keep(value):
      global kept
      kept = value
  def keep_text(text):
      keep(loads(text))
  `,
  { scope },
);
const keep = scope.get("keep") as PyObjectRef;
const keepText = scope.get("keep_text") as PyObjectRef;
const dumps = scope.get("dumps") as PyObjectRef;
const decoder = new TextDecoder();

for (const [name, document] of Object.entries(DOCUMENTS)) {
  const there = `${name} to Python`;

  Deno.bench({ name: "JSON text", group: there, baseline: true }, () => {
    keepText.call(JSON.stringify(document));
  });

  Deno.bench({ name: "values", group: there }, () => {
    keep.call(document as object);
  });

  const back = `${name} to JavaScript`;
  keep.call(document as object);
  const value = scope.get("kept") as PyObjectRef;

  Deno.bench({ name: "JSON text", group: back, baseline: true }, () => {
    JSON.parse(decoder.decode(dumps.call(value) as Uint8Array));
  });

  Deno.bench({ name: "values", group: back }, () => {
    value.toJs();
  });
}
