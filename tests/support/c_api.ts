/** Python's C API, called from TypeScript: what the embedded interpreter itself says. */

import { attach, python } from "../../mod.ts";

const api = Deno.dlopen(python.library, {
  PyImport_AddModule: { parameters: ["buffer"], result: "pointer" },
  PyModule_GetDict: { parameters: ["pointer"], result: "pointer" },
  Py_CompileString: {
    parameters: ["buffer", "buffer", "i32"],
    result: "pointer",
  },
  PyEval_EvalCode: {
    parameters: ["pointer", "pointer", "pointer"],
    result: "pointer",
  },
  PyObject_Str: { parameters: ["pointer"], result: "pointer" },
  PyUnicode_AsUTF8String: { parameters: ["pointer"], result: "pointer" },
  PyBytes_AsString: { parameters: ["pointer"], result: "pointer" },
  Py_DecRef: { parameters: ["pointer"], result: "void" },
  PyErr_Print: { parameters: [], result: "void" },
}).symbols;

/** `Py_eval_input` and `Py_file_input`. */
const EXPRESSION = 258;
const STATEMENTS = 257;

/** Evaluates a Python expression in `__main__` and returns it as `str()` has it. */
export function evaluate(expression: string): string {
  using _attached = attach();
  const value = compute(expression, EXPRESSION);
  const text = owned(api.PyObject_Str(value));
  const bytes = owned(api.PyUnicode_AsUTF8String(text));
  const string = Deno.UnsafePointerView.getCString(
    owned(api.PyBytes_AsString(bytes)),
  );
  for (const object of [value, text, bytes]) api.Py_DecRef(object);
  return string;
}

/** Runs Python statements in `__main__`. */
export function execute(statements: string): void {
  using _attached = attach();
  api.Py_DecRef(compute(statements, STATEMENTS));
}

function compute(source: string, start: number): Deno.PointerObject {
  const code = owned(
    api.Py_CompileString(cString(source), cString("<typescript>"), start),
  );
  const globals = api.PyModule_GetDict(
    api.PyImport_AddModule(cString("__main__")),
  );
  const value = api.PyEval_EvalCode(code, globals, globals);
  api.Py_DecRef(code);
  return owned(value);
}

/** A result that is an object; where there is none, Python prints the exception. */
function owned(object: Deno.PointerValue): Deno.PointerObject {
  if (object !== null) return object;
  api.PyErr_Print();
  throw new Error("Python raised an exception, printed above");
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text + "\0");
}
