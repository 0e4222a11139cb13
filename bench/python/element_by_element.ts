/**
 * Doubles between TypeScript and Python one at a time, by Python's C API through Deno's FFI: the way without shared memory.
 *
 * The calls for each element are those that deno_python 0.4 makes. Into Python, it has a `FinalizationRegistry` release the
 * element's reference some time later; here that is done at once. Out of Python, it doesn't give the references to the
 * element and its type back; here that is done, too.
 */

import { attach, PyObjectRef, python } from "../../mod.ts";

const api = Deno.dlopen(python.library, {
  Py_DecRef: { parameters: ["pointer"], result: "void" },
  Py_IncRef: { parameters: ["pointer"], result: "void" },
  PyFloat_AsDouble: { parameters: ["pointer"], result: "f64" },
  PyFloat_FromDouble: { parameters: ["f64"], result: "pointer" },
  PyIter_Next: { parameters: ["pointer"], result: "pointer" },
  PyList_New: { parameters: ["i32"], result: "pointer" },
  PyList_SetItem: { parameters: ["pointer", "i32", "pointer"], result: "i32" },
  PyObject_GetIter: { parameters: ["pointer"], result: "pointer" },
  PyObject_Type: { parameters: ["pointer"], result: "pointer" },
}).symbols;

/** The types that a value is compared with, one after the other, to know what to make of it. */
const types = ["type(None)", "bool", "int", "float"].map((type) =>
  python.eval(type) as PyObjectRef
);

/** A pointer to a Python object. */
class Wrapped {
  readonly handle: Deno.PointerValue;

  constructor(handle: Deno.PointerValue) {
    this.handle = handle;
  }
}

/** Make a Python list of doubles. The caller disposes it. */
export function listOf(numbers: Float64Array): PyObjectRef {
  using _attached = attach();
  const list = api.PyList_New(numbers.length);
  for (let index = 0; index < numbers.length; index++) {
    const element = new Wrapped(api.PyFloat_FromDouble(numbers[index]));
    api.Py_IncRef(element.handle);
    // Takes over one reference.
    api.PyList_SetItem(list, index, element.handle);
    api.Py_DecRef(element.handle);
  }
  return new PyObjectRef(list!);
}

/** Make an array of the doubles in a Python list. */
export function numbersOf(list: PyObjectRef): number[] {
  using _attached = attach();
  const [none, bool, int, float] = types.map(({ pointer }) => pointer);
  const numbers: number[] = [];
  for (const { handle } of elementsOf(list.pointer)) {
    const type = api.PyObject_Type(handle);
    for (const other of [none, bool, int]) {
      if (Deno.UnsafePointer.equals(type, other)) {
        throw new TypeError("no float");
      }
    }
    if (Deno.UnsafePointer.equals(type, float)) {
      numbers.push(api.PyFloat_AsDouble(handle));
    }
    api.Py_DecRef(type);
    api.Py_DecRef(handle);
  }
  return numbers;
}

function* elementsOf(list: Deno.PointerObject): Generator<Wrapped> {
  const iterator = api.PyObject_GetIter(list);
  for (
    let element = api.PyIter_Next(iterator);
    element !== null;
    element = api.PyIter_Next(iterator)
  ) yield new Wrapped(element);
  api.Py_DecRef(iterator);
}
