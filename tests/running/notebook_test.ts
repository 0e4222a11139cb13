/** What a notebook shows of references and proxies. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { type PyObjectRef, python } from "../../mod.ts";
import { numpyTest } from "../support/numpy.ts";
import { openedLibrary } from "../support/process.ts";

const DISPLAY = Symbol.for("Jupyter.display");
const MODULE = import.meta.resolve("../../mod.ts");
const CLIENT = fileURLToPath(
  import.meta.resolve("../support/notebook_client.py"),
);

const shapes = python.module(`
class Table:
    def __repr__(self): return "Table"
    def _repr_html_(self): return "<b>table</b>"
    def _repr_markdown_(self): return "**table**"
    def _repr_latex_(self): return None
    def _repr_json_(self): return {"rows": [1]}

class Picture:
    def _repr_png_(self): return b"\\x89PNG"
    def _repr_svg_(self): return ("<svg/>", {"isolated": True})
    def _repr_html_(self): raise ValueError("no")

class Bundle:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": "<i>own</i>", "image/png": b"ab"}, {}
    def _repr_html_(self): return "<b>other</b>"

class Anything:
    def __getattr__(self, name): return lambda *_, **__: "anything"

class Broken:
    def __repr__(self): raise KeyError("broken")
`);

function shown(value: unknown): Record<string, unknown> {
  return (value as Record<symbol, () => Record<string, unknown>>)[DISPLAY]();
}

Deno.test("an object is shown as what its methods give, and as text", () => {
  assertEquals(shown(shapes.Table()), {
    "text/html": "<b>table</b>",
    "text/markdown": "**table**",
    "application/json": { rows: [1] },
    "text/plain": "Table",
  });
  const picture = shown(shapes.Picture());
  assertEquals(picture["image/png"], btoa("\x89PNG"));
  assertEquals(picture["image/svg+xml"], "<svg/>");
  assertEquals("text/html" in picture, false);
});

Deno.test("an object's own bundle counts before its methods", () => {
  const bundle = shown(shapes.Bundle());
  assertEquals(bundle["text/html"], "<i>own</i>");
  assertEquals(bundle["image/png"], btoa("ab"));
});

Deno.test("an object without methods is text, whatever names it answers to and whatever its repr raises", () => {
  assertEquals(Object.keys(shown(shapes.Anything())), ["text/plain"]);
  assertEquals(
    shown(shapes.Broken())["text/plain"],
    "<Broken, whose repr() raises KeyError>",
  );
  assertEquals(shown(shapes.Table), {
    "text/plain": String(python.builtins.repr(shapes.Table)),
  });
  assertEquals(shown(python.eval("[1, 2]")), { "text/plain": "[1, 2]" });
});

Deno.test("a reference that is disposed says so", () => {
  const list = python.eval("[1]") as PyObjectRef;
  list[Symbol.dispose]();
  assertEquals(shown(list), { "text/plain": "PyObjectRef (disposed)" });
});

interface Output {
  readonly type: string;
  readonly data: Record<string, string>;
  readonly ename: string;
  readonly evalue: string;
}

numpyTest(
  "the kernel of deno jupyter shows frames, figures and errors",
  async () => {
    const cells = [
      `import { python } from ${JSON.stringify(MODULE)};`,
      `const pandas = python.import("pandas");\npandas.DataFrame({ x: [1, 2] })`,
      `const plt = python.import("matplotlib.pyplot");\nplt.plot([1, 2]);\nplt.gcf()`,
      `python.eval("[1, 2]")`,
      `python.eval("1 / 0")`,
    ];
    const client = new Deno.Command(python.executable, {
      args: [CLIENT, Deno.execPath()],
      env: {
        MPLBACKEND: "agg",
        ONEHEAP_LIBRARY: openedLibrary("liboneheap_deno.so"),
        ONEHEAP_PYTHON: python.executable,
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = client.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify(cells)));
    await writer.close();
    const { stdout, stderr } = await client.output();
    const text = new TextDecoder();
    const line = text.decode(stdout).trim().split("\n").at(-1);
    if (!line) throw new Error(text.decode(stderr));
    const [, [frame], [figure], [list], [error]]: Output[][] = JSON.parse(line);
    assertStringIncludes(frame.data["text/html"], "<table");
    assertStringIncludes(frame.data["text/plain"], "x");
    assertEquals(figure.data["image/png"].slice(0, 8), "iVBORw0K");
    assertEquals(list.data["text/plain"], "[1, 2]");
    assertEquals([error.type, error.ename], ["error", "PythonError"]);
  },
);
