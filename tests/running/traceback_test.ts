/** The traceback of a `PythonError`: the lines of all sources, chained exceptions and groups. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { python, PythonScope } from "../../mod.ts";
import { raised, raisedBy } from "./raising.ts";

Deno.test("the traceback shows the lines of the source, as JavaScript gave them", () => {
  const error = raisedBy(`
    def inner(value):
        return value / 0  # the line

    def outer():
        return inner(1)

    outer()
  `);
  const lines = error.traceback.split("\n").filter((line) =>
    !/^ +[~^]+$/.test(line)
  );
  const name = lines[1].match(/"(<python\.run \d+>)"/)?.[1];
  assertEquals(lines, [
    "Traceback (most recent call last):",
    `  File "${name}", line 8, in <module>`,
    "    outer()",
    `  File "${name}", line 6, in outer`,
    "    return inner(1)",
    `  File "${name}", line 3, in inner`,
    "    return value / 0  # the line",
    "ZeroDivisionError: division by zero",
    "",
  ]);
});

Deno.test("the traceback shows the lines of every source that took part", () => {
  using scope = new PythonScope();
  python.run("def deepest():\n    raise ValueError('deep')", { scope });
  python.run("def middle():\n    return deepest()  # in the middle", { scope });
  const { traceback } = raised(() => python.eval("middle() + 1", { scope }));
  for (
    const line of [
      "\n    raise ValueError('deep')\n",
      "\n    return deepest()  # in the middle\n",
      "\n    middle() + 1\n",
      '  File "<python.eval ',
      '  File "<python.run ',
    ]
  ) {
    assertStringIncludes(traceback, line);
  }
});

Deno.test("the traceback shows Python's own files", () => {
  const { traceback } = raisedBy("import json\njson.loads('{')");
  assertStringIncludes(traceback, "\n    json.loads('{')\n");
  assertStringIncludes(traceback, "decoder.py");
});

Deno.test("the traceback shows source after it failed once, and after linecache was emptied", () => {
  for (let time = 0; time < 3; time++) {
    assertStringIncludes(
      raisedBy("raise ValueError('again')").traceback,
      "\n    raise ValueError('again')\n",
    );
    python.run("import linecache; linecache.checkcache()");
    if (time === 1) python.run("import linecache; linecache.clearcache()");
  }
});

Deno.test("exceptions that lead to another are reported, with the lines of each", () => {
  using scope = new PythonScope();
  python.run("def first():\n    raise KeyError('one')", { scope });
  python.run(
    "def second():\n    try:\n        first()\n    except KeyError as e:\n        raise ValueError('two') from e",
    { scope },
  );
  const error = raisedBy(
    "try:\n    second()\nexcept ValueError:\n    raise RuntimeError('three')",
    { scope },
  );
  assertEquals([error.type, error.message], ["RuntimeError", "three"]);
  for (
    const part of [
      "    raise KeyError('one')\nKeyError: 'one'\n",
      "The above exception was the direct cause of the following exception:",
      "    raise ValueError('two') from e\nValueError: two\n",
      "During handling of the above exception, another exception occurred:",
      "    raise RuntimeError('three')\nRuntimeError: three\n",
    ]
  ) {
    assertStringIncludes(error.traceback, part);
  }
});

Deno.test("an exception that is said to come from none tells no other", () => {
  const { traceback } = raisedBy(
    "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise ValueError from None",
  );
  assertEquals(traceback.includes("ZeroDivisionError:"), false);
});

Deno.test("exceptions that lead to each other in a circle are reported", () => {
  const error = raisedBy(`
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    raise one
  `);
  assertEquals(error.message, "one");
  assertStringIncludes(error.traceback, "raise one");
});

Deno.test("a group tells its exceptions, with their lines, and notes are reported", () => {
  using scope = new PythonScope();
  python.run("def fail():\n    raise ValueError('member')", { scope });
  const error = raisedBy(
    `
    try:
        fail()
    except ValueError as e:
        e.add_note("a note")
        member = e
    raise ExceptionGroup("many", [member, KeyError("k")])
    `,
    { scope },
  );
  assertEquals(error.type, "ExceptionGroup");
  assertEquals(error.message, "many (2 sub-exceptions)");
  for (const part of ["raise ValueError('member')", "a note", "KeyError"]) {
    assertStringIncludes(error.traceback, part);
  }
});
