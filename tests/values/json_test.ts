/** Values beside JSON text: what crosses is what Python's `json`, and orjson where it is there, make of the same document. */

import { assertEquals } from "@std/assert";
import { DOCUMENTS } from "../../bench/values/documents.ts";
import { type PyObjectRef, python, PythonScope } from "../../mod.ts";
import { Random } from "./random_values.ts";

/** A scope with the readers and writers of JSON text that there are, and a comparison that knows `1`, `1.0` and `True` apart. */
function jsonScope(): PythonScope {
  const scope = new PythonScope();
  python.run(
    `
    import json
    texts = {"json": (json.loads, json.dumps)}
    try:
        import orjson
        texts["orjson"] = orjson.loads, lambda value: orjson.dumps(value).decode()
    except ImportError:
        pass

    def same(one, other):
        if type(one) is not type(other):
            return False
        if type(one) is list:
            return len(one) == len(other) and all(map(same, one, other))
        if type(one) is dict:
            return list(one) == list(other) and all(map(same, one.values(), other.values()))
        return repr(one) == repr(other)
    `,
    { scope },
  );
  return scope;
}

/** Fails unless a value is in Python what the text of it is there, and comes back as it is read of that text. */
function assertSame(scope: PythonScope, value: unknown, what: string): void {
  const text = JSON.stringify(value);
  const libraries = python.eval("list(texts)", { scope, toJs: true });
  for (const library of libraries as string[]) {
    const names = { value: value as object, text, library };
    const inSame = python.eval("same(value, texts[library][0](text))", {
      scope,
      names,
    });
    assertEquals(inSame, true, `${what}, to Python, beside ${library}`);
    using read = python.eval("[texts[library][0](text)]", {
      scope,
      names,
    }) as PyObjectRef;
    const expected = JSON.parse(
      python.eval("texts[library][1](value)", { scope, names }) as string,
    );
    assertEquals(
      read.toJs(),
      [expected],
      `${what}, to JavaScript, beside ${library}`,
    );
  }
}

/** A document whose numbers Python reads as the same type as they cross by: whole ones that aren't safe are floats only here. */
function comparable(document: unknown): unknown {
  return JSON.parse(
    JSON.stringify(document),
    (_, value) =>
      Number.isInteger(value) && !Number.isSafeInteger(value)
        ? `${value}`
        : value,
  );
}

for (const [name, document] of Object.entries(DOCUMENTS)) {
  Deno.test(`a document is what its JSON text is, both ways: ${name}`, () => {
    using scope = jsonScope();
    const part = Array.isArray(document) ? document.slice(0, 20_000) : document;
    assertSame(scope, comparable(part), name);
  });
}

/** Strings that JSON text can say to each library: orjson refuses lone surrogates. */
const STRINGS = [
  "",
  "a",
  "Größe",
  "日本語",
  "😀",
  "x".repeat(200),
  '"\\\n\u2028',
  "__proto__",
  "17",
  "nul\0",
];
/** Numbers that Python reads as the same type as they cross by: no -0, and none that is whole and not safe. */
const NUMBERS = [
  0,
  1,
  -1,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 53 - 1,
  -(2 ** 53) + 1,
  0.1,
  -2.5,
  5e-324,
  1.7976931348623157e308,
  1e-7,
];

/** A random document. */
function randomDocument(random: Random, depth = 0): unknown {
  const kind = random.below(depth > 4 ? 5 : 8);
  if (kind === 0) return null;
  if (kind === 1) return random.below(2) === 0;
  if (kind <= 3) return random.pick(NUMBERS);
  if (kind === 4) return random.pick(STRINGS);
  const count = random.below(6);
  const values = Array.from(
    { length: count },
    () => randomDocument(random, depth + 1),
  );
  if (kind <= 5) return values;
  // As JSON.parse does, which makes an own property of `__proto__`.
  return Object.fromEntries(
    values.map((value) => [random.pick(STRINGS) + random.below(3), value]),
  );
}

Deno.test("random documents are what their JSON text is, both ways", () => {
  using scope = jsonScope();
  const seed = Number(Deno.env.get("ONEHEAP_TEST_SEED") ?? 1);
  const random = new Random(seed);
  for (let number = 0; number < 300; number++) {
    const document = randomDocument(random);
    assertSame(scope, document, `document ${number} of seed ${seed}`);
  }
});
